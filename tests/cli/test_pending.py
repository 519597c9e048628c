"""What the command line says of operations that the vendor has accepted and not decided yet."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.deferring import CODE, DeferringSimulator
from voucher_gateway import registry
from voucher_gateway.simulator import RunningSimulator, start

REDEEM = ("redeem", "shop", CODE, "10.00", "EUR", "--reference", "1001")


@pytest.fixture
def vendor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningSimulator]:
    """A running vendor, its provider as an installed distribution, and a configuration with a journal."""
    installed = tmp_path / "installed" / "deferring-1.0.dist-info"
    installed.mkdir(parents=True)
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: deferring\nVersion: 1.0\n")
    (installed / "entry_points.txt").write_text(
        f"[{registry.GROUP}]\ndeferring = tests.support.deferring:DeferringProvider\n"
        "partial = tests.support.deferring:PartialProvider\n"
    )
    monkeypatch.syspath_prepend(installed.parent)
    monkeypatch.setenv("VOUCHER_GATEWAY_CONFIG", str(tmp_path / "voucher-gateway.toml"))
    with start(DeferringSimulator) as running:
        write_config(running, journal=True)
        yield running


def write_config(running: RunningSimulator, *, journal: bool, provider: str = "deferring") -> None:
    path = Path(os.environ["VOUCHER_GATEWAY_CONFIG"])
    line = f'journal = "sqlite:///{path.parent / "journal.db"}"\n' if journal else ""
    path.write_text(
        f"{line}[accounts.shop]\nprovider = '{provider}'\ntoken = 't'\ntries = 1\n"
        f"base_url = '{running.announcement['base_url']}'\n"
    )
    path.chmod(0o600)


def decide(running: RunningSimulator, state: Any) -> None:
    simulator: Any = running.simulator
    simulator.activities.settle("p1", state)


def test_a_pending_redemption_is_3_and_the_same_command_asks_for_news(run: Any, vendor: RunningSimulator) -> None:
    first = run(*REDEEM)
    assert first.code == 3
    assert "The vendor has accepted it, and will complete or cancel it later." in first.err
    assert "Ask for news with: voucher-gateway resolve shop redeem 1001" in first.err
    again = run("--json", *REDEEM)
    assert (again.code, again.error["error"], again.error["outcome"]) == (3, "OutcomePending", "pending")
    assert (again.error["retry_safe"], again.error["ticket"]["reference"]) == (False, "1001")
    decide(vendor, "completed")
    assert run("--json", *REDEEM).done().object["result"]["money"]["amount"] == "10.00"
    assert sum(request.method == "POST" for request in vendor.requests) == 1


@pytest.mark.parametrize(
    ("state", "outcome", "sentence"),
    [("completed", "succeeded", "succeeded"), ("cancelled", "declined", "was declined: nothing moved")],
)
def test_resolve_is_3_until_the_vendor_has_decided(
    run: Any, vendor: RunningSimulator, state: str, outcome: str, sentence: str
) -> None:
    run(*REDEEM)
    pending = run("resolve", "shop", "redeem", "1001")
    assert pending.code == 3
    assert "shop: redeem 1001 is pending: the vendor will complete or cancel it later" in pending.out
    assert "`voucher-gateway recover` asks the vendor for news whenever it is due." in pending.err
    decide(vendor, state)
    assert f"shop: redeem 1001 {sentence}" in run("resolve", "shop", "redeem", "1001").done().out
    shown = run("--json", "operations", "show", "shop", "redeem", "1001").done().object
    assert shown["outcome"] == outcome


def test_recover_is_3_while_something_is_pending(run: Any, vendor: RunningSimulator) -> None:
    run(*REDEEM)
    listed = run("--json", "operations", "list", "--outcome", "pending").done().object
    assert (listed["reference"], listed["outcome"]) == ("1001", "pending")
    pending = run("--json", "recover")
    assert (pending.code, pending.object["outcome"]) == (3, "pending")
    decide(vendor, "completed")
    assert run("--json", "recover", "--all").done().object["outcome"] == "succeeded"


def test_without_a_journal_a_repeat_is_another_call_so_it_is_4(
    run: Any, vendor: RunningSimulator, tmp_path: Path
) -> None:
    write_config(vendor, journal=False)
    pending = run(*REDEEM)
    assert pending.code == 4
    assert "Do not repeat it: no journal remembers it." in pending.err
    ticket = tmp_path / "ticket.json"
    ticket.write_text(pending.out.strip() or pending.err.splitlines()[-1])
    assert run("resolve", "--ticket", str(ticket)).code == 3
    decide(vendor, "completed")
    assert run("--json", "resolve", "--ticket", str(ticket)).done().object["outcome"] == "succeeded"


def test_doctor_counts_it_as_in_doubt(run: Any, vendor: RunningSimulator) -> None:
    run(*REDEEM)
    assert "1 open, unknown or pending; `voucher-gateway recover` resolves them" in run("doctor").out


def test_history_shows_its_state(run: Any, vendor: RunningSimulator) -> None:
    run(*REDEEM)
    assert run("--json", "history", "shop", "c1").done().object["movements"][0]["state"] == "pending"
    assert "redemption  pending" in run("history", "shop", "c1").done().out


def test_a_part_is_accepted_with_an_option_only(run: Any, vendor: RunningSimulator) -> None:
    simulator: Any = vendor.simulator
    simulator.defers, simulator.takes_what_is_left = False, True
    refused = run("--json", *REDEEM, "--partial")
    assert (refused.code, refused.error["error"]) == (1, "UnsupportedOperation")
    write_config(vendor, journal=True, provider="partial")
    much = ("redeem", "shop", CODE, "130.00", "EUR", "--reference")
    whole = run("--json", *much, "1002")
    assert (whole.code, whole.error["error"], whole.error["outcome"]) == (1, "InsufficientValue", "declined")
    assert simulator.cents == 10_000
    part = run("--json", *much, "1003", "--partial").done().object
    assert part["result"]["money"] == {"amount": "100.00", "currency": "EUR"}
    assert simulator.cents == 0


def test_a_part_that_stays_taken_is_4(run: Any, vendor: RunningSimulator) -> None:
    simulator: Any = vendor.simulator
    simulator.defers, simulator.takes_what_is_left, simulator.shown_cents = False, True, 20_000
    write_config(vendor, journal=True, provider="partial")
    vendor.inject("error-before", "POST /payments", after=1)
    ran = run("--json", "redeem", "shop", CODE, "130.00", "EUR", "--reference", "1004")
    assert (ran.code, ran.error["error"], ran.error["taken"]) == (4, "PartlyRedeemed", "100.00 EUR")
    repeated = run("redeem", "shop", CODE, "130.00", "EUR", "--reference", "1004")
    assert (repeated.code, simulator.cents) == (1, 10_000)
    assert "and it was given back" in repeated.err
