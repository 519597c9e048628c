"""The spend and crash-safe levels bite: each broken provider is caught by its promise, and is told what to change."""

from __future__ import annotations

import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from tests.testing.spending import contracts
from tests.testing.spending.registry import BROKEN
from voucher_gateway.testing import PROMISES, Level

CONTRACTS = str(contracts.__file__)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_every_broken_provider_is_caught_by_the_promise_meant_for_it(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", CONTRACTS, "-q", "-p", "no:cacheprovider", f"--junitxml={report}"],
        capture_output=True,
        text=True,
        timeout=850,
    )
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout[-4000:] + done.stderr[-2000:]
    failures = {}
    for case in ElementTree.parse(report).iter("testcase"):  # our own file
        failure = case.find("failure")
        name = case.attrib["classname"].rpartition(".Test")[2]
        failures[name] = "passed" if failure is None else str(failure.text)  # the message alone is cut short
    assert failures.keys() == BROKEN.keys()
    missed = [name for name, message in failures.items() if message == "passed"]
    assert missed == []
    for name, (_, number) in BROKEN.items():
        promise = PROMISES[number]
        assert f"promise {number} ({promise.level.label} level) is broken" in failures[name], failures[name]
        assert promise.says in failures[name]
        assert f"To change: {promise.advice}" in failures[name]


def test_every_promise_of_these_levels_is_broken_by_some_provider() -> None:
    assert {number for _, number in BROKEN.values()} == {
        number for number, promise in PROMISES.items() if promise.level > Level.READ and number != "L1"
    }
