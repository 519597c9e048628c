"""What the errors of a payment say to a developer of a shop, and its attention to a person, read aloud."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from tests.payments.conftest import PayingShop
from voucher_gateway import Declined, Money, PaymentConflict, PaymentDeclined, PaymentShort, VoucherGatewayError


def euros(amount: str) -> Money:
    return Money(amount, "EUR")


def spend(shop: PayingShop, code: str, amount: str) -> None:
    with shop.another_shop() as gateway:
        gateway.redeem("events", code, euros(amount), reference="elsewhere")


def said(kind: type[VoucherGatewayError], call: Callable[[], object]) -> str:
    """Return the message of an error, with the masked code as it is masked for everybody."""
    with pytest.raises(kind) as caught:
        call()
    return re.sub("••••[A-Z0-9]{4}", "••••", caught.value.message)


def test_a_voucher_that_cannot_be_used(paying: PayingShop) -> None:
    mixed = paying.mixed()
    spend(paying, mixed.ticketing_code, "7.00")
    assert said(PaymentDeclined, mixed.payment.authorize) == (
        "leg 2 (events ••••) cannot be used: the voucher has 3.00 EUR left, not 10.00 EUR"
    )


def test_a_vendor_that_cannot_be_reached(paying: PayingShop) -> None:
    mixed = paying.mixed()
    paying.ticketing.inject("rate-limit", "GET *", times=None, retry_after_s=0)
    assert said(PaymentDeclined, mixed.payment.authorize).startswith("leg 2 (events ••••) cannot be used now: ")


def test_a_card_that_does_not_authorize(paying: PayingShop) -> None:
    paying.card.arm("authorize", Declined("no credit"))
    assert said(PaymentDeclined, paying.mixed(other=paying.card).payment.authorize) == (
        "the other means does not authorize 30.00 EUR: no credit"
    )


def test_a_voucher_that_is_lost_after_the_decision(paying: PayingShop) -> None:
    mixed = paying.mixed()
    mixed.payment.authorize()
    spend(paying, mixed.ticketing_code, "7.00")
    advice = (
        "10.00 EUR is missing: call capture(due=...) once other means pay the 40.00 EUR that is due now, or cancel()"
    )
    message = said(PaymentShort, mixed.payment.capture)
    assert message.startswith("leg 2 (events ••••) cannot be taken any more: ")
    assert message.endswith(f"; {advice}")
    assert said(PaymentShort, mixed.payment.capture) == advice
    assert mixed.ticketing_code not in message
    assert (mixed.payment.attention or "").endswith(
        " cannot be taken any more; 10.00 EUR is missing: ask the customer to pay it by other means, or cancel"
    )


def test_a_card_that_is_refused_after_the_decision(paying: PayingShop) -> None:
    payment = paying.mixed(other=paying.card).payment
    payment.authorize()
    paying.card.arm("capture", Declined("stolen"))
    assert said(PaymentShort, payment.capture) == (
        "the other means refuses to pay: stolen; 30.00 EUR is missing: call capture(due=...) once other means pay the"
        " 30.00 EUR that is due now, or cancel()"
    )


def test_calls_that_the_state_does_not_allow(paying: PayingShop) -> None:
    mixed = paying.mixed()
    assert said(PaymentConflict, mixed.payment.capture) == "the payment is open: call authorize() first"
    mixed.payment.authorize()
    assert said(PaymentConflict, lambda: mixed.payment.remove(1)) == (
        "the payment is authorized, so its vouchers cannot be changed: call reopen() first"
    )
    mixed.payment.capture()
    assert said(PaymentConflict, mixed.payment.reopen) == (
        "the payment is captured: its vouchers cannot be changed any more"
    )
    assert said(PaymentConflict, lambda: paying.payment("61.00")) == (
        "the order has a payment of 60.00 EUR that is captured, and 61.00 EUR was asked for: cancel it first"
    )
    mixed.payment.cancel()
    assert said(PaymentConflict, mixed.payment.capture) == "the payment is cancelled: it cannot be captured"
    assert said(PaymentConflict, mixed.payment.authorize) == "the payment is cancelled: it cannot be authorized"
    assert said(PaymentConflict, lambda: mixed.payment.refund(reference="r")) == (
        "the payment is cancelled: only a captured payment can be refunded"
    )
    assert said(PaymentConflict, lambda: paying.payment("61.00")) == (
        "the order has a payment of 60.00 EUR that is cancelled, and 61.00 EUR was asked for:"
        " pass renew=True to open another"
    )
