"""Recorded replies in place of a simulator: made from a running vendor, and good for the read level."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.testing.corner.provider import CornerProvider
from tests.testing.corner.simulator import API_KEY, CornerSimulator
from voucher_gateway.provider_api import Operation, ProviderUnavailable
from voucher_gateway.simulator import RunningSimulator, start
from voucher_gateway.simulator.replay import RecordedSimulator, recording
from voucher_gateway.testing import Level, ProviderContract, SimulatorVendor

ROOT = Path(__file__).parents[2]

# They ask for what others ask for too, again and again.
NOTHING_NEW = ("honest_error", "for_ever", "threads", "after_a_fork", "check", "cannot_be_read")

CONTRACTS = """
import json
from pathlib import Path
from tests.testing.corner.provider import CornerProvider
from voucher_gateway.simulator.replay import RecordedSimulator, recording
from voucher_gateway.testing import Level, ProviderContract

FILE = Path(__file__).with_name("corner.json")
SAID = json.loads(Path(__file__).with_name("vendor.json").read_text())

class TestRecording(ProviderContract):
    provider = CornerProvider
    simulator = recording(
        FILE, SAID["upstream"], announcement={"base_url": "{base}/v1", "api_key": SAID["key"]}, ledger=SAID["ledger"]
    )
    level = Level.READ
    settings = {"page_size": 3}
    counts = False

class Corner(RecordedSimulator):
    file = FILE

class TestReplayed(ProviderContract):
    provider = CornerProvider
    simulator = Corner
    level = Level.READ
    settings = {"page_size": 3}
    counts = False
"""


@pytest.fixture
def vendor() -> Iterator[RunningSimulator]:
    with start(CornerSimulator, vouchers=8) as running:
        yield running


def _recorded(file: Path, **content: Any) -> type[RecordedSimulator]:
    whole = {"format": 1, "announcement": {"base_url": "{base}/v1", "api_key": "k"}, "ledger": [], "exchanges": []}
    file.write_text(json.dumps({**whole, **content}), "utf-8")
    return type("Recorded", (RecordedSimulator,), {"file": file})


def test_a_recording_of_a_vendor_carries_the_read_level(tmp_path: Path, vendor: RunningSimulator) -> None:
    upstream = vendor.announcement["base_url"].removesuffix("/v1")
    said = {"upstream": upstream, "key": API_KEY, "ledger": vendor.ledger()}
    (tmp_path / "vendor.json").write_text(json.dumps(said))
    (tmp_path / "test_both.py").write_text(CONTRACTS)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path)]
    options = [str(tmp_path / "test_both.py"), "-o", "addopts=--import-mode=importlib"]
    made = subprocess.run(
        [*command, *options, "-k", f"TestRecording and not {' and not '.join(NOTHING_NEW)}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert made.returncode == 0, made.stdout
    text = (tmp_path / "corner.json").read_text("utf-8")
    assert API_KEY not in text
    arrived = len(vendor.requests)
    replayed = subprocess.run(
        [*command, *options, "-k", "TestReplayed"], cwd=ROOT, capture_output=True, text=True, timeout=100
    )
    assert replayed.returncode == 0, replayed.stdout
    assert len(vendor.requests) == arrived


def test_recorded_replies_cannot_reach_a_higher_level() -> None:
    with pytest.raises(TypeError, match="recorded replies cannot be spent: they reach the read level"):
        type("TestTooHigh", (ProviderContract,), {"provider": CornerProvider, "simulator": RecordedSimulator})
    type("TestHighEnough", (ProviderContract,), {"simulator": RecordedSimulator, "level": Level.READ})


def test_a_request_that_was_not_recorded_is_named_and_trusted_by_nobody(tmp_path: Path) -> None:
    stage = SimulatorVendor(CornerProvider, _recorded(tmp_path / "r.json"))
    with pytest.raises(ProviderUnavailable):
        stage.provider(tries=1).get("v1")
    with pytest.raises(AssertionError, match=r"r\.json has no reply to GET /v1/vouchers/v1"):
        stage.close()


def test_the_same_request_wins_and_a_star_stands_for_the_rest(tmp_path: Path) -> None:
    none = {"vouchers": [], "total": 0}
    exchanges = [
        {"request": "GET /v1/vouchers?*", "reply": {**none, "vouchers": [{"id": "any"}]}},
        {"request": "GET /v1/vouchers?size=10&page=1&code=A", "status": 404, "reply": {"error": "none"}},
        {"request": "GET /v1/plain", "text": "no JSON at all", "headers": {"Content-Type": "text/plain"}},
    ]
    import requests

    with start(_recorded(tmp_path / "r.json", exchanges=exchanges)) as running, requests.Session() as session:
        session.trust_env = False
        base = running.announcement["base_url"]
        same = session.get(f"{base}/vouchers?code=A&page=1&size=10")
        assert (same.status_code, same.json()) == (404, {"error": "none"})
        assert session.get(f"{base}/vouchers?code=B").json()["vouchers"] == [{"id": "any"}]
        plain = session.get(f"{base}/plain")
        assert (plain.text, plain.headers["Content-Type"]) == ("no JSON at all", "text/plain")


def test_a_file_of_another_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"r\.json is no recording of format 1"):
        start(_recorded(tmp_path / "r.json", format=2))


def test_a_recording_passes_nothing_on_that_changes_something(tmp_path: Path, vendor: RunningSimulator) -> None:
    upstream = vendor.announcement["base_url"].removesuffix("/v1")
    kind = recording(tmp_path / "r.json", upstream, announcement={"base_url": "{base}/v1"}, ledger=[])
    import requests

    with start(kind) as running, requests.Session() as session:
        session.trust_env = False
        assert session.post(f"{running.announcement['base_url']}/vouchers", json={}).status_code == 500
        assert "POST is not passed on" in running.crashes[0]
    assert vendor.requests == []
    assert Operation.ISSUE.changes
