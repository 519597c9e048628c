"""A cancellation of a payment that has refunds."""

from __future__ import annotations

import pytest

from tests.payments.captured_payment import euros
from tests.payments.conftest import PayingShop
from voucher_gateway import PaymentState, RefundState


def test_a_cancellation_gives_back_what_refunds_did_not(paying: PayingShop) -> None:
    mixed = paying.mixed(other=paying.card)
    mixed.payment.authorize()
    mixed.payment.capture()
    mixed.payment.refund(euros("12.00"), reference="return-1")
    cancellation = mixed.payment.cancel()
    assert (cancellation.complete, cancellation.returned) == (True, euros("24.00"))
    assert (mixed.left, paying.card.kept) == (("20.00", "10.00"), "0.00")


def test_a_cancellation_completes_the_refunds_that_were_begun(paying: PayingShop) -> None:
    mixed = paying.mixed(other=paying.card)
    mixed.payment.authorize()
    mixed.payment.capture()
    paying.card.arm("refund", TimeoutError("never sent"))
    with pytest.raises(TimeoutError):
        mixed.payment.refund(euros("12.00"), reference="return-1")
    assert mixed.payment.cancel().complete
    assert (mixed.left, paying.card.kept) == (("20.00", "10.00"), "0.00")
    assert mixed.payment.refunds[0].state is RefundState.DONE


def test_a_cancellation_waits_for_a_refund_in_doubt(paying: PayingShop) -> None:
    mixed = paying.mixed(other=paying.card)
    mixed.payment.authorize()
    mixed.payment.capture()
    for _ in range(2):
        paying.card.arm("refund", TimeoutError("lost"), after=True)
    with pytest.raises(TimeoutError):
        mixed.payment.refund(euros("12.00"), reference="return-1")
    assert not mixed.payment.cancel().complete
    assert mixed.payment.state is PaymentState.CANCELLING
    assert mixed.payment.cancel().complete
    assert (mixed.left, paying.card.kept) == (("20.00", "10.00"), "0.00")
