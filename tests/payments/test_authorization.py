"""Authorization: all or nothing, and what becomes of it where a vendor refuses, fails or does not answer."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.payments.conftest import RESERVE, PayingShop
from tests.support.simulators import changing_requests
from voucher_gateway import (
    DatabaseUnavailable,
    Declined,
    InsufficientValue,
    LegState,
    Money,
    NotExecuted,
    OutcomeUnknown,
    PaymentConflict,
    PaymentDeclined,
    PaymentState,
    ProviderUnavailable,
    VoucherGatewayError,
)
from voucher_gateway.journal.holds import HoldState
from voucher_gateway.payments.work import PaymentWork

OVER_S = 32 * 60


def euros(amount: str) -> Money:
    return Money(amount, "EUR")


def _spend(shop: PayingShop, account: str, code: str, amount: str) -> None:
    """Spend a voucher as another shop does, which knows nothing of ours."""
    with shop.another_shop() as gateway:
        gateway.redeem(account, code, euros(amount), reference="elsewhere", if_held="replace")


def test_a_leg_that_cannot_be_had_releases_the_others(paying: PayingShop) -> None:
    mixed = paying.mixed()
    _spend(paying, "events", mixed.ticketing_code, "5.00")
    with pytest.raises(PaymentDeclined, match="leg 2") as declined:
        mixed.payment.authorize()
    assert declined.value.leg == 2
    assert isinstance(declined.value.cause, InsufficientValue)
    payment = mixed.payment
    assert (payment.state, payment.attention) == (PaymentState.OPEN, None)
    assert [(leg.state, leg.generation) for leg in payment.legs] == [(LegState.PLANNED, 2), (LegState.PLANNED, 1)]
    assert "InsufficientValue" in (payment.legs[1].problem or "")
    with paying.gateway.journal.database.read() as connection:  # type: ignore[union-attr]
        states = connection.exec_driver_sql("SELECT state FROM voucher_gateway_holds").scalars().all()
    assert HoldState.LIVE.value not in states


def test_a_declined_payment_is_authorized_without_the_leg(paying: PayingShop) -> None:
    mixed = paying.mixed()
    _spend(paying, "events", mixed.ticketing_code, "5.00")
    with pytest.raises(PaymentDeclined):
        mixed.payment.authorize()
    mixed.payment.remove(2)
    mixed.payment.authorize()
    mixed.payment.capture()
    assert mixed.left == ("0.00", "5.00")
    assert mixed.payment.due == euros("40.00")


def test_a_leg_that_was_removed_after_it_was_held_keeps_its_number(paying: PayingShop) -> None:
    mixed = paying.mixed()
    _spend(paying, "events", mixed.ticketing_code, "5.00")
    with pytest.raises(PaymentDeclined):
        mixed.payment.authorize()
    mixed.payment.remove(1)
    mixed.payment.remove(2)
    assert mixed.payment.legs == ()
    again = mixed.payment.add(mixed.jtl_code, account="shop")
    assert (again.number, again.generation) == (2, 1)
    mixed.payment.authorize()
    assert mixed.payment.state is PaymentState.AUTHORIZED


@pytest.mark.parametrize("fault", ["commit-then-drop", "drop-before", "error-before", "truncate"])
def test_a_lost_answer_to_a_reservation_is_asked_for_again(paying: PayingShop, fault: str) -> None:
    mixed = paying.mixed()
    paying.jtl.inject(fault, RESERVE)
    mixed.payment.authorize()
    assert [leg.state for leg in mixed.payment.legs] == [LegState.HELD, LegState.CHECKED]


def test_a_reservation_that_stays_in_doubt_declines_the_payment_and_says_until_when(paying: PayingShop) -> None:
    mixed = paying.mixed()
    paying.jtl.inject("drop-before", RESERVE, times=0)
    with pytest.raises(PaymentDeclined) as declined:
        mixed.payment.authorize()
    assert isinstance(declined.value.cause, OutcomeUnknown)
    assert "leg 1: 20.00 EUR may be reserved until" in (mixed.payment.attention or "")
    assert mixed.payment.state is PaymentState.OPEN
    paying.jtl.clear_faults()
    mixed.payment.authorize()
    assert (mixed.payment.state, mixed.payment.attention) == (PaymentState.AUTHORIZED, None)
    mixed.payment.capture()
    assert mixed.left == ("0.00", "0.00")


def test_a_vendor_that_cannot_be_reached_declines_the_payment(paying: PayingShop) -> None:
    mixed = paying.mixed()
    paying.ticketing.inject("error-before", "GET *", times=0)
    with pytest.raises(PaymentDeclined) as declined:
        mixed.payment.authorize()
    assert declined.value.leg == 2
    assert isinstance(declined.value.cause, ProviderUnavailable)
    paying.ticketing.clear_faults()
    mixed.payment.authorize()


def test_an_authorization_that_is_repeated_sends_nothing(paying: PayingShop) -> None:
    mixed = paying.mixed()
    mixed.payment.authorize()
    sent = changing_requests(paying.jtl, paying.ticketing)
    paying.again().authorize()
    assert changing_requests(paying.jtl, paying.ticketing) == sent


def test_the_reservations_of_several_legs_are_made_side_by_side(paying: PayingShop) -> None:
    payment = paying.payment("90.00")
    for _ in range(3):
        payment.add(paying.jtl_code("20.00"), account="shop")
    paying.jtl.inject("slow", RESERVE, times=3, delay_s=0.6)
    begin = time.monotonic()
    payment.authorize()
    assert time.monotonic() - begin < 3 * 0.6
    assert payment.state is PaymentState.AUTHORIZED


def test_a_voucher_that_is_added_to_an_interrupted_authorization_releases_what_it_held(paying: PayingShop) -> None:
    mixed = paying.mixed(other=paying.card)
    paying.card.arm("authorize", TimeoutError("no answer"))
    with pytest.raises(TimeoutError):
        mixed.payment.authorize()
    assert mixed.payment.state is PaymentState.OPEN
    assert "not known (TimeoutError)" in (mixed.payment.attention or "")
    mixed.payment.add(paying.jtl_code("40.00"), account="shop")
    assert [leg.generation for leg in mixed.payment.legs] == [2, 1, 1]
    assert paying.card.calls == ["authorize other-g1", "void other-g1-void"]
    mixed.payment.authorize()
    mixed.payment.capture()
    assert paying.card.kept == "0.00"
    assert mixed.left == ("0.00", "10.00")


def test_an_order_without_vouchers_is_paid_by_the_other_means(paying: PayingShop) -> None:
    payment = paying.payment("60.00", other=paying.card)
    payment.authorize()
    payment.capture()
    assert (payment.state, paying.card.kept) == (PaymentState.CAPTURED, "60.00")


@pytest.mark.parametrize("refusal", [Declined("no"), NotExecuted("down")])
def test_a_card_that_is_refused_releases_the_vouchers(paying: PayingShop, refusal: VoucherGatewayError) -> None:
    mixed = paying.mixed(other=paying.card)
    paying.card.arm("authorize", refusal)
    with pytest.raises(PaymentDeclined, match="the other means") as declined:
        mixed.payment.authorize()
    assert (declined.value.leg, declined.value.cause) == (0, refusal)
    assert [leg.state for leg in mixed.payment.legs] == [LegState.PLANNED, LegState.PLANNED]
    mixed.payment.authorize()
    assert paying.card.calls == ["authorize other-g1", "authorize other-g2"]


def test_an_unknown_authorization_of_the_card_goes_on_under_its_key(paying: PayingShop) -> None:
    mixed = paying.mixed(other=paying.card)
    paying.card.arm("authorize", TimeoutError("no answer"), after=True)
    with pytest.raises(TimeoutError):
        mixed.payment.authorize()
    again = paying.again(other=paying.card)
    again.resume()
    assert (again.state, again.attention) == (PaymentState.AUTHORIZED, None)
    assert paying.card.calls == ["authorize other-g1", "authorize other-g1"]
    again.capture()
    assert paying.card.kept == "30.00"


def test_an_authorization_that_is_continued_after_its_reservation_ended_reserves_again(paying: PayingShop) -> None:
    mixed = paying.mixed(other=paying.card)
    paying.card.arm("authorize", TimeoutError("no answer"))
    with pytest.raises(TimeoutError):
        mixed.payment.authorize()
    paying.jtl.advance(OVER_S)
    paying.gateway.balance("shop", mixed.jtl_code)  # the vendor's clock is known by its answers
    mixed.payment.authorize()
    assert mixed.payment.legs[0].generation == 2
    mixed.payment.capture()
    assert mixed.left == ("0.00", "0.00")


def test_an_authorized_payment_is_reopened_to_change_its_vouchers(paying: PayingShop) -> None:
    mixed = paying.mixed()
    mixed.payment.authorize()
    third = paying.jtl_code("15.00")
    with pytest.raises(PaymentConflict, match=r"call reopen\(\) first"):
        mixed.payment.add(third, account="shop")
    mixed.payment.reopen()
    assert mixed.payment.state is PaymentState.OPEN
    assert [leg.state.value for leg in mixed.payment.legs] == ["planned", "planned"]
    mixed.payment.add(third, account="shop")
    assert mixed.payment.due == euros("15.00")
    mixed.payment.authorize()
    mixed.payment.capture()
    assert mixed.left == ("0.00", "0.00")


def test_a_payment_that_is_reopened_voids_the_card_inside_and_authorizes_the_new_amount(paying: PayingShop) -> None:
    mixed = paying.mixed(other=paying.card)
    mixed.payment.authorize()
    mixed.payment.reopen()
    assert paying.card.authorized == {}
    mixed.payment.remove(2)
    mixed.payment.authorize()
    assert list(paying.card.authorized.values()) == [euros("40.00")]
    mixed.payment.capture()
    assert paying.card.kept == "40.00"
    assert mixed.left == ("0.00", "10.00")


def test_a_void_that_is_lost_while_a_payment_is_reopened_is_made_again(paying: PayingShop) -> None:
    mixed = paying.mixed(other=paying.card)
    mixed.payment.authorize()
    paying.card.arm("void", TimeoutError("no answer"))
    with pytest.raises(TimeoutError):
        mixed.payment.reopen()
    assert mixed.payment.state is PaymentState.OPEN
    paying.gateway.recover(other=paying.card)
    assert paying.card.authorized == {}
    assert mixed.payment.refresh().attention is None


def test_only_a_payment_of_which_nothing_is_decided_is_reopened(paying: PayingShop) -> None:
    mixed = paying.mixed()
    mixed.payment.reopen()
    mixed.payment.authorize()
    mixed.payment.capture()
    with pytest.raises(PaymentConflict, match="cannot be changed any more"):
        mixed.payment.reopen()
    assert mixed.left == ("0.00", "0.00")


@pytest.mark.parametrize("refusal", [NotExecuted("the card processor asks for fewer requests"), Declined("no")])
def test_a_card_that_refuses_after_a_lost_answer_is_voided(paying: PayingShop, refusal: VoucherGatewayError) -> None:
    mixed = paying.mixed(other=paying.card)
    paying.card.arm("authorize", TimeoutError(), after=True)
    paying.card.arm("authorize", refusal)
    with pytest.raises(TimeoutError):
        mixed.payment.authorize()
    with pytest.raises(PaymentDeclined):
        mixed.payment.authorize()
    assert paying.card.authorized == {}
    mixed.payment.authorize()
    assert [call.rpartition("-")[2] for call in paying.card.calls if call.startswith("authorize")] == ["g1", "g1", "g2"]
    mixed.payment.cancel()
    assert paying.card.authorized == {}


def test_a_card_whose_authorization_could_not_be_committed_is_not_forgotten(
    paying: PayingShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    mixed = paying.mixed(other=paying.card)
    commit = PaymentWork.commit

    def fail_once(work: PaymentWork, *arguments: Any, **changes: Any) -> None:
        if changes.get("state") is PaymentState.AUTHORIZED:
            monkeypatch.undo()
            raise DatabaseUnavailable("the disk is full")
        commit(work, *arguments, **changes)

    monkeypatch.setattr(PaymentWork, "commit", fail_once)
    with pytest.raises(DatabaseUnavailable):
        mixed.payment.authorize()
    mixed.payment.refresh().cancel()
    assert paying.card.authorized == {}
