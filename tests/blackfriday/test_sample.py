"""A small Black Friday, whose plan comes from its seed alone, and a checker that finds what is wrong."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import attrs
import pytest

from tests.blackfriday.books import Belief, Reality, find_differences
from tests.blackfriday.places import IssuedVoucher
from tests.blackfriday.plan import PATHS, make_plan
from tests.blackfriday.run import run_day

VOUCHER = IssuedVoucher("shop", "v1", "CODE-1", Decimal("50.00"))
CHARGE: dict[str, Any] = {"key": "p1-other-g1", "status": "captured", "captured": "70.00", "refunded": {}}
BELIEF = Belief(
    order="1",
    mark="p1",
    attempt=1,
    state="captured",
    attention=None,
    total=Decimal("90.00"),
    given_back=Decimal(0),
    legs={("shop", "v1"): Decimal("20.00")},
)


def reality(remaining: str = "30.00", reserved: str = "0.00", **charge: object) -> Reality:
    ledger = [{"account": "shop", "id": "v1", "remaining": remaining, "reserved": reserved}]
    return Reality(vouchers=[VOUCHER], ledger=ledger, charges=[CHARGE | charge])


def differences(real: Reality, **changes: Any) -> list[str]:
    return list(find_differences(real, [attrs.evolve(BELIEF, **changes)]))


def test_a_seed_always_gives_the_same_plan() -> None:
    assert make_plan(3, 50, 4) == make_plan(3, 50, 4)
    assert make_plan(3, 50, 4) != make_plan(4, 50, 4)


def test_a_plan_has_all_that_customers_do() -> None:
    plan = make_plan(1, 2000, 8)
    assert {order.path for order in plan.orders} == set(PATHS)
    kinds = {"fault", "lost-replies", "outage", "repaired", "clock", "card-fault"}
    assert {disturbance.kind for disturbance in plan.disturbances} == kinds
    assert any(order.kill_at is not None for order in plan.orders)
    assert any(order.guesses for order in plan.orders)
    assert any(order.returns for order in plan.orders)


def test_books_that_agree_have_no_differences() -> None:
    assert differences(reality()) == []


@pytest.mark.parametrize(
    ("real", "changes"),
    [
        (reality(remaining="29.99"), {}),
        (reality(remaining="30.01"), {}),
        (reality(reserved="1.00"), {}),
        (reality(captured="70.01"), {}),
        (reality(captured="0.00", status="authorized"), {}),
        (reality(), {"state": "cancelled", "legs": {}}),
        (reality(), {"given_back": Decimal("0.01")}),
        (reality(), {"state": "capturing"}),
        (reality(key="p2-other-g1"), {}),
    ],
    ids=[
        "a cent too much from a voucher",
        "a cent too little from a voucher",
        "a reservation that stays",
        "a cent too much from the card",
        "a card that was never captured",
        "money of a cancelled order",
        "a cent that was not given back",
        "a payment that waits without a reason",
        "money of a payment that nobody knows",
    ],
)
def test_books_that_differ_are_found(real: Reality, changes: dict[str, Any]) -> None:
    assert differences(real, **changes)


def test_an_order_that_is_captured_twice_is_found() -> None:
    second = attrs.evolve(BELIEF, mark="p2", attempt=2, legs={})
    assert any("captured 2 times" in text for text in find_differences(reality(), [BELIEF, second]))


def test_money_of_a_payment_that_waits_is_between_nothing_and_its_total() -> None:
    waiting = {"state": "capturing", "attention": "leg 1 is in doubt"}
    assert differences(reality(), **waiting) == []
    assert differences(reality(remaining="0.00"), **waiting) != []


def test_a_small_black_friday_ends_with_right_books() -> None:
    outcome = run_day(7, orders=24, processes=3)
    assert list(outcome.differences) == []
    assert outcome.states["captured"] > 5
    assert outcome.states["cancelled"] > 2
