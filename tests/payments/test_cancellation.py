"""Cancellation: everything is given back once, at any time, and what cannot be is told."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context
from typing import Any

import pytest

from tests.payments.conftest import CHARGE, RESERVE, MixedPayment, PayingShop
from voucher_gateway import (
    Declined,
    LegState,
    Money,
    OperationInProgress,
    OtherState,
    OutcomeUnknown,
    PaymentConflict,
    PaymentDeclined,
    PaymentState,
)
from voucher_gateway.payments.authorization import authorize_payment
from voucher_gateway.payments.leg_calls import reserve_leg
from voucher_gateway.payments.rows.references import payment_reference
from voucher_gateway.payments.work import start_work

OVER_S = 32 * 60


def euros(amount: str) -> Money:
    return Money(amount, "EUR")


def _captured(shop: PayingShop, **options: Any) -> MixedPayment:
    mixed = shop.mixed(**options)
    mixed.payment.authorize()
    mixed.payment.capture()
    return mixed


def test_an_open_payment_is_cancelled_without_a_request(paying: PayingShop) -> None:
    mixed = paying.mixed()
    asked = len(paying.jtl.requests)
    assert mixed.payment.cancel().complete
    assert len(paying.jtl.requests) == asked
    with pytest.raises(PaymentConflict):
        mixed.payment.authorize()
    with pytest.raises(PaymentConflict):
        mixed.payment.capture()


def test_the_card_is_voided_before_its_capture_and_refunded_after_it(paying: PayingShop) -> None:
    mixed = paying.mixed(other=paying.card)
    mixed.payment.authorize()
    assert mixed.payment.cancel().other is OtherState.VOIDED
    assert paying.card.authorized == {}
    order = _captured(paying, order="1002", other=paying.card)
    assert order.payment.cancel().other is OtherState.RETURNED
    assert order.payment.cancel().complete
    assert paying.card.calls[-1] == "refund other-g1-back"
    assert paying.card.kept == "0.00"
    assert order.left == ("20.00", "10.00")


def test_a_charge_in_doubt_is_looked_up_and_given_back(paying: PayingShop) -> None:
    mixed = paying.mixed()
    mixed.payment.authorize()
    paying.jtl.inject("commit-then-drop", CHARGE)
    with pytest.raises(OutcomeUnknown):
        mixed.payment.capture()
    assert mixed.payment.cancel().complete
    assert mixed.left == ("20.00", "10.00")


def test_a_charge_that_may_still_arrive_keeps_the_payment_waiting_and_the_rest_is_done(paying: PayingShop) -> None:
    mixed = paying.mixed(other=paying.card)
    mixed.payment.authorize()
    paying.jtl.inject("drop-before", CHARGE)
    with pytest.raises(OutcomeUnknown):
        mixed.payment.capture()
    cancellation = mixed.payment.cancel()
    assert not cancellation.complete
    assert "leg 1 (shop" in (cancellation.attention or "")
    assert mixed.payment.legs[1].state is LegState.RETURNED
    assert cancellation.other is OtherState.VOIDED
    paying.jtl.advance(OVER_S)
    paying.gateway.recover(everything=True)
    assert mixed.payment.refresh().state is PaymentState.CANCELLED
    assert mixed.payment.attention is None
    assert mixed.left == ("20.00", "10.00")


def test_a_leg_that_cannot_be_given_back_is_told_until_the_loss_is_accepted(paying: PayingShop) -> None:
    mixed = _captured(paying)
    redemption = paying.gateway.redemption("shop", payment_reference(mixed.payment.id, 1, 1))
    with paying.another_shop() as gateway:  # of which our journal knows nothing
        gateway.refund("shop", redemption, euros("5.00"), reference="elsewhere")
    cancellation = mixed.payment.cancel()
    assert not cancellation.complete
    assert "leg 1" in (cancellation.attention or "")
    assert cancellation.legs[0].problem is not None
    assert mixed.left == ("5.00", "10.00")
    paying.gateway.recover(everything=True)
    assert mixed.payment.refresh().state is PaymentState.CANCELLING
    cancellation = mixed.payment.cancel(accept_loss=True)
    assert (cancellation.complete, mixed.payment.legs[0].state) == (True, LegState.KEPT)
    assert mixed.payment.captured == euros("20.00")


def test_the_amount_that_a_cancelled_payment_has_taken_is_zero(paying: PayingShop) -> None:
    mixed = paying.mixed()
    mixed.payment.authorize()
    paying.jtl.inject("commit-then-drop", CHARGE)
    with pytest.raises(OutcomeUnknown):
        mixed.payment.capture()
    mixed.payment.cancel()
    assert mixed.payment.captured == euros("0.00")


@pytest.mark.parametrize("after", [False, True])
def test_a_card_that_does_not_answer_is_asked_again_under_the_same_key(paying: PayingShop, after: bool) -> None:
    mixed = _captured(paying, other=paying.card)
    paying.card.arm("refund", TimeoutError("no answer"), after=after)
    cancellation = mixed.payment.cancel()
    assert not cancellation.complete
    assert "TimeoutError" in (cancellation.attention or "")
    paying.gateway.recover(other=paying.card)
    assert mixed.payment.refresh().state is PaymentState.CANCELLED
    assert paying.card.kept == "0.00"


@pytest.mark.parametrize("after", [False, True])
def test_a_capture_of_the_card_in_doubt_is_settled_and_given_back(paying: PayingShop, after: bool) -> None:
    mixed = paying.mixed(other=paying.card)
    mixed.payment.authorize()
    paying.card.arm("capture", TimeoutError("no answer"), after=after)
    with pytest.raises(TimeoutError):
        mixed.payment.capture()
    assert mixed.payment.cancel().complete
    assert (paying.card.kept, paying.card.authorized) == ("0.00", {})


def test_a_card_that_refuses_its_refund_is_told_until_the_loss_is_accepted(paying: PayingShop) -> None:
    mixed = _captured(paying, other=paying.card)
    paying.card.arm("refund", Declined("too old"))
    assert "the other means cannot be given back: too old" in (mixed.payment.cancel().attention or "")
    paying.card.arm("refund", Declined("too old"))
    cancellation = mixed.payment.cancel(accept_loss=True)
    assert (cancellation.complete, cancellation.other) == (True, OtherState.KEPT)


def test_without_the_means_the_vouchers_are_given_back_and_the_card_waits(paying: PayingShop) -> None:
    mixed = _captured(paying, other=paying.card)
    payment = paying.again()
    cancellation = payment.cancel()
    assert not cancellation.complete
    assert cancellation.attention == "it needs its other means: call resume() in the shop"
    assert mixed.left == ("20.00", "10.00")
    paying.again(other=paying.card).resume()
    assert payment.refresh().state is PaymentState.CANCELLED
    assert paying.card.kept == "0.00"


def test_what_was_given_back_by_hand_is_not_given_back_again(paying: PayingShop) -> None:
    mixed = _captured(paying)
    redemption = paying.gateway.redemption("shop", payment_reference(mixed.payment.id, 1, 1))
    paying.gateway.refund("shop", redemption, euros("5.00"), reference="by hand")
    cancellation = mixed.payment.cancel()
    assert [leg.returned for leg in cancellation.legs] == [euros("15.00"), euros("10.00")]
    assert mixed.left == ("20.00", "10.00")


@pytest.mark.parametrize("round", range(2))
def test_of_a_capture_and_a_cancellation_at_the_same_time_one_wins(either_paying: PayingShop, round: int) -> None:
    shop = either_paying
    mixed = shop.mixed(other=shop.card)
    mixed.payment.authorize()
    barrier = threading.Barrier(2)

    def run(verb: str) -> str:
        payment = shop.again(other=shop.card)
        barrier.wait()
        try:
            getattr(payment, verb)()
        except (OperationInProgress, PaymentConflict) as error:
            return type(error).__name__
        return "done"

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(run, ["capture", "cancel"]))
    payment = shop.again(other=shop.card)
    if payment.state is PaymentState.CAPTURED:
        assert (mixed.left, shop.card.kept) == (("0.00", "0.00"), "30.00")
    else:
        assert payment.state is PaymentState.CANCELLED
        assert (mixed.left, shop.card.kept) == (("20.00", "10.00"), "0.00")


def test_a_payment_that_another_worker_has_is_left_to_it(paying: PayingShop) -> None:
    payment = paying.payment()
    journal = paying.gateway.journal
    assert journal is not None
    with (
        journal.database.locks.hold("payment:1001", wait_s=0),
        pytest.raises(OperationInProgress, match="another worker works on the payment of order '1001'"),
    ):
        paying.again().cancel()
    payment.cancel()


def test_a_worker_that_was_replaced_sends_nothing_more(paying: PayingShop) -> None:
    mixed = paying.mixed()
    store = mixed.payment._store
    with start_work(paying.gateway, store, mixed.payment.record, None) as frozen:
        frozen.take()
        other = paying.again()
        Context().run(other.authorize)  # a context of its own has no fence of ours
        Context().run(other.cancel)
        sent = len(paying.jtl.requests)
        with pytest.raises(OperationInProgress, match="taken over"):
            authorize_payment(frozen)
        with pytest.raises(OperationInProgress, match="taken over"):
            reserve_leg(frozen, frozen.record.legs[0])
        with pytest.raises(OperationInProgress, match="taken over"):
            frozen.confirm()
        assert len(paying.jtl.requests) == sent


def test_a_reservation_in_doubt_of_an_earlier_generation_is_told_by_the_cancellation(paying: PayingShop) -> None:
    mixed = paying.mixed()
    paying.jtl.inject("drop-before", RESERVE, times=0)
    with pytest.raises(PaymentDeclined):
        mixed.payment.authorize()
    paying.jtl.clear_faults()
    assert mixed.payment.legs[0].generation == 2
    cancellation = mixed.payment.cancel()
    assert cancellation.complete
    assert cancellation.frees_at is not None
