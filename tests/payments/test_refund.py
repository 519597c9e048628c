"""Refunds of a captured payment: how they are shared out, and which are refused."""

from __future__ import annotations

from typing import Any

import pytest

from tests.payments.captured_payment import captured, euros, parts
from tests.payments.conftest import PayingShop
from voucher_gateway import (
    AlreadyRefunded,
    AmountOutOfRange,
    InvalidRequest,
    Money,
    PaymentConflict,
    ReferenceConflict,
    RefundState,
    ReplacementRule,
)
from voucher_gateway.payments.rows.references import payment_reference


def test_a_refund_is_shared_out_in_proportion_and_tells_what_other_means_give_back(either_paying: PayingShop) -> None:
    mixed = either_paying.mixed()
    mixed.payment.authorize()
    mixed.payment.capture()
    refund = mixed.payment.refund(euros("12.00"), reference="return-1")
    assert parts(refund) == {0: ("6.00", "told"), 1: ("4.00", "refunded"), 2: ("2.00", "refunded")}
    assert (refund.other, refund.vouchers, refund.not_possible) == (euros("6.00"), euros("6.00"), euros("0.00"))
    assert (refund.state, refund.reference, refund.amount) == (RefundState.DONE, "return-1", euros("12.00"))
    assert mixed.left == ("4.00", "2.00")
    assert mixed.payment.refundable == euros("48.00")
    assert either_paying.again().refunds == mixed.payment.refunds == (refund,)


def test_the_same_refund_again_gives_nothing_back_twice(paying: PayingShop) -> None:
    mixed = paying.mixed()
    mixed.payment.authorize()
    mixed.payment.capture()
    refund = mixed.payment.refund(euros("12.00"), reference="return-1")
    assert paying.again().refund(euros("12.00"), reference="return-1") == refund
    assert mixed.left == ("4.00", "2.00")
    others: list[dict[str, Any]] = [
        {"money": euros("12.01")},
        {"money": None},
        {"strategy": "other-first"},
        {"replace": ReplacementRule(account="shop")},
    ]
    for other in others:
        with pytest.raises(ReferenceConflict, match="another refund"):
            mixed.payment.refund(**{"money": euros("12.00"), "reference": "return-1", **other})
    assert mixed.payment.refunds == (refund,)


def test_all_that_is_left_is_given_back(paying: PayingShop) -> None:
    mixed = paying.mixed()
    mixed.payment.authorize()
    mixed.payment.capture()
    mixed.payment.refund(euros("7.00"), reference="return-1", strategy="vouchers-first")
    mixed.payment.refund(euros("10.00"), reference="return-2", strategy={"other": euros("8.00"), 2: euros("2.00")})
    refund = mixed.payment.refund(reference="return-3")
    assert parts(refund) == {0: ("22.00", "told"), 1: ("13.00", "refunded"), 2: ("8.00", "refunded")}
    assert mixed.left == ("20.00", "10.00")
    assert mixed.payment.refundable == euros("0.00")
    with pytest.raises(AlreadyRefunded):
        mixed.payment.refund(reference="return-4")


def test_a_refund_that_does_not_fit_is_refused_before_anything_is_recorded(paying: PayingShop) -> None:
    payment = captured(paying)
    before = paying.jtl.request_lines
    with pytest.raises(AmountOutOfRange):
        payment.refund(euros("60.01"), reference="return-1")
    with pytest.raises(AmountOutOfRange):
        payment.refund(reference="return-1", strategy={1: euros("20.01")})
    with pytest.raises(AmountOutOfRange):
        payment.refund(euros("0.00"), reference="return-1")
    with pytest.raises(InvalidRequest):
        payment.refund(Money("1.00", "CHF"), reference="return-1")
    with pytest.raises(InvalidRequest, match="proportional, vouchers-first, other-first"):
        payment.refund(euros("1.00"), reference="return-1", strategy="fair")  # type: ignore[arg-type]  # a mistake
    with pytest.raises(InvalidRequest):
        payment.refund(euros("1.00"), reference="")
    assert payment.refunds == ()
    assert paying.jtl.request_lines == before


def test_only_a_captured_payment_is_refunded(paying: PayingShop) -> None:
    mixed = paying.mixed()
    for _ in ("open", "authorized"):
        with pytest.raises(PaymentConflict, match="only a captured payment"):
            mixed.payment.refund(euros("1.00"), reference="return-1")
        assert mixed.payment.refundable == euros("0.00")
        mixed.payment.authorize()
    mixed.payment.capture()
    mixed.payment.cancel()
    with pytest.raises(PaymentConflict, match="cancelled"):
        mixed.payment.refund(euros("1.00"), reference="return-1")


def test_a_refund_of_the_gateway_itself_counts(paying: PayingShop) -> None:
    payment = captured(paying)
    redemption = paying.gateway.redemption("shop", payment_reference(payment.id, 1, 1))
    paying.gateway.refund("shop", redemption, euros("15.00"), reference="by-hand")
    assert payment.refundable == euros("45.00")
    assert parts(payment.refund(reference="return-1"))[1] == ("5.00", "refunded")
