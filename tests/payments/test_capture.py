"""Capture: forward only, in the safe order, and what becomes of it where a leg is lost or in doubt."""

from __future__ import annotations

from typing import Any

import pytest

from tests.payments.conftest import CHARGE, RESERVE, MixedPayment, PayingShop
from tests.support.simulators import changing_requests
from voucher_gateway import (
    ConfigurationError,
    Declined,
    InsufficientValue,
    InvalidRequest,
    LegState,
    Money,
    NotExecuted,
    OutcomeUnknown,
    PaymentShort,
    PaymentState,
)

OVER_S = 32 * 60


def euros(amount: str) -> Money:
    return Money(amount, "EUR")


def _authorized(shop: PayingShop, **options: Any) -> MixedPayment:
    mixed = shop.mixed(**options)
    mixed.payment.authorize()
    return mixed


def _spend(shop: PayingShop, account: str, code: str, amount: str) -> None:
    """Spend a voucher as another shop does, which knows nothing of ours."""
    with shop.another_shop() as gateway:
        gateway.redeem(account, code, euros(amount), reference="elsewhere", if_held="replace")


def test_legs_without_reservations_are_taken_before_the_reserved_ones_and_the_card_last(paying: PayingShop) -> None:
    mixed = _authorized(paying, other=paying.card)
    before = len(changing_requests(paying.jtl)), len(changing_requests(paying.ticketing))
    paying.ticketing.inject("error-before", "PUT *", times=0)
    with pytest.raises(OutcomeUnknown):
        mixed.payment.capture()
    assert len(changing_requests(paying.jtl)) > before[0]  # a leg in doubt does not block what is safe
    assert paying.card.calls == ["authorize other-g1"]  # but the card is not captured
    assert mixed.payment.state is PaymentState.CAPTURING
    assert "leg 2 (events" in (mixed.payment.attention or "")


def test_a_leg_that_is_lost_makes_the_payment_short_and_takes_nothing_more(paying: PayingShop) -> None:
    mixed = _authorized(paying)
    _spend(paying, "events", mixed.ticketing_code, "5.00")
    with pytest.raises(PaymentShort, match=r"10\.00 EUR is missing") as short:
        mixed.payment.capture()
    assert (short.value.short_by, short.value.leg) == ("10.00 EUR", 2)
    assert isinstance(short.value.cause, InsufficientValue)
    payment = mixed.payment
    assert (payment.state, payment.short_by, payment.due) == (PaymentState.SHORT, euros("10.00"), euros("40.00"))
    assert [leg.state for leg in payment.legs] == [LegState.HELD, LegState.LOST]
    assert [record.order for record in paying.gateway.payments(needs_attention=True)] == ["1001"]
    assert "cannot be taken any more; 10.00 EUR is missing" in (payment.attention or "")
    assert mixed.left == ("20.00", "5.00")
    with pytest.raises(PaymentShort):
        payment.capture()
    with pytest.raises(InvalidRequest):
        payment.capture(due=euros("30.00"))


def test_a_short_payment_is_captured_if_other_means_pay_more(paying: PayingShop) -> None:
    mixed = _authorized(paying)
    _spend(paying, "events", mixed.ticketing_code, "5.00")
    with pytest.raises(PaymentShort):
        mixed.payment.capture()
    again = paying.again()
    again.capture(due=again.due)
    assert (again.state, again.captured, again.due) == (PaymentState.CAPTURED, euros("20.00"), euros("40.00"))
    assert again.attention is None
    assert mixed.left == ("0.00", "5.00")


def test_a_short_payment_is_cancelled(paying: PayingShop) -> None:
    mixed = _authorized(paying)
    _spend(paying, "events", mixed.ticketing_code, "5.00")
    with pytest.raises(PaymentShort):
        mixed.payment.capture()
    assert mixed.payment.cancel().complete
    assert mixed.left == ("20.00", "5.00")


def test_a_reservation_that_has_ended_is_made_again_before_anything_is_taken(paying: PayingShop) -> None:
    mixed = _authorized(paying)
    paying.jtl.advance(OVER_S)
    paying.ticketing.advance(OVER_S)
    paying.gateway.balance("shop", mixed.jtl_code)
    sent = len(changing_requests(paying.jtl))
    mixed.payment.capture()
    assert mixed.payment.state is PaymentState.CAPTURED
    assert mixed.payment.legs[0].generation == 2
    assert [request.split("/")[-1] for request in changing_requests(paying.jtl)[sent:]] == ["reservations", "charge"]
    assert mixed.left == ("0.00", "0.00")


def test_a_reservation_that_cannot_be_made_again_makes_the_payment_short(paying: PayingShop) -> None:
    mixed = _authorized(paying)
    paying.jtl.advance(OVER_S)
    _spend(paying, "shop", mixed.jtl_code, "15.00")
    paying.gateway.balance("shop", mixed.jtl_code)
    with pytest.raises(PaymentShort) as short:
        mixed.payment.capture()
    assert short.value.leg == 1
    assert mixed.left == ("5.00", "10.00")


def test_a_reservation_that_is_refused_at_its_capture_is_made_again(paying: PayingShop) -> None:
    mixed = _authorized(paying)
    paying.jtl.inject("replace-reservation", CHARGE)
    mixed.payment.capture()
    assert mixed.payment.legs[0].generation == 2
    assert mixed.left == ("0.00", "0.00")


def test_a_charge_whose_answer_is_lost_is_found_and_not_repeated(paying: PayingShop) -> None:
    mixed = _authorized(paying)
    paying.jtl.inject("commit-then-drop", CHARGE)
    with pytest.raises(OutcomeUnknown):
        mixed.payment.capture()
    assert mixed.payment.state is PaymentState.CAPTURING
    paying.gateway.recover(everything=True)
    assert mixed.payment.refresh().state is PaymentState.CAPTURED
    assert mixed.payment.attention is None
    assert mixed.left == ("0.00", "0.00")


def test_a_charge_that_was_taken_is_not_reserved_again_after_its_reservation_has_ended(paying: PayingShop) -> None:
    mixed = _authorized(paying, jtl="50.00", total="40.00", ticketing="10.00")
    paying.jtl.inject("commit-then-drop", CHARGE)
    with pytest.raises(OutcomeUnknown):
        mixed.payment.capture()
    paying.jtl.advance(OVER_S)
    paying.gateway.balance("shop", mixed.jtl_code)
    mixed.payment.resume()
    assert mixed.payment.state is PaymentState.CAPTURED
    assert paying.jtl.remaining(mixed.jtl_code) == euros("50.00") - mixed.payment.legs[0].amount


def test_a_charge_that_never_arrived_is_made_under_a_new_reservation(paying: PayingShop) -> None:
    mixed = _authorized(paying)
    paying.jtl.inject("drop-before", CHARGE)
    with pytest.raises(OutcomeUnknown):
        mixed.payment.capture()
    paying.jtl.advance(OVER_S)
    mixed.payment.resume()
    assert (mixed.payment.state, mixed.payment.legs[0].generation) == (PaymentState.CAPTURED, 2)
    assert mixed.left == ("0.00", "0.00")


def test_a_vendor_that_cannot_be_reached_leaves_the_payment_to_be_resumed(paying: PayingShop) -> None:
    mixed = _authorized(paying)
    paying.jtl.inject("rate-limit", CHARGE, times=0, retry_after_s=0)
    with pytest.raises(NotExecuted):
        mixed.payment.capture()
    assert mixed.payment.state is PaymentState.CAPTURING
    assert mixed.payment.attention is not None
    paying.jtl.clear_faults()
    mixed.payment.resume()
    assert mixed.payment.record.state is PaymentState.CAPTURED
    assert mixed.payment.attention is None


def test_a_short_payment_authorizes_the_larger_amount_at_the_card_before_it_takes_more(paying: PayingShop) -> None:
    mixed = _authorized(paying, other=paying.card)
    _spend(paying, "events", mixed.ticketing_code, "5.00")
    with pytest.raises(PaymentShort):
        mixed.payment.capture()
    paying.card.arm("authorize", Declined("no more"))
    with pytest.raises(PaymentShort) as short:
        mixed.payment.capture(due=euros("40.00"))
    assert (short.value.leg, short.value.short_by) == (0, "40.00 EUR")
    assert mixed.left == ("20.00", "5.00")
    mixed.payment.capture(due=euros("40.00"))
    assert mixed.payment.state is PaymentState.CAPTURED
    assert paying.card.calls == [
        "authorize other-g1",
        "void other-g1-void",
        "authorize other-g2",
        "authorize other-g3",
        "capture other-g3-capture",
    ]
    assert (paying.card.kept, mixed.left) == ("40.00", ("0.00", "5.00"))


def test_a_card_that_is_declined_after_the_vouchers_makes_the_payment_short(paying: PayingShop) -> None:
    mixed = _authorized(paying, other=paying.card)
    paying.card.arm("capture", Declined("no"))
    with pytest.raises(PaymentShort, match="the other means refuses to pay") as short:
        mixed.payment.capture()
    assert short.value.short_by == "30.00 EUR"
    assert mixed.payment.captured == euros("30.00")
    mixed.payment.capture(due=euros("30.00"))
    assert (mixed.payment.state, paying.card.kept) == (PaymentState.CAPTURED, "30.00")
    assert mixed.payment.captured == euros("60.00")


@pytest.mark.parametrize("after", [False, True])
def test_a_card_that_does_not_answer_its_capture_is_asked_again_under_the_same_key(
    paying: PayingShop, after: bool
) -> None:
    mixed = _authorized(paying, other=paying.card)
    paying.card.arm("capture", TimeoutError("no answer"), after=after)
    with pytest.raises(TimeoutError):
        mixed.payment.capture()
    assert mixed.payment.state is PaymentState.CAPTURING
    paying.another_gateway().recover()
    assert "call resume() in the shop" in (mixed.payment.refresh().attention or "")
    paying.another_gateway().recover(other=paying.card)
    assert mixed.payment.refresh().state is PaymentState.CAPTURED
    assert paying.card.kept == "30.00"


def test_the_other_means_must_be_given_again(paying: PayingShop) -> None:
    _authorized(paying, other=paying.card)
    with pytest.raises(ConfigurationError, match="other="):
        paying.again().capture()
    assert paying.again().state is PaymentState.AUTHORIZED


def test_a_payment_that_was_authorized_without_the_means_is_not_captured_with_it(paying: PayingShop) -> None:
    _authorized(paying)
    again = paying.again(other=paying.card)
    with pytest.raises(InvalidRequest, match="authorized without the other means"):
        again.capture()
    again.reopen()
    again.authorize()
    again.capture()
    assert paying.card.kept == "30.00"


def test_without_the_means_recover_takes_the_vouchers_and_leaves_the_card(paying: PayingShop) -> None:
    mixed = _authorized(paying, other=paying.card)
    paying.jtl.inject("rate-limit", CHARGE, times=0, retry_after_s=0)
    with pytest.raises(NotExecuted):
        mixed.payment.capture()
    paying.jtl.clear_faults()
    paying.another_gateway().recover()
    assert (mixed.payment.refresh().state, paying.card.kept) == (PaymentState.CAPTURING, "0.00")
    assert mixed.left == ("0.00", "0.00")
    assert mixed.payment.captured == euros("30.00")
    paying.again(other=paying.card).resume()
    assert (mixed.payment.refresh().state, paying.card.kept) == (PaymentState.CAPTURED, "30.00")


def test_recover_makes_no_decision(paying: PayingShop) -> None:
    mixed = _authorized(paying, other=paying.card)
    paying.gateway.recover(everything=True, other=paying.card)
    assert mixed.payment.refresh().state is PaymentState.AUTHORIZED
    assert mixed.left == ("20.00", "10.00")


def test_an_expired_reservation_in_doubt_takes_nothing_of_the_other_legs(paying: PayingShop) -> None:
    mixed = _authorized(paying)
    paying.jtl.advance(OVER_S)
    paying.gateway.balance("shop", mixed.jtl_code)
    paying.jtl.inject("drop-before", RESERVE, times=0)
    with pytest.raises(OutcomeUnknown):
        mixed.payment.capture()
    assert mixed.left == ("20.00", "10.00")
    paying.jtl.clear_faults()
    mixed.payment.resume()
    assert mixed.left == ("0.00", "0.00")


def test_a_larger_authorization_that_is_refused_after_a_lost_answer_is_voided(paying: PayingShop) -> None:
    mixed = _authorized(paying, other=paying.card)
    _spend(paying, "events", mixed.ticketing_code, "5.00")
    with pytest.raises(PaymentShort):
        mixed.payment.capture()
    paying.card.arm("authorize", TimeoutError(), after=True)
    paying.card.arm("authorize", Declined("no"))
    with pytest.raises(TimeoutError):
        mixed.payment.capture(due=mixed.payment.due)
    with pytest.raises(PaymentShort):
        mixed.payment.capture()
    mixed.payment.cancel()
    assert (paying.card.authorized, paying.card.kept) == ({}, "0.00")


def test_a_refusal_before_the_journal_is_asked_loses_no_leg_that_may_be_taken(
    paying: PayingShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    mixed = _authorized(paying)
    paying.ticketing.inject("commit-then-drop", "PUT *")
    with pytest.raises(OutcomeUnknown):
        mixed.payment.capture()

    def refuse(*_: object, **__: object) -> None:
        raise InvalidRequest("not allowed any more", field="money", rule="another one")

    with monkeypatch.context() as patch:
        patch.setattr(paying.gateway, "redeem", refuse)
        with pytest.raises(InvalidRequest):
            mixed.payment.resume()
    assert mixed.payment.state is PaymentState.CAPTURING
    mixed.payment.resume()
    assert mixed.payment.captured == euros("30.00")
    assert mixed.left == ("0.00", "0.00")
