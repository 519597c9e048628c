"""Redeeming, refunding and topping up by overwriting a value: exact, checked before, and proved after."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voucher_gateway import (
    AmountOutOfRange,
    CurrencyMismatch,
    Gateway,
    InsufficientValue,
    InvalidRequest,
    Money,
    Redemption,
    VoucherExpired,
    VoucherNotFound,
    WrongPin,
)

if TYPE_CHECKING:
    from tests.emulation.conftest import Slate, Till

GatewayTo = Callable[..., Gateway]
CODE = "V-0001"


def euros(amount: str) -> Money:
    return Money(amount, "EUR")


def redemption(amount: str) -> Redemption:
    return Redemption(account="shop", id="r", voucher_id="v", money=euros(amount))


def every_call(gateway: Gateway, money: Money) -> list[Callable[[], object]]:
    return [
        lambda: gateway.redeem("shop", CODE, money, reference="r-1"),
        lambda: gateway.refund("shop", redemption("10"), money, reference="r-1"),
        lambda: gateway.top_up("shop", "v", money, reference="r-1"),
        lambda: gateway.reserve("shop", CODE, money, reference="r-1"),
    ]


@pytest.fixture
def gateway(slate: Slate, gateway_to: GatewayTo) -> Gateway:
    return gateway_to(slate)


def test_redeeming_takes_exactly_the_amount(slate: Slate, gateway: Gateway) -> None:
    taken = gateway.redeem("shop", CODE, euros("10.53"), reference="r-1", order="1001")
    assert (taken.account, taken.voucher_id, taken.money, taken.remaining) == (
        "shop",
        "v",
        euros("10.53"),
        euros("39.47"),
    )
    assert (taken.reference, taken.order) == ("r-1", "1001")
    entry = slate.books.of(id="v")
    assert (entry.value, entry.remaining) == (euros("39.47"), euros("39.47"))
    assert slate.books.log == [("redeem", "r-1")]


def test_refunding_gives_back_exactly_the_amount(slate: Slate, gateway: Gateway) -> None:
    taken = gateway.redeem("shop", CODE, euros("10.53"), reference="r-1")
    back = gateway.refund("shop", taken, euros("0.54"), reference="b-1", order="1001")
    assert (back.redemption_id, back.voucher_id, back.money, back.remaining, back.order) == (
        taken.id,
        "v",
        euros("0.54"),
        euros("40.01"),
        "1001",
    )
    assert gateway.refund("shop", redemption("9.99"), reference="b-2").money == euros("9.99")
    assert slate.books.of(id="v").remaining == euros("50.00")


def test_topping_up_adds_exactly_the_amount(slate: Slate, gateway: Gateway) -> None:
    added = gateway.top_up("shop", "v", euros("0.01"), reference="t-1", order="1001")
    assert (added.voucher_id, added.money, added.remaining, added.order) == ("v", euros("0.01"), euros("50.01"), "1001")
    assert slate.books.of(id="v").value == euros("50.01")


def test_a_value_that_was_spent_elsewhere_too_keeps_that(slate: Slate, gateway: Gateway) -> None:
    # 20 went in a ticket checkout: the vendor has value 50 and remaining 30.
    slate.books.of(id="v").remaining = euros("30.00")
    assert gateway.redeem("shop", CODE, euros("30.00"), reference="r-1").remaining == euros("0.00")
    entry = slate.books.of(id="v")
    assert (entry.value, entry.remaining) == (euros("20.00"), euros("0.00"))


def test_all_that_is_left_can_be_taken_and_not_a_cent_more(slate: Slate, gateway: Gateway) -> None:
    with pytest.raises(InsufficientValue) as caught:
        gateway.redeem("shop", CODE, euros("50.01"), reference="r-1")
    assert (caught.value.account, caught.value.operation, caught.value.outcome) == ("shop", "redeem", "declined")
    assert slate.books.log == []
    assert gateway.redeem("shop", CODE, euros("50.00"), reference="r-1").remaining == euros("0.00")


def test_a_value_below_what_remains_is_never_written_below_zero(slate: Slate, gateway: Gateway) -> None:
    slate.books.of(id="v").value = euros("10.00")  # the vendor contradicts itself
    with pytest.raises(InsufficientValue):
        gateway.redeem("shop", CODE, euros("10.01"), reference="r-1")
    assert slate.books.log == []


def test_an_expired_voucher_is_not_spent(slate: Slate, gateway: Gateway, yesterday: datetime) -> None:
    slate.books.of(id="v").valid_until = yesterday
    with pytest.raises(VoucherExpired):
        gateway.redeem("shop", CODE, euros("1"), reference="r-1")
    assert slate.books.log == []


def test_an_expired_voucher_gets_its_money_back_all_the_same(
    slate: Slate, gateway: Gateway, yesterday: datetime
) -> None:
    slate.books.of(id="v").valid_until = yesterday
    gateway.refund("shop", redemption("10"), reference="b-1")
    assert slate.books.of(id="v").remaining == euros("60.00")


@pytest.mark.parametrize("verb", ["redeem", "refund", "top_up"])
def test_another_currency_is_refused(slate: Slate, gateway: Gateway, verb: str) -> None:
    dollars = Money("10", "USD")
    calls: dict[str, Callable[[], object]] = {
        "redeem": lambda: gateway.redeem("shop", CODE, dollars, reference="r-1"),
        "refund": lambda: gateway.refund(
            "shop", Redemption(account="shop", id="r", voucher_id="v", money=dollars), reference="r-1"
        ),
        "top_up": lambda: gateway.top_up("shop", "v", dollars, reference="r-1"),
    }
    with pytest.raises(CurrencyMismatch, match="in EUR, not in USD"):
        calls[verb]()
    assert slate.books.log == []


def test_a_refund_of_more_than_was_redeemed_is_refused(slate: Slate, gateway: Gateway) -> None:
    with pytest.raises(InvalidRequest) as caught:
        gateway.refund("shop", redemption("10"), euros("10.01"), reference="b-1")
    assert caught.value.field == "money"
    assert slate.books.log == []


def test_a_refund_of_a_redemption_that_names_no_voucher_is_refused(slate: Slate, gateway: Gateway) -> None:
    taken = Redemption(account="shop", id="r", money=euros("10"))
    with pytest.raises(InvalidRequest) as caught:
        gateway.refund("shop", taken, reference="b-1")
    assert caught.value.field == "redemption"
    assert slate.books.log == []


@pytest.mark.parametrize("amount", ["0", "-10"])
def test_nothing_and_less_than_nothing_are_refused_whatever_the_vendor_would_do(
    slate: Slate, till: Till, gateway_to: GatewayTo, amount: str
) -> None:
    for provider in (slate, till):
        for call in every_call(gateway_to(provider), euros(amount)):
            with pytest.raises(AmountOutOfRange, match="above zero"):
                call()
        assert provider.books.log == []


def test_a_top_up_beyond_what_can_be_written_changes_nothing(slate: Slate, gateway: Gateway) -> None:
    with pytest.raises(AmountOutOfRange):
        gateway.top_up("shop", "v", euros("9" * 18), reference="t-1")
    assert slate.books.log == []


def test_an_unknown_voucher_is_not_found(slate: Slate, gateway: Gateway) -> None:
    with pytest.raises(VoucherNotFound):
        gateway.redeem("shop", "NONE-0001", euros("1"), reference="r-1")
    with pytest.raises(VoucherNotFound):
        gateway.top_up("shop", "none", euros("1"), reference="t-1")


def test_a_wrong_pin_is_refused_where_the_vendor_can_tell(slate: Slate, gateway: Gateway) -> None:
    slate.books.of(id="v").pin = "0815"
    with pytest.raises(WrongPin):
        gateway.redeem("shop", CODE, euros("1"), "4711", reference="r-1")
    assert slate.books.log == []
    gateway.redeem("shop", CODE, euros("1"), "0815", reference="r-1")
    assert slate.books.log == [("redeem", "r-1")]


def test_a_currency_without_decimals_and_one_with_three_are_exact_too(slate: Slate, gateway: Gateway) -> None:
    slate.books.add("500", "JPY", id="yen")
    slate.books.add("1.005", "KWD", id="dinar")
    assert gateway.redeem("shop", "YEN-0001", Money("1", "JPY"), reference="r-1").remaining == Money("499", "JPY")
    assert gateway.redeem("shop", "DINAR-0001", Money("0.001", "KWD"), reference="r-2").remaining == Money(
        "1.004", "KWD"
    )


amounts = st.integers(1, 40_00).map(lambda units: Money.from_minor(units, "EUR"))
steps = st.lists(st.tuples(st.sampled_from(["redeem", "refund", "top_up", "checkout"]), amounts), max_size=15)


@given(steps=steps)
def test_no_cent_is_lost_or_made(slates: type[Slate], gateway_to: GatewayTo, steps: list[tuple[str, Money]]) -> None:
    slate = slates()
    entry = slate.books.add("50.00")
    gateway = gateway_to(slate)
    due, taken = euros("50"), []
    for number, (verb, amount) in enumerate(steps):
        reference = f"{verb}-{number}"
        try:
            if verb == "redeem":
                taken.append(gateway.redeem("shop", CODE, amount, reference=reference))
                due -= amount
            elif verb == "refund" and taken:
                due += gateway.refund("shop", taken.pop(), reference=reference).money
            elif verb == "top_up":
                due += gateway.top_up("shop", "v", amount, reference=reference).money
            elif verb == "checkout" and amount <= entry.remaining:
                entry.remaining -= amount
                due -= amount
        except InsufficientValue:
            assert verb == "redeem"
            assert amount > due
        assert entry.remaining == due
