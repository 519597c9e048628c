"""The card inside a payment: what becomes of the order when the card is slow, is declined, or has expired."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from decimal import Decimal
from typing import Any

import pytest

from docs.examples.card_processor.client import CustomerMustConfirm
from tests.payment_crash.steps import Shop
from tests.payment_crash.world import CARD, EVENTS, PARTS, SHOP, PaymentWorld, open_charges
from voucher_gateway import PaymentDeclined, PaymentShort
from voucher_gateway.payments.rows.references import other_key
from voucher_gateway.payments.rows.states import OTHER, LegState, PartState, PaymentState

NOTHING = dict.fromkeys(PARTS, Decimal(0))
WEEK_S = 8 * 24 * 3600.0


@pytest.fixture
def world(make_world: Callable[[str], PaymentWorld], sqlite_url: str) -> PaymentWorld:
    return make_world(sqlite_url)


@pytest.fixture
def make_shop(world: PaymentWorld) -> Iterator[Callable[..., Shop]]:
    with closing(world.gateway()) as gateway:

        def make(**options: Any) -> Shop:
            order = world.order(**options)
            return Shop(world, order, gateway, world.card(order))

        yield make


def taken(shop: Shop, payment: Any) -> dict[str, Decimal]:
    return shop.world.taken(shop.order, (payment.id,))


def test_a_customer_who_confirms_after_35_minutes_has_paid(make_shop: Callable[..., Shop]) -> None:
    shop = make_shop(card="tok_3ds")
    payment = shop.add_vouchers()
    with pytest.raises(CustomerMustConfirm):
        payment.authorize()
    assert taken(shop, payment) == NOTHING
    shop.world.vendors[SHOP].advance(35 * 60)  # the reservation of the voucher is over
    shop.gateway.provider(SHOP).check()
    shop.world.processor.confirm(other_key(payment.id, 1))
    payment = shop.payment()  # by another process
    payment.authorize()
    payment.capture()
    assert taken(shop, payment) == PARTS


def test_a_customer_who_never_confirms_pays_nothing(make_shop: Callable[..., Shop]) -> None:
    shop = make_shop(card="tok_3ds")
    payment = shop.add_vouchers()
    with pytest.raises(CustomerMustConfirm):
        payment.authorize()
    assert payment.cancel().complete
    shop.world.processor.confirm(other_key(payment.id, 1))  # too late
    assert open_charges(shop.world.charges((payment.id,))) == []
    assert taken(shop, payment) == NOTHING


def test_a_declined_card_frees_the_vouchers(make_shop: Callable[..., Shop]) -> None:
    shop = make_shop(card="tok_declined")
    payment = shop.add_vouchers()
    with pytest.raises(PaymentDeclined) as caught:
        payment.authorize()
    assert caught.value.leg == OTHER
    assert payment.state is PaymentState.OPEN
    assert [leg.state for leg in payment.legs] == [LegState.PLANNED, LegState.PLANNED]
    assert taken(shop, payment) == NOTHING


def test_a_card_that_is_declined_at_the_end_is_replaced_by_another(make_shop: Callable[..., Shop]) -> None:
    shop = make_shop(card="tok_capture_declined")
    payment = shop.check_out()
    with pytest.raises(PaymentShort):
        payment.capture()
    assert payment.short_by.amount == PARTS[CARD]
    payment = shop.gateway.payment(shop.order.number, total=payment.total, other=shop.world.processor.means())
    payment.capture(due=payment.due)
    assert payment.state is PaymentState.CAPTURED
    assert taken(shop, payment) == PARTS
    assert open_charges(shop.world.charges((payment.id,))) == []


def test_an_order_whose_card_is_declined_at_the_end_can_be_cancelled(make_shop: Callable[..., Shop]) -> None:
    shop = make_shop(card="tok_capture_declined")
    payment = shop.check_out()
    with pytest.raises(PaymentShort):
        payment.capture()
    assert payment.cancel().complete
    assert taken(shop, payment) == NOTHING
    assert open_charges(shop.world.charges((payment.id,))) == []


def test_an_authorization_that_has_expired_is_made_again(make_shop: Callable[..., Shop]) -> None:
    shop = make_shop()
    payment = shop.check_out()
    shop.world.processor.advance(WEEK_S)
    with pytest.raises(PaymentShort):
        payment.capture()
    payment.capture(due=payment.due)
    assert taken(shop, payment) == PARTS


def test_a_card_that_cannot_be_given_back_is_told_to_a_person(make_shop: Callable[..., Shop]) -> None:
    shop = make_shop()
    payment = shop.pay()
    shop.world.processor.arm("declined", "refund")
    cancellation = payment.cancel()
    assert not cancellation.complete
    assert "other means" in (payment.attention or "")
    assert taken(shop, payment) == {**NOTHING, CARD: PARTS[CARD]}
    assert payment.cancel(accept_loss=True).complete
    assert taken(shop, payment) == {**NOTHING, CARD: PARTS[CARD]}


def test_a_return_that_the_card_refuses_says_so(make_shop: Callable[..., Shop]) -> None:
    shop = make_shop()
    payment = shop.pay()
    shop.world.processor.arm("declined", "refund")
    refund = payment.refund(reference="return-1")
    states = {part.leg: part.state for part in refund.parts}
    assert states == {1: PartState.REFUNDED, 2: PartState.REFUNDED, OTHER: PartState.NOT_POSSIBLE}
    assert taken(shop, payment) == {SHOP: Decimal(0), EVENTS: Decimal(0), CARD: PARTS[CARD]}


def test_a_processor_that_takes_at_once_gives_back_when_the_order_is_cancelled(make_shop: Callable[..., Shop]) -> None:
    shop = make_shop(at_once=True)
    payment = shop.check_out()
    assert taken(shop, payment) == {**NOTHING, CARD: PARTS[CARD]}
    assert payment.cancel().complete
    assert taken(shop, payment) == NOTHING
