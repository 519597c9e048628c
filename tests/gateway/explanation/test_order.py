"""What became of an order, from the journal alone."""

from __future__ import annotations

import re

import pytest

from tests.support.shop import Shop
from voucher_gateway import ExplanationReason, InsufficientValue, Money, OutcomeUnknown

CHARGE = "POST /v1/reservations/*/charge"


def test_an_order_says_what_it_took_and_gave_back(shop: Shop) -> None:
    first, second = shop.voucher("20.00"), shop.voucher("30.00")
    redemption = shop.redeem(first[1], "15.00", reference="a", order="1001")
    held = shop.gateway.reserve("shop", second[1], Money("10.00", "EUR"), reference="b", order="1001")
    shop.gateway.capture("shop", held, reference="b")  # it names no order
    shop.gateway.refund("shop", redemption, Money("5.00", "EUR"), reference="return")
    shop.redeem(first[1], "1.00", reference="c", order="1002")
    before = len(shop.running.requests)
    explanation = shop.gateway.explain(order="1001")
    assert len(shop.running.requests) == before
    assert (explanation.reason, explanation.sentence) == (
        ExplanationReason.DONE,
        "Order 1001 took 25.00 EUR, gave back 5.00 EUR.",
    )
    assert [(event.what, event.reference, event.voucher_id) for event in explanation.events] == [
        ("redeem", "a", first[0]),
        ("reserve", "b", second[0]),
        ("capture", "b", second[0]),
        ("refund", "return", first[0]),
    ]
    assert [event.state for event in explanation.events] == ["succeeded", "captured", "succeeded", "succeeded"]


def test_an_order_that_holds_value_says_until_when(shop: Shop) -> None:
    _, code = shop.voucher()
    shop.gateway.reserve("shop", code, Money("10.00", "EUR"), reference="b", order="1001")
    explanation = shop.gateway.explain(order="1001")
    assert explanation.reason is ExplanationReason.HELD
    assert re.fullmatch(r"Order 1001 holds 10\.00 EUR until (.*, )?[0-9:]{5} UTC\.", explanation.sentence)


def test_an_order_in_doubt_says_which_operation_and_since_when(shop: Shop) -> None:
    _, code = shop.voucher()
    shop.redeem(code, "1.00", reference="a", order="9")
    shop.running.inject("drop-before", CHARGE)
    with pytest.raises(OutcomeUnknown):
        shop.redeem(code, "2.00", reference="b", order="9")
    explanation = shop.gateway.explain(order="9")
    assert explanation.reason is ExplanationReason.IN_DOUBT
    assert re.fullmatch(
        r"Order 9 took 1\.00 EUR, holds 2\.00 EUR until .* UTC; the redeem of 2\.00 EUR of order 9 is in doubt since"
        r" [0-9:]{5} UTC\.",
        explanation.sentence,
    )


def test_an_order_that_took_nothing_says_why(shop: Shop) -> None:
    _, code = shop.voucher("5.00")
    with pytest.raises(InsufficientValue):
        shop.redeem(code, "20.00", order="1001")
    explanation = shop.gateway.explain(order="1001")
    assert explanation.sentence.startswith("Order 1001 took nothing: the last redeem was declined (")


def test_an_order_that_the_journal_does_not_know(shop: Shop) -> None:
    explanation = shop.gateway.explain(order="404")
    assert (explanation.reason, explanation.sentence) == (
        ExplanationReason.NOT_FOUND,
        "The journal has no operation of this order.",
    )
    assert explanation.events == ()
