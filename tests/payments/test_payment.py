"""The payment of an order by several vouchers, at simulated vendors over real HTTP."""

from __future__ import annotations

import pytest

from tests.payments.conftest import PayingShop
from voucher_gateway import (
    CurrencyMismatch,
    InsufficientValue,
    InvalidRequest,
    Money,
    PaymentConflict,
    PaymentState,
    VoucherNotFound,
)


def euros(amount: str) -> Money:
    return Money(amount, "EUR")


def test_a_payment_of_two_vouchers_is_authorized_and_captured(either_paying: PayingShop) -> None:
    mixed = either_paying.mixed()
    payment = mixed.payment
    assert payment.due == euros("30.00")
    payment.authorize()
    assert [leg.state.value for leg in payment.legs] == ["held", "checked"]
    assert payment.authorized_until is not None
    assert mixed.left == ("20.00", "10.00")
    payment.capture()
    assert payment.state is PaymentState.CAPTURED
    assert payment.captured == euros("30.00")
    assert mixed.left == ("0.00", "0.00")
    assert either_paying.again().record == payment.record


def test_a_cancelled_payment_gives_everything_back(either_paying: PayingShop) -> None:
    mixed = either_paying.mixed()
    mixed.payment.authorize()
    mixed.payment.capture()
    cancellation = mixed.payment.cancel()
    assert cancellation.complete
    assert cancellation.returned == euros("30.00")
    assert mixed.left == ("20.00", "10.00")
    assert mixed.payment.state is PaymentState.CANCELLED
    assert either_paying.again().cancel() == cancellation
    assert mixed.left == ("20.00", "10.00")


def test_an_authorized_payment_is_cancelled_and_says_when_the_value_is_free(paying: PayingShop) -> None:
    mixed = paying.mixed()
    mixed.payment.authorize()
    until = mixed.payment.authorized_until
    cancellation = mixed.payment.cancel()
    assert cancellation.complete
    assert cancellation.frees_at == until
    assert cancellation.returned == euros("0.00")


def test_a_payment_is_the_same_in_any_process(paying: PayingShop) -> None:
    first = paying.payment()
    again = paying.another_gateway().payment("1001", total=euros("60.00"))
    assert again.id == first.id
    assert len(first.id) == 32
    assert paying.gateway.find_payment("1002") is None


def test_a_voucher_that_is_added_twice_is_one_leg_with_the_last_limit(paying: PayingShop) -> None:
    code = paying.jtl_code("50.00")
    payment = paying.payment()
    payment.add(code, account="shop")
    assert payment.add(code, account="shop", limit=euros("15.00")).amount == euros("15.00")
    assert payment.add(code, account="shop").amount == euros("15.00")
    assert len(payment.legs) == 1
    assert payment.due == euros("45.00")


def test_a_voucher_is_removed_and_the_total_shared_out_again(paying: PayingShop) -> None:
    payment = paying.payment("30.00")
    first = payment.add(paying.jtl_code("20.00"), account="shop")
    second = payment.add(paying.jtl_code("50.00"), account="shop")
    assert (first.amount, second.amount) == (euros("20.00"), euros("10.00"))
    payment.remove(first)
    assert [leg.amount for leg in payment.legs] == [euros("30.00")]
    with pytest.raises(InvalidRequest):
        payment.remove(first)


def test_a_voucher_that_cannot_pay_is_refused_and_is_no_leg(paying: PayingShop) -> None:
    payment = paying.payment()
    with pytest.raises(VoucherNotFound):
        payment.add("JTL-UNKNOWN-0001", account="shop")
    with pytest.raises(VoucherNotFound, match="name an account"):
        payment.add(paying.jtl_code())
    with pytest.raises(CurrencyMismatch):
        payment.add(paying.jtl_code(currency="CHF"), account="shop")
    empty = paying.jtl_code("10.00")
    paying.gateway.redeem("shop", empty, euros("10.00"), reference="before")
    with pytest.raises(InsufficientValue):
        payment.add(empty, account="shop")
    with pytest.raises(InvalidRequest):
        payment.add(paying.jtl_code(), account="shop", limit=Money("1.00", "CHF"))
    assert payment.legs == ()


def test_the_codes_are_sealed_while_they_are_needed_and_erased_then(paying: PayingShop) -> None:
    mixed = paying.mixed()
    store = mixed.payment._store
    sealed = store.seal(mixed.payment.id, 1)
    assert sealed is not None
    assert sealed.code is not None
    assert mixed.jtl_code not in sealed.code
    mixed.payment.authorize()
    mixed.payment.capture()
    erased = store.seal(mixed.payment.id, 1)
    assert erased is not None
    assert erased.code is None


def test_a_changed_cart_replaces_the_payment_of_its_order(paying: PayingShop) -> None:
    mixed = paying.mixed()
    mixed.payment.authorize()
    changed = paying.payment("15.00")
    assert (changed.record.attempt, changed.state, changed.legs) == (2, PaymentState.OPEN, ())
    assert mixed.payment.refresh().state is PaymentState.CANCELLED
    # What the first payment reserved can be spent by the order.
    assert changed.add(mixed.jtl_code, account="shop").amount == euros("15.00")
    changed.authorize()
    changed.capture()
    assert mixed.left == ("5.00", "10.00")
    with pytest.raises(PaymentConflict, match="captured"):
        paying.payment("16.00")


def test_a_cancelled_payment_is_renewed_only_on_request(paying: PayingShop) -> None:
    payment = paying.payment()
    payment.cancel()
    assert paying.payment().id == payment.id
    with pytest.raises(PaymentConflict, match="renew"):
        paying.payment("61.00")
    assert paying.payment("61.00", renew=True).record.attempt == 2
    assert paying.gateway.find_payment("1001", attempt=1) is not None


def test_a_state_that_does_not_allow_a_call_refuses_it(paying: PayingShop) -> None:
    mixed = paying.mixed()
    with pytest.raises(PaymentConflict):
        mixed.payment.capture()
    mixed.payment.authorize()
    with pytest.raises(PaymentConflict):
        mixed.payment.add(paying.jtl_code(), account="shop")
    with pytest.raises(InvalidRequest, match=r"30\.00 EUR is due"):
        mixed.payment.capture(due=euros("29.00"))
    mixed.payment.capture(due=euros("30.00"))
    mixed.payment.cancel()
    with pytest.raises(PaymentConflict):
        mixed.payment.authorize()


def test_payments_are_listed_newest_first(paying: PayingShop) -> None:
    for order in ("1", "2", "3"):
        paying.payment(order=order)
    paying.payment(order="2").cancel()
    assert [record.order for record in paying.gateway.payments()] == ["3", "2", "1"]
    assert [record.order for record in paying.gateway.payments(limit=2)] == ["3", "2"]
    assert [record.order for record in paying.gateway.payments(states=[PaymentState.CANCELLED])] == ["2"]
    assert [record.order for record in paying.gateway.payments(order="1")] == ["1"]
    assert list(paying.gateway.payments(needs_attention=True)) == []


def test_authorize_and_capture_by_a_second_click_change_nothing(paying: PayingShop) -> None:
    mixed = paying.mixed(other=paying.card)
    second = paying.again(other=paying.card)
    mixed.payment.authorize()
    mixed.payment.capture()
    second.authorize()
    second.capture()
    assert second.record == mixed.payment.record
    assert paying.card.calls == ["authorize other-g1", "capture other-g1-capture"]


def test_what_is_due_stays_the_same_after_capture_and_cancellation(paying: PayingShop) -> None:
    mixed = paying.mixed()
    mixed.payment.authorize()
    mixed.payment.capture()
    assert mixed.payment.due == euros("30.00")
    mixed.payment.cancel()
    assert (mixed.payment.due, mixed.payment.attempt) == (euros("30.00"), 1)


@pytest.mark.parametrize("order", ["", " 1001", "1001\x00", "\ud800", "9" * 201])
def test_an_order_number_that_no_call_can_have_opens_no_payment(paying: PayingShop, order: str) -> None:
    with pytest.raises(InvalidRequest, match="order must have 1 to 200 printable characters"):
        paying.payment(order=order)
    with pytest.raises(InvalidRequest):
        paying.gateway.find_payment(order)
