"""Refunds at a vendor that fails or whose answer is lost."""

from __future__ import annotations

import pytest

from tests.payments.captured_payment import euros, parts
from tests.payments.conftest import PayingShop
from voucher_gateway import OutcomeUnknown, RateLimited, RefundState

REFUND = "POST /v1/charges/*/refund"


def test_a_vendor_that_cannot_be_reached_leaves_the_refund_open(paying: PayingShop) -> None:
    mixed = paying.mixed()
    mixed.payment.authorize()
    mixed.payment.capture()
    paying.jtl.inject("rate-limit", REFUND, retry_after_s=0)
    with pytest.raises(RateLimited):
        mixed.payment.refund(euros("12.00"), reference="return-1")
    assert mixed.left == ("0.00", "2.00")
    assert mixed.payment.attention is not None
    paying.gateway.recover(everything=True)
    mixed.payment.refresh()
    assert mixed.payment.refunds[0].state is RefundState.DONE
    assert mixed.left == ("4.00", "2.00")
    assert mixed.payment.attention is None


def test_a_lost_answer_is_never_given_back_twice(either_paying: PayingShop) -> None:
    mixed = either_paying.mixed()
    mixed.payment.authorize()
    mixed.payment.capture()
    either_paying.jtl.inject("commit-then-reset", REFUND)
    with pytest.raises(OutcomeUnknown):
        mixed.payment.refund(euros("12.00"), reference="return-1")
    assert mixed.payment.refundable == euros("48.00")
    refund = mixed.payment.refund(euros("12.00"), reference="return-1")
    assert parts(refund)[1] == ("4.00", "refunded")
    assert mixed.left == ("4.00", "2.00")
    assert mixed.payment.attention is None


def test_a_refund_in_doubt_does_not_stop_another_one(paying: PayingShop) -> None:
    mixed = paying.mixed()
    mixed.payment.authorize()
    mixed.payment.capture()
    paying.jtl.inject("commit-then-reset", REFUND)
    with pytest.raises(OutcomeUnknown):
        mixed.payment.refund(euros("4.00"), reference="return-1", strategy={1: euros("4.00")})
    refund = mixed.payment.refund(euros("40.00"), reference="return-2", strategy={2: euros("10.00"), 0: euros("30.00")})
    assert refund.state is RefundState.DONE
    assert mixed.payment.attention is not None
    mixed.payment.refund(euros("4.00"), reference="return-1", strategy={1: euros("4.00")})
    assert mixed.payment.refresh().attention is None
    assert (mixed.payment.refundable, mixed.left) == (euros("16.00"), ("4.00", "10.00"))
