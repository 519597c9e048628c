"""Commands that name an earlier operation by its reference, and what the journal adds to the others."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from voucher_gateway.gateway.gateway import Gateway
from voucher_gateway.provider_api import Money
from voucher_gateway.simulator import RunningSimulator

CODE = "JTL-7K2M-9QXD-4HTP"
FORGOTTEN = "No journal is configured"


def left(running: RunningSimulator) -> str:
    (voucher,) = running.ledger()
    return str(voucher["remaining"])


def test_a_reservation_is_captured_by_its_reference_whole_and_for_its_order(run: Any, kept: RunningSimulator) -> None:
    run("reserve", "shop", CODE, "30.00", "EUR", "--reference", "a", "--order", "1001").done()
    captured = run("--json", "capture", "shop", "--reservation", "a", "--reference", "a").done().object
    assert (captured["order"], captured["result"]["money"]["amount"], captured["replayed"]) == ("1001", "30.00", False)
    assert left(kept) == "20.00"


def test_a_redemption_is_refunded_by_its_reference_in_its_own_currency(run: Any, kept: RunningSimulator) -> None:
    run("redeem", "shop", CODE, "30.00", "EUR", "--reference", "a", "--order", "1001").done()
    back = ["--json", "refund", "shop", "--redemption", "a"]
    part = run(*back, "--amount", "12.50", "--reference", "b").done().object
    assert part["result"]["money"] == {"amount": "12.50", "currency": "EUR"}
    assert part["order"] == "1001"
    run("redeem", "shop", CODE, "1.00", "EUR", "--reference", "c").done()
    whole = run("--json", "refund", "shop", "--redemption", "c", "--reference", "c").done().object
    assert whole["result"]["money"]["amount"] == "1.00"
    assert left(kept) == "32.50"


def test_what_is_left_of_a_redemption_to_give_back_is_told(run: Any, kept: RunningSimulator) -> None:
    run("redeem", "shop", CODE, "30.00", "EUR", "--reference", "a").done()
    run("refund", "shop", "--redemption", "a", "--amount", "12.50", "--reference", "b").done()
    assert run("refundable", "shop", "--redemption", "a").done().out == (
        "shop: 17.50 EUR of 30.00 EUR are left to give back\n"
    )
    told = run("--json", "refundable", "shop", "--redemption", "a").done().object
    assert (told["redeemed"]["amount"], told["refundable"]["amount"]) == ("30.00", "17.50")
    ran = run("refund", "shop", "--redemption", "a", "--amount", "30.00", "--reference", "c")
    assert ran.code == 1
    assert "17.50 EUR of it are left to give back (AlreadyRefunded)" in ran.err
    rest = run("--json", "refund", "shop", "--redemption", "a", "--reference", "d").done().object
    assert rest["result"]["money"]["amount"] == "17.50"
    assert left(kept) == "50.00"


def test_a_released_reservation_is_not_captured_any_more(run: Any, kept: RunningSimulator) -> None:
    reserved = run("--json", "reserve", "shop", CODE, "30.00", "EUR", "--reference", "a").done().object["result"]
    released = run("--json", "release", "shop", "--reservation", "a", "--reference", "b").done().object["result"]
    assert (released["freed"], released["frees_at"]) == (False, reserved["valid_until"])
    ran = run("capture", "shop", "--reservation", "a", "--reference", "c")
    assert ran.code == 1
    assert "(ReservationReleased)\nNothing moved.\nReserve again, under a new reference.\n" in ran.err
    assert left(kept) == "50.00"


def test_the_vendors_ids_still_do(run: Any, kept: RunningSimulator) -> None:
    id = run("--json", "reserve", "shop", CODE, "30.00", "EUR", "--reference", "a").done().object["result"]["id"]
    run("capture", "shop", "--reservation-id", id, "--amount", "30.00", "--currency", "EUR", "--reference", "b").done()
    assert left(kept) == "20.00"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["capture"], "give either --reservation REFERENCE or --reservation-id ID: neither is there"),
        (["capture", "--reservation", "a", "--reservation-id", "x"], "--reservation-id ID: both are there"),
        (["capture", "--reservation-id", "x"], "--amount is needed beside --reservation-id"),
        (["capture", "--reservation-id", "x", "--amount", "1"], "--currency is needed beside --reservation-id"),
        (
            ["capture", "--reservation", "a", "--currency", "EUR"],
            "leave --currency away: with --reservation the journal",
        ),
        (["capture", "--reservation", "a", "--reserved", "3"], "leave --reserved away"),
        (["release", "--reservation", "a", "--reserved-until", "x"], "leave --reserved-until away"),
        (["release", "--reservation", "a", "--amount", "1"], "given up as a whole: leave --amount away"),
        (["refund"], "give either --redemption REFERENCE or --redemption-id ID: neither is there"),
        (["refund", "--redemption", "a", "--voucher-id", "gift"], "leave --voucher-id away"),
        (["refund", "--redemption", "a"], "the journal has no capture or redeem under the reference 'a'"),
        (["capture", "--reservation", "b"], "the journal has no reserve under the reference 'b'"),
    ],
)
def test_what_is_missing_or_too_much_is_named_and_nothing_is_sent(
    run: Any, kept: RunningSimulator, arguments: list[str], sentence: str
) -> None:
    run("reserve", "shop", CODE, "3.00", "EUR", "--reference", "a").done()
    before = len(kept.requests)
    command, *options = arguments
    ran = run(command, "shop", *options, "--reference", "r")
    assert (ran.code, len(kept.requests)) == (2, before)
    assert sentence in ran.err


def test_an_earlier_operation_in_doubt_is_said_to_be(run: Any, kept: RunningSimulator) -> None:
    kept.inject("commit-then-drop", "POST /v1/reservations/*/charge")
    assert run("redeem", "shop", CODE, "3.00", "EUR", "--reference", "a").code == 4
    ran = run("refund", "shop", "--redemption", "a", "--reference", "b")
    assert ran.code == 2
    assert "the journal has no capture or redeem under the reference 'a' (its redeem is unknown)" in ran.err


def test_a_repeated_command_is_replayed_and_says_so(run: Any, kept: RunningSimulator) -> None:
    command = ["redeem", "shop", CODE, "10.53", "EUR", "--reference", "a"]
    first = run("--json", *command).done().object
    before = len(kept.requests)
    again = run("--json", *command).done().object
    assert (first["replayed"], again["replayed"], again["result"]) == (False, True, first["result"])
    shown = run(*command).done()
    assert shown.out.startswith("shop: redeem had succeeded before; nothing was sent\n")
    assert FORGOTTEN not in shown.err
    assert len(kept.requests) == before
    assert left(kept) == "39.47"


def test_a_reference_for_another_amount_is_a_conflict(run: Any, kept: RunningSimulator) -> None:
    run("redeem", "shop", CODE, "10.53", "EUR", "--reference", "a").done()
    ran = run("redeem", "shop", CODE, "10.54", "EUR", "--reference", "a")
    assert ran.code == 2
    assert "(ReferenceConflict)" in ran.err
    assert "Take a new reference for a new operation" in ran.err
    assert left(kept) == "39.47"


def test_without_a_journal_each_changing_command_remarks_once_that_nothing_is_remembered(run: Any, gift: str) -> None:
    issued = run("issue", "shop", "5.00", "EUR", "--code", "JTL-2", "--activate", "--reference", "b").done()
    assert issued.err.count(FORGOTTEN) == 1
    command = ["redeem", "shop", CODE, "1.00", "EUR", "--reference", "a"]
    assert FORGOTTEN in run(*command).done().err
    assert run("--json", *command).done().err == ""
    assert FORGOTTEN not in run("balance", "shop", CODE).done().err


@pytest.mark.parametrize(
    "arguments",
    [
        ("capture", "--reservation", "a"),
        ("refund", "--redemption", "a"),
        ("reserve", CODE, "1.00", "EUR", "--if-held", "replace"),
    ],
)
def test_without_a_journal_what_needs_one_is_refused_before_anything_is_sent(
    run: Any, shop: RunningSimulator, arguments: tuple[str, ...]
) -> None:
    command, *options = arguments
    ran = run(command, "shop", *options, "--reference", "r")
    assert (ran.code, shop.requests) == (2, [])
    assert "needs a journal in the configuration, which has none" in ran.err


def test_a_reservation_for_another_order_stands_until_it_is_to_be_replaced(run: Any, kept: RunningSimulator) -> None:
    held = ["shop", CODE, "10.00", "EUR"]
    run("reserve", *held, "--reference", "a", "--order", "1001").done()
    refused = run("redeem", *held, "--reference", "b", "--order", "1002")
    assert refused.code == 1
    assert "(VoucherHeld)\nNothing moved.\nCapture or release that reservation first" in refused.err
    assert "If a redemption in doubt holds it, `voucher-gateway recover` comes first." in refused.err
    own = run("reserve", *held, "--reference", "c", "--order", "1001", "--if-held", "refuse")
    assert own.code == 1
    run("redeem", *held, "--reference", "b", "--order", "1002", "--if-held", "replace").done()
    late = run("capture", "shop", "--reservation", "a", "--reference", "a")
    assert late.code == 1
    assert "(ReservationSuperseded)" in late.err
    assert left(kept) == "40.00"


def test_a_call_in_progress_is_3_and_can_be_waited_for(run: Any, kept: RunningSimulator, tmp_path: Path) -> None:
    command = ["--json", "redeem", "shop", CODE, "10.53", "EUR", "--reference", "a"]
    kept.inject("slow", "POST /v1/reservations/*/charge", 1, delay_s=1.0)
    with Gateway.from_config(tmp_path / "voucher-gateway.toml") as gateway, ThreadPoolExecutor(1) as pool:
        working = pool.submit(gateway.redeem, "shop", CODE, Money("10.53", "EUR"), reference="a")
        while not any(one.path == "/v1/reservations" for one in kept.requests):
            time.sleep(0.01)
        busy = run(*command)
        assert (busy.code, busy.error["error"]) == (3, "OperationInProgress")
        looked = run("resolve", "shop", "redeem", "a")
        assert looked.code == 3
        assert "Give the same command again once that is settled; a command that has --wait" in looked.err
        waited = run(*command, "--wait", "10").done().object
        assert (waited["replayed"], waited["result"]["id"]) == (True, working.result().id)
    assert left(kept) == "39.47"


def test_the_help_of_what_is_refundable_promises_nothing_without_a_journal(run: Any) -> None:
    refundable, refund = (" ".join(run(word, "--help").done().out.split()) for word in ("refundable", "refund"))
    assert "without a journal" not in refundable
    assert "the whole by default" not in refundable + refund
