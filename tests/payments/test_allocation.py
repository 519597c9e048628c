"""How much of a total each voucher pays."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voucher_gateway.money import Money
from voucher_gateway.payments.allocation import AllocationOrder, Offer, allocate
from voucher_gateway.rules.amounts import AmountKind, AmountRules

ORDERS = tuple(AllocationOrder)


def euros(amount: str) -> Money:
    return Money(amount, "EUR")


def in_year(year: int) -> datetime:
    return datetime(year, 1, 1, tzinfo=UTC)


def offer(amount: str, year: int | None = None, **fields: object) -> Offer:
    until = None if year is None else in_year(year)
    return Offer(remaining=euros(amount), valid_until=until, **fields)  # type: ignore[arg-type]  # as a test likes it


# Few different values, so that sums meet totals and vouchers tie.
CENTS = st.one_of(st.integers(0, 12), st.integers(0, 5000))
CURRENCIES = st.sampled_from(["EUR", "EUR", "EUR", "USD"])
VALIDITIES = st.none() | st.integers(2027, 2030).map(in_year)
MONEY = st.builds(Money.from_minor, CENTS, st.just("EUR"))
PLAIN_OFFERS = st.builds(
    Offer,
    remaining=st.builds(Money.from_minor, CENTS, CURRENCIES),
    limit=st.none() | MONEY,
    valid_until=VALIDITIES,
    holdable=st.booleans(),
)
RULES = st.builds(
    AmountRules,
    decimals=st.sampled_from([None, 0, 1, 2]),
    movement_minimum=st.sampled_from([Decimal(0), Decimal("0.05"), Decimal(1)]),
    movement_maximum=st.sampled_from([None, Decimal("0.07"), Decimal(3)]),
)
OFFERS_WITH_RULES = st.builds(
    Offer, remaining=MONEY, limit=st.none() | MONEY, valid_until=VALIDITIES, holdable=st.booleans(), amounts=RULES
)


def paid(amounts: Sequence[Money]) -> int:
    return sum(amount.minor for amount in amounts)


def bound(offer: Offer) -> int:
    if offer.remaining.currency != "EUR":
        return 0
    return min(offer.remaining.minor, offer.remaining.minor if offer.limit is None else offer.limit.minor)


@given(MONEY, st.lists(PLAIN_OFFERS, max_size=6), st.sampled_from(ORDERS))
def test_vouchers_pay_all_they_can_and_the_total_at_most(
    total: Money, offers: list[Offer], order: AllocationOrder
) -> None:
    amounts = allocate(total, offers, order)
    assert len(amounts) == len(offers)
    assert {amount.currency for amount in amounts} <= {"EUR"}
    assert all(0 <= amount.minor <= bound(offer) for amount, offer in zip(amounts, offers, strict=True))
    assert paid(amounts) == min(total.minor, sum(map(bound, offers)))
    assert amounts == allocate(total, offers, order)


@given(MONEY, st.lists(OFFERS_WITH_RULES, max_size=6), st.sampled_from(ORDERS))
def test_every_amount_is_one_that_the_vendor_can_move(
    total: Money, offers: list[Offer], order: AllocationOrder
) -> None:
    amounts = allocate(total, offers, order)
    assert paid(amounts) <= total.minor
    due = Money.from_minor(total.minor - paid(amounts), "EUR")
    for amount, offer in zip(amounts, offers, strict=True):
        assert amount.minor <= bound(offer)
        if amount:
            offer.amounts.check(amount, AmountKind.MOVEMENT)
        else:
            assert not offer.payable(due), "a voucher that could pay was left out"


@given(MONEY, st.lists(PLAIN_OFFERS, max_size=6))
def test_no_choice_of_vouchers_is_smaller_than_the_fewest(total: Money, offers: list[Offer]) -> None:
    amounts = allocate(total, offers, AllocationOrder.FEWEST_VOUCHERS)
    used = sum(map(bool, amounts))
    smaller = (choice for size in range(used) for choice in itertools.combinations(offers, size))
    assert all(sum(map(bound, choice)) < paid(amounts) for choice in smaller)


@given(MONEY, st.lists(PLAIN_OFFERS, max_size=6))
def test_of_two_vouchers_the_later_one_pays_only_when_the_earlier_one_is_used_up(
    total: Money, offers: list[Offer]
) -> None:
    amounts = allocate(total, offers)
    latest = max(
        (offer.valid_until or in_year(9999) for offer, amount in zip(offers, amounts, strict=True) if amount),
        default=in_year(1),
    )
    for offer, amount in zip(offers, amounts, strict=True):
        assert amount.minor == bound(offer) or (offer.valid_until or in_year(9999)) >= latest


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("soonest-expiry-first", ["0.00", "20.00", "15.00", "5.00"]),
        ("as-entered", ["30.00", "10.00", "0.00", "0.00"]),
        ("largest-first", ["0.00", "0.00", "0.00", "40.00"]),
        ("fewest-vouchers", ["0.00", "0.00", "0.00", "40.00"]),
    ],
)
def test_each_order_takes_the_vouchers_that_it_names(order: str, expected: list[str]) -> None:
    offers = [offer("30.00"), offer("20.00", 2027), offer("15.00", 2028), offer("50.00", 2029)]
    assert allocate(euros("40.00"), offers, AllocationOrder(order)) == [euros(amount) for amount in expected]


def test_among_as_few_vouchers_those_are_used_that_expire_first() -> None:
    offers = [offer("50.00", 2029), offer("30.00", 2027), offer("25.00", 2028), offer("1.00", 2026)]
    amounts = allocate(euros("55.00"), offers, AllocationOrder.FEWEST_VOUCHERS)
    assert amounts == [euros(amount) for amount in ("0.00", "30.00", "25.00", "0.00")]


def test_of_two_equal_vouchers_the_one_that_can_be_held_pays_first() -> None:
    offers = [offer("30.00", 2027, holdable=False), offer("30.00", 2027)]
    assert allocate(euros("30.00"), offers) == [euros("0.00"), euros("30.00")]


def test_an_amount_that_the_vendor_cannot_move_is_rounded_down_and_the_next_voucher_pays_the_rest() -> None:
    whole = AmountRules(decimals=0)
    offers = [offer("20.00", 2027, amounts=whole), offer("5.00", 2028)]
    assert allocate(euros("10.53"), offers) == [euros("10.00"), euros("0.53")]
    assert allocate(euros("10.53"), offers[:1]) == [euros("10.00")]


def test_a_voucher_of_which_too_little_is_needed_pays_nothing() -> None:
    offers = [offer("20.00", amounts=AmountRules(movement_minimum=Decimal(1)))]
    assert allocate(euros("0.53"), offers) == [euros("0.00")]


def test_a_limit_binds_and_the_others_pay_the_rest() -> None:
    offers = [offer("20.00", 2027, limit=euros("10.00")), offer("20.00", 2028)]
    assert allocate(euros("15.00"), offers) == [euros("10.00"), euros("5.00")]


def test_an_amount_with_more_digits_than_the_callers_precision_is_exact() -> None:
    large = Money("999999999999999.99", "EUR")
    assert allocate(large, [Offer(remaining=large, amounts=AmountRules(decimals=1))]) == [
        Money("999999999999999.90", "EUR")
    ]
