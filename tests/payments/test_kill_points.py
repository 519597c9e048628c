"""A payment whose process is killed at any point of its work is completed by `recover`, or goes on where it was."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest

from tests.payments.cards import FakeCard
from tests.payments.conftest import PayingShop
from tests.payments.kills import Killed, KillPoints
from tests.support.examples import is_thorough
from voucher_gateway import Declined, Gateway, Money, Operation, OperationState, Payment, PaymentDeclined, PaymentState

OVER_S = 32 * 60
"""Longer than a reservation at JTL and the margin after it, in seconds."""


class _Case:
    """A payment of 60.00 by 20.00 of JTL, 10.00 of ticketing and 30.00 of the card inside, in a separate process."""

    def __init__(self, shop: PayingShop, order: str) -> None:
        self.shop = shop
        self.order = order
        self.card = type(shop.card)()
        self.jtl, self.ticketing = shop.jtl_code("20.00"), shop.ticketing_code("10.00")
        self.gateway = shop.another_gateway()
        self.payment = self.open(self.gateway)
        self.payment.add(self.jtl, account="shop")
        self.payment.add(self.ticketing, account="events")

    def open(self, gateway: Gateway) -> Payment:
        return gateway.payment(self.order, total=Money("60.00", "EUR"), other=self.card)

    def books(self) -> tuple[str, str, str]:
        """What is left on the vouchers, and what the card has taken."""
        jtl, ticketing = self.shop.jtl.remaining(self.jtl), self.shop.ticketing.remaining(self.ticketing)
        return f"{jtl.amount}", f"{ticketing.amount}", self.card.kept

    def recover(self) -> Payment:
        """Recover as another process does, also later, with a person who decides by what is true at the vendor."""
        gateway = self.shop.another_gateway()
        gateway.recover(everything=True, other=self.card)
        payment = gateway.find_payment(self.order, other=self.card)
        assert payment is not None
        if payment.attention is not None:  # a charge that is not there may arrive until its reservation ends
            self.shop.jtl.advance(OVER_S)
            gateway.recover(everything=True, other=self.card)
        for record in gateway.operations(states=[OperationState.UNKNOWN]):
            left = self.books()[0 if record.key.account == "shop" else 1]
            gateway.decide(
                record.key,
                succeeded=(left == "0.00") == (record.key.verb is not Operation.REFUND),
                by="Jo",
                reason="seen at the vendor",
            )
        gateway.recover(everything=True, other=self.card)
        return payment.refresh()


def _pay(payment: Payment) -> None:
    payment.authorize()
    payment.capture()


def _count(shop: PayingShop, order: str, run: Callable[[Payment], object], prepare: Callable[[Payment], object]) -> int:
    case = _Case(shop, order)
    prepare(case.payment)
    points = KillPoints(case.gateway)
    run(case.payment)
    return points.count


def _kill_everywhere(
    shop: PayingShop,
    run: Callable[[Payment], object],
    check: Callable[[_Case, Payment], None],
    prepare: Callable[[Payment], object] = lambda _: None,
) -> int:
    points = _count(shop, "counted", run, prepare)
    step = 1 if is_thorough() else 9
    for at in range(1 % step, points, step):
        case = _Case(shop, f"killed at {at}")
        prepare(case.payment)
        KillPoints(case.gateway, at)
        with pytest.raises(Killed):
            run(case.payment)
        case.gateway.close()  # the system ends the sessions and frees the locks of a dead process
        check(case, case.recover())
    return points


def _check_paid(case: _Case, payment: Payment) -> None:
    if payment.state in (PaymentState.OPEN, PaymentState.AUTHORIZED):
        assert case.books() == ("20.00", "10.00", "0.00")
        _pay(payment)
    assert payment.state is PaymentState.CAPTURED
    assert case.books() == ("0.00", "0.00", "30.00")
    assert payment.captured == Money("60.00", "EUR")


def _check_cancelled(case: _Case, payment: Payment) -> None:
    if payment.state is not PaymentState.CANCELLED:
        payment.cancel()
    assert (payment.state, payment.attention) == (PaymentState.CANCELLED, None)
    assert case.books() == ("20.00", "10.00", "0.00")
    assert case.card.authorized == {}


def test_a_payment_that_is_killed_while_it_pays_is_paid_once(paying: PayingShop) -> None:
    assert _kill_everywhere(paying, _pay, _check_paid) > 20


@pytest.mark.long
def test_a_payment_that_is_killed_while_it_pays_can_be_cancelled(paying: PayingShop) -> None:
    _kill_everywhere(paying, _pay, _check_cancelled)


def test_a_payment_that_is_killed_while_it_is_cancelled_gives_everything_back(paying: PayingShop) -> None:
    assert _kill_everywhere(paying, Payment.cancel, _check_cancelled, _pay) > 8


def test_a_payment_that_is_killed_while_it_releases_is_cancelled(paying: PayingShop) -> None:
    _kill_everywhere(paying, Payment.cancel, _check_cancelled, Payment.authorize)


@pytest.mark.long
def test_a_payment_on_postgres_that_is_killed_while_it_pays_is_paid_once(
    make_paying_shop: Callable[[str], PayingShop], postgres_url: str
) -> None:
    _kill_everywhere(make_paying_shop(postgres_url), _pay, _check_paid)


@pytest.mark.long
def test_a_payment_on_postgres_that_is_killed_while_it_is_cancelled_gives_everything_back(
    make_paying_shop: Callable[[str], PayingShop], postgres_url: str
) -> None:
    _kill_everywhere(make_paying_shop(postgres_url), Payment.cancel, _check_cancelled, _pay)


def test_a_payment_that_is_killed_while_it_is_captured_after_its_reservation_ended_is_paid_once(
    paying: PayingShop,
) -> None:
    def authorize_early(payment: Payment) -> None:
        payment.authorize()
        paying.jtl.advance(OVER_S)

    _kill_everywhere(paying, Payment.capture, _check_paid, authorize_early)


def test_a_payment_that_is_killed_while_it_is_declined_holds_nothing_and_can_be_paid(paying: PayingShop) -> None:
    def decline(payment: Payment) -> None:
        card = payment._other
        assert isinstance(card, FakeCard)
        card.arm("authorize", Declined("no"))
        with suppress(PaymentDeclined):
            payment.authorize()

    def check(case: _Case, payment: Payment) -> None:
        assert payment.state is PaymentState.OPEN
        case.card.faults.clear()
        _check_paid(case, payment)

    _kill_everywhere(paying, decline, check)


def test_a_payment_that_is_killed_while_it_is_replaced_is_cancelled_and_its_order_has_one_payment(
    paying: PayingShop,
) -> None:
    gateways: dict[str, Gateway] = {}

    def replace(payment: Payment) -> None:
        gateways[payment.order].payment(payment.order, total=Money("15.00", "EUR"), other=payment._other)

    def authorize(payment: Payment) -> None:
        verbs = payment._verbs
        assert isinstance(verbs, Gateway)
        gateways[payment.order] = verbs
        payment.authorize()

    def check(case: _Case, first: Payment) -> None:
        attempts = list(case.shop.gateway.payments(order=case.order))
        assert len(attempts) == first.attempt
        if first.attempt == 1:  # it was killed before it was decided
            assert first.state is PaymentState.AUTHORIZED
            first.cancel()
        else:
            assert [record.state for record in attempts] == [PaymentState.OPEN, PaymentState.CANCELLED]
        assert (case.books(), case.card.authorized) == (("20.00", "10.00", "0.00"), {})

    _kill_everywhere(paying, replace, check, authorize)
