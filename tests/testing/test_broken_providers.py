"""The contract bites: each broken provider is caught by the promise meant for it, and is told what to change."""

from __future__ import annotations

import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from tests.testing.broken import wrong_lists, wrong_manners, wrong_vouchers
from tests.testing.broken.registry import BROKEN
from voucher_gateway.testing import PROMISES, Level

CONTRACTS = Path(__file__).parent / "broken" / "contracts.py"
assert wrong_lists is not None
assert wrong_manners is not None
assert wrong_vouchers is not None


@pytest.mark.long
def test_every_broken_provider_is_caught_by_the_promise_meant_for_it(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", str(CONTRACTS), "-q", "-p", "no:cacheprovider", f"--junitxml={report}"],
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout[-4000:] + done.stderr[-2000:]
    failures: dict[str, str] = {}
    for case in ElementTree.parse(report).iter("testcase"):  # our own file
        failure = case.find("failure")
        name = case.attrib["classname"].rpartition(".Test")[2]
        if failures.get(name, "passed") == "passed":  # one of the tests of a promise is enough
            failures[name] = "passed" if failure is None else str(failure.text)  # the message alone is cut short
    assert failures.keys() == BROKEN.keys()
    missed = [name for name, message in failures.items() if message == "passed"]
    assert missed == []
    for name, (_, number) in BROKEN.items():
        promise = PROMISES[number]
        assert f"promise {number} (read level) is broken" in failures[name], failures[name]
        assert promise.says in failures[name]
        assert f"To change: {promise.advice}" in failures[name]


def test_every_promise_of_the_read_level_is_broken_by_some_provider() -> None:
    promises = {number for number, promise in PROMISES.items() if promise.level is Level.READ}
    assert {number for _, number in BROKEN.values()} == promises
