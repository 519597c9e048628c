"""Balances follow from activities, and survive a restart with them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from attrs import frozen

from voucher_gateway.simulator import Activity, ActivityLedger, ActivityState, write_json

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@frozen
class Card:
    id: str = "card"
    code: str = "CODE"


def _activity(number: int, kind: str, amount: int, **fields: Any) -> Activity:
    fields = {"at": NOON + timedelta(minutes=number), **fields}
    return Activity(id=f"a{number}", voucher_id="card", kind=kind, amount=amount, **fields)


@pytest.fixture
def ledger() -> ActivityLedger:
    return ActivityLedger([_activity(0, "ACTIVATE", 5000), _activity(1, "REDEEM", -1053, reference="order-1")])


def test_the_balance_is_the_sum_of_what_is_completed(ledger: ActivityLedger) -> None:
    ledger.add(_activity(2, "LOAD", 700))
    ledger.add(_activity(3, "REDEEM", -100, state="pending"))
    ledger.add(_activity(4, "LOAD", 900, state="pending"))
    ledger.add(_activity(5, "REDEEM", -900, state="cancelled"))
    ledger.add(_activity(6, "BLOCK", 0))
    assert (ledger.balance("card"), ledger.held("card")) == (4647, 100)
    assert (ledger.balance("other"), ledger.held("other"), ledger.of("other")) == (0, 0, [])


@pytest.mark.parametrize(("state", "balance"), [("completed", 3847), ("cancelled", 3947)])
def test_a_pending_activity_is_settled_once(ledger: ActivityLedger, state: ActivityState, balance: int) -> None:
    ledger.add(_activity(2, "REDEEM", -100, state="pending"))
    assert ledger.settle("a2", state).state == state
    assert (ledger.balance("card"), ledger.held("card")) == (balance, 0)
    with pytest.raises(ValueError, match="not pending"):
        ledger.settle("a2", "completed")
    with pytest.raises(LookupError):
        ledger.settle("a9", "completed")


def test_activities_come_in_order_of_time_whenever_they_were_booked(ledger: ActivityLedger) -> None:
    ledger.add(_activity(2, "LOAD", 1, at=NOON - timedelta(days=900)))
    assert [activity.id for activity in ledger.of("card")] == ["a2", "a0", "a1"]
    assert [activity.id for activity in ledger] == ["a0", "a1", "a2"]
    assert ledger.get("a2") in ledger.of("card")


def test_an_id_is_booked_once(ledger: ActivityLedger) -> None:
    with pytest.raises(ValueError, match="booked already"):
        ledger.add(_activity(1, "LOAD", 1))
    assert len(ledger) == 2


def test_the_state_file_keeps_every_activity(ledger: ActivityLedger) -> None:
    ledger.add(_activity(2, "REFUND", 53, linked_id="a1", details={"reason": ["x", 1, None]}))
    loaded = ActivityLedger([_activity(9, "LOAD", 1)])
    loaded.load(json.loads(write_json(ledger.dump())))
    assert list(loaded) == list(ledger)
    assert loaded.left_of("a1") == ledger.left_of("a1") == 1000


def test_the_view_tells_value_holds_and_movements(ledger: ActivityLedger) -> None:
    ledger.add(_activity(2, "REDEEM", -5, state="pending"))
    view = ledger.ledger_voucher(Card(), currency="KWD", status="ACTIVE", valid_until=NOON, pin="1234").to_json()
    assert view == {
        "id": "card",
        "code": "CODE",
        "pin": "1234",
        "currency": "KWD",
        "initial": "5.000",
        "remaining": "3.947",
        "reserved": "0.005",
        "status": "ACTIVE",
        "valid_until": "2026-03-01T12:00:00+00:00",
        "movements": [
            {"id": f"a{number}", "kind": kind, "amount": amount, "reference": reference, "at": at, "state": state}
            for number, (kind, amount, reference, at, state) in enumerate(
                [
                    ("ACTIVATE", "5.000", None, "2026-03-01T12:00:00+00:00", "completed"),
                    ("REDEEM", "1.053", "order-1", "2026-03-01T12:01:00+00:00", "completed"),
                    ("REDEEM", "0.005", None, "2026-03-01T12:02:00+00:00", "pending"),
                ]
            )
        ],
    }


def test_pretix_shows_its_movements_signed_and_no_opening_one() -> None:
    ledger = ActivityLedger([_activity(0, "issue", 5000), _activity(1, "transaction", -1053)])
    shown = ledger.ledger_voucher(
        Card(), currency="EUR", status="active", shows=lambda activity: activity.kind != "issue"
    )
    assert (shown.initial, shown.remaining) == ("50.00", "39.47")
    assert [movement.amount for movement in shown.movements] == ["10.53"]
    ledger.add(_activity(2, "transaction", 2000))  # no vendor's rule stops a refund beyond the redemption
    assert ledger.balance("card") == 5947


def test_square_bounds_the_refunds_of_a_redemption_and_counts_what_a_till_completed() -> None:
    ledger = ActivityLedger([_activity(0, "ACTIVATE", 5000), _activity(1, "REDEEM", -1053)])

    def refund(number: int, amount: int) -> str:
        if amount > ledger.left_of("a1"):
            return "REFUND_AMOUNT_INVALID"
        ledger.add(_activity(number, "REFUND", amount, linked_id="a1"))
        return "COMPLETED"

    assert [refund(2, 1000), refund(3, 54), refund(4, 53), refund(5, 1)] == [
        "COMPLETED",
        "REFUND_AMOUNT_INVALID",
        "COMPLETED",
        "REFUND_AMOUNT_INVALID",
    ]
    ledger.add(_activity(6, "REDEEM", -400, state="pending"))
    assert (ledger.balance("card"), ledger.held("card")) == (5000, 400)
    ledger.settle("a6", "completed")
    assert (ledger.balance("card"), ledger.held("card")) == (4600, 0)
