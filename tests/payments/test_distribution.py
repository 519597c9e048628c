"""How much of a refund each leg of a payment gives back."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voucher_gateway.errors import AmountOutOfRange, InvalidRequest
from voucher_gateway.money import Money
from voucher_gateway.payments.rows.distribution import RefundStrategy, distribute

STRATEGIES = tuple(RefundStrategy)
REFUNDABLE = st.dictionaries(
    st.integers(0, 5), st.builds(Money.from_minor, st.one_of(st.integers(0, 9), st.integers(0, 9999)), st.just("EUR"))
)


def euros(amount: str) -> Money:
    return Money(amount, "EUR")


def cents(units: int) -> Money:
    return Money.from_minor(units, "EUR")


def total(amounts: Mapping[int, Money]) -> int:
    return sum(amount.minor for amount in amounts.values())


@given(REFUNDABLE, st.sampled_from(STRATEGIES), st.data())
def test_the_parts_add_up_and_no_leg_gives_back_more_than_it_can(
    refundable: dict[int, Money], strategy: RefundStrategy, data: st.DataObject
) -> None:
    money = cents(data.draw(st.integers(0, total(refundable))))
    parts = distribute(money, refundable, strategy)
    assert total(parts) == money.minor
    assert all(0 < amount.minor <= refundable[leg].minor for leg, amount in parts.items())
    assert parts == distribute(money, dict(reversed(refundable.items())), strategy)


@given(REFUNDABLE, st.lists(st.tuples(st.sampled_from(STRATEGIES), st.integers(0, 100)), max_size=8))
def test_several_refunds_in_a_row_give_back_exactly_everything(
    refundable: dict[int, Money], steps: list[tuple[RefundStrategy, int]]
) -> None:
    left = dict(refundable)
    for strategy, percent in steps:
        for leg, amount in distribute(cents(total(left) * percent // 100), left, strategy).items():
            left[leg] -= amount
    assert all(amount.minor >= 0 for amount in left.values())
    assert distribute(None, left, RefundStrategy.PROPORTIONAL) == {leg: left[leg] for leg in sorted(left) if left[leg]}


@given(REFUNDABLE, st.data())
def test_a_proportional_part_differs_from_the_exact_proportion_by_less_than_a_cent(
    refundable: dict[int, Money], data: st.DataObject
) -> None:
    money = cents(data.draw(st.integers(0, total(refundable))))
    parts = distribute(money, refundable, RefundStrategy.PROPORTIONAL)
    for leg, amount in refundable.items():
        exact = Fraction(money.minor * amount.minor, total(refundable) or 1)
        assert abs(parts.get(leg, cents(0)).minor - exact) < 1


@pytest.mark.parametrize(
    ("strategy", "parts"),
    [
        ("proportional", {0: "4.00", 1: "4.00", 2: "2.00"}),
        ("vouchers-first", {1: "10.00"}),
        ("other-first", {0: "10.00"}),
    ],
)
def test_each_strategy_takes_the_legs_that_it_names(strategy: str, parts: dict[int, str]) -> None:
    refundable = {0: euros("20.00"), 1: euros("20.00"), 2: euros("10.00")}
    expected = {leg: euros(amount) for leg, amount in parts.items()}
    assert distribute(euros("10.00"), refundable, RefundStrategy(strategy)) == expected


@pytest.mark.parametrize(
    ("strategy", "parts"),
    [
        (RefundStrategy.VOUCHERS_FIRST, {0: "5.00", 1: "20.00", 2: "10.00"}),
        (RefundStrategy.OTHER_FIRST, {0: "20.00", 1: "15.00"}),
    ],
)
def test_the_next_legs_give_back_what_the_first_ones_cannot(strategy: RefundStrategy, parts: dict[int, str]) -> None:
    refundable = {2: euros("10.00"), 0: euros("20.00"), 1: euros("20.00")}
    assert distribute(euros("35.00"), refundable, strategy) == {leg: euros(amount) for leg, amount in parts.items()}


def test_of_equal_remainders_the_lower_leg_gives_the_cent() -> None:
    refundable = {3: euros("1.00"), 1: euros("1.00"), 2: euros("1.00")}
    assert distribute(euros("0.02"), refundable, RefundStrategy.PROPORTIONAL) == {1: euros("0.01"), 2: euros("0.01")}


def test_nothing_gives_back_nothing() -> None:
    for strategy in STRATEGIES:
        assert distribute(None, {1: euros("0.00")}, strategy) == {}
        assert distribute(euros("0.00"), {}, strategy) == {}


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_more_than_is_left_is_refused(strategy: RefundStrategy) -> None:
    with pytest.raises(AmountOutOfRange, match=r"3\.01 EUR is more than .* still give back: 3\.00 EUR"):
        distribute(euros("3.01"), {0: euros("1.00"), 1: euros("2.00")}, strategy)


@pytest.mark.parametrize("strategy", [*STRATEGIES, {1: Money("1.00", "USD")}])
def test_another_currency_is_refused(strategy: Any) -> None:
    with pytest.raises(InvalidRequest, match="the payment is in EUR, not in USD"):
        distribute(Money("1.00", "USD"), {1: euros("2.00")}, strategy)


def test_a_mapping_says_what_each_leg_gives_back() -> None:
    refundable = {0: euros("20.00"), 1: euros("20.00"), 2: euros("10.00")}
    shares: Any = {"other": euros("3.00"), 2: euros("10.00"), 1: euros("0.00")}
    expected = {0: euros("3.00"), 2: euros("10.00")}
    assert distribute(euros("13.00"), refundable, shares) == expected
    assert distribute(None, refundable, shares) == expected


@pytest.mark.parametrize(
    ("shares", "message"),
    [
        ({1: euros("2.01")}, r"leg 1 can still give back 2\.00 EUR, not 2\.01 EUR"),
        ({1: euros("-1.00"), "other": euros("4.00")}, r"leg 1 can still give back 2\.00 EUR, not -1\.00 EUR"),
        ({3: euros("2.00")}, "names the leg 3: expected each leg once, of other, 1"),
        ({0: euros("1.00"), "other": euros("1.00")}, "names the leg 0: expected each leg once"),
        ({1: euros("1.00")}, r"must add up to 2\.00 EUR"),
    ],
)
def test_a_mapping_that_does_not_fit_is_refused(shares: Any, message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        distribute(euros("2.00"), {0: euros("5.00"), 1: euros("2.00")}, shares)
