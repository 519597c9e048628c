"""The recipe for recorded replies on the page about the contract: it records a running vendor, then replays it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.testing.corner.provider import CornerProvider
from tests.testing.corner.simulator import API_KEY, CornerSimulator
from voucher_gateway.simulator import RunningSimulator, start
from voucher_gateway.testing import Level, ProviderContract

ROOT: Final = Path(__file__).parents[2]
FILE: Final = "test_acme_recorded.py"
RECIPE: Final = re.compile(rf'^```python title="{FILE}"\n(.*?)^```$', re.DOTALL | re.MULTILINE)
SANDBOX: Final = 'HTTPSConnection("sandbox.acme.example"'

NOTHING_NEW: Final = ("honest_error", "for_ever", "threads", "after_a_fork", "check", "cannot_be_read")
"""Tests that repeat requests of other tests: a recording does not need them."""

SAMPLES: Final = (["R1"], ["R2", "R11", "R18", "M1", "P1"])
"""Promises about codes, histories, secrets, amounts and lists."""

RunRecipe = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def vendor() -> Iterator[RunningSimulator]:
    """The vendor whose replies are recorded."""
    with start(CornerSimulator, vouchers=8) as running:
        yield running


@pytest.fixture
def run_recipe(tmp_path: Path, vendor: RunningSimulator) -> RunRecipe:
    """Write the recipe into a folder, with the vendor's address, and return a function that runs it in pytest."""
    text = (ROOT / "docs" / "contract.md").read_text("utf-8")
    (recipe,) = RECIPE.findall(text)
    assert SANDBOX in recipe
    address = vendor.announcement["base_url"].removeprefix("http://").removesuffix("/v1")
    (tmp_path / FILE).write_text(recipe.replace(SANDBOX, f'HTTPConnection("{address}"'))
    provider = "from tests.testing.corner.provider import CornerProvider as AcmeProvider\n"
    (tmp_path / "acme_vouchers.py").write_text(provider)
    (tmp_path / "acme_ledger.json").write_text(json.dumps(vendor.ledger()))

    def run(*options: str, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-o", "addopts=", FILE, *options],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}", **env},
            capture_output=True,
            text=True,
            timeout=800,
        )

    return run


def _record_and_replay(
    folder: Path, vendor: RunningSimulator, run: RunRecipe, record: list[str], replay: list[str]
) -> None:
    recorded = run(*record, ACME_RECORD="new_episodes", ACME_KEY=API_KEY)
    assert recorded.returncode == 0, recorded.stdout
    assert API_KEY not in (folder / "acme.json").read_text("utf-8")
    requests = len(vendor.requests)
    assert requests > 0
    replayed = run(*replay)
    assert replayed.returncode == 0, replayed.stdout
    assert len(vendor.requests) == requests


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("sample", SAMPLES, ids=str)
def test_the_recipe_records_a_vendor_and_replays_it(
    tmp_path: Path, vendor: RunningSimulator, run_recipe: RunRecipe, sample: list[str]
) -> None:
    options = [option for number in sample for option in ("--promise", number)]
    _record_and_replay(tmp_path, vendor, run_recipe, options, options)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_recording_carries_the_whole_read_level(
    tmp_path: Path, vendor: RunningSimulator, run_recipe: RunRecipe
) -> None:
    _record_and_replay(tmp_path, vendor, run_recipe, ["-k", f"not {' and not '.join(NOTHING_NEW)}"], [])


@pytest.mark.long
def test_a_request_that_was_not_recorded_fails_the_run_and_is_named(
    tmp_path: Path, vendor: RunningSimulator, run_recipe: RunRecipe
) -> None:
    (tmp_path / "acme.json").write_text('{"version": 1, "interactions": []}')
    failed = run_recipe("--promise", "R4")
    assert failed.returncode == 1
    assert "made a mistake, so this" in failed.stdout
    assert re.search(r"GET http://[^ ]+/v1/vouchers", failed.stdout)
    assert vendor.requests == []


def test_recorded_replies_cannot_reach_a_higher_level() -> None:
    recorded = type("Recorded", (CornerSimulator,), {"highest_level": Level.READ})
    with pytest.raises(TypeError, match="recorded replies cannot be spent: they reach the read level"):
        type("TestTooHigh", (ProviderContract,), {"provider": CornerProvider, "simulator": recorded})
    type("TestHighEnough", (ProviderContract,), {"simulator": recorded, "level": Level.READ})
