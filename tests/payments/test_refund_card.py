"""Refunds of a payment with a card inside."""

from __future__ import annotations

import pytest

from tests.payments.captured_payment import captured, euros, parts
from tests.payments.conftest import PayingShop
from voucher_gateway import ConfigurationError, Declined, RateLimited, RefundState

REFUND = "POST /v1/charges/*/refund"


def test_the_card_inside_gives_its_part_back(paying: PayingShop) -> None:
    payment = captured(paying, other=paying.card)
    refund = payment.refund(euros("12.00"), reference="return-1")
    assert parts(refund)[0] == ("6.00", "refunded")
    assert refund.other == euros("6.00")
    assert paying.card.kept == "24.00"
    assert "other-g1-refund-" in paying.card.calls[-1]


def test_a_lost_answer_of_the_card_leaves_the_refund_open_until_the_same_key_comes_again(paying: PayingShop) -> None:
    payment = captured(paying, other=paying.card)
    paying.card.arm("refund", TimeoutError("lost"), after=True)
    with pytest.raises(TimeoutError):
        payment.refund(euros("12.00"), reference="return-1")
    assert payment.attention is not None
    assert parts(payment.refunds[0]) == {0: ("6.00", "planned"), 1: ("4.00", "refunded"), 2: ("2.00", "refunded")}
    assert payment.refundable == euros("48.00")
    payment.resume()
    assert payment.refresh().attention is None
    assert payment.refunds[0].state is RefundState.DONE
    assert paying.card.kept == "24.00"
    assert len({call for call in paying.card.calls if "refund" in call}) == 1


def test_a_card_that_refuses_is_told_and_can_be_refunded_in_another_way(paying: PayingShop) -> None:
    payment = captured(paying, other=paying.card)
    paying.card.arm("refund", Declined("the card is closed"))
    refund = payment.refund(euros("12.00"), reference="return-1")
    assert parts(refund)[0] == ("6.00", "not_possible")
    assert (refund.other, refund.not_possible) == (euros("0.00"), euros("6.00"))
    assert refund.parts[0].reason == "Declined: the card is closed"
    assert payment.refundable == euros("54.00")
    assert parts(payment.refund(euros("6.00"), reference="return-2", strategy="vouchers-first")) == {
        1: ("6.00", "refunded")
    }


def test_a_refund_of_the_card_inside_needs_the_card(paying: PayingShop) -> None:
    captured(paying, other=paying.card)
    payment = paying.again()
    with pytest.raises(ConfigurationError, match="other="):
        payment.refund(euros("12.00"), reference="return-1")
    assert payment.refunds == ()
    assert parts(payment.refund(euros("6.00"), reference="return-1", strategy="vouchers-first")) == {
        1: ("6.00", "refunded")
    }


def test_recover_without_the_card_does_the_vouchers_and_says_what_is_missing(paying: PayingShop) -> None:
    payment = captured(paying, other=paying.card)
    paying.jtl.inject("rate-limit", REFUND, retry_after_s=0)
    paying.card.arm("refund", TimeoutError("lost"))
    with pytest.raises(RateLimited):
        payment.refund(euros("12.00"), reference="return-1")
    paying.another_gateway().recover(everything=True)
    payment.refresh()
    assert payment.attention is not None
    assert "resume" in payment.attention
    assert parts(payment.refunds[0])[0] == ("6.00", "planned")
    assert parts(payment.refunds[0])[1] == ("4.00", "refunded")
    paying.another_gateway().recover(everything=True, other=paying.card)
    assert payment.refresh().attention is None
    assert (payment.refunds[0].state, paying.card.kept) == (RefundState.DONE, "24.00")
