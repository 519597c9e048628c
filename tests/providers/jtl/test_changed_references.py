"""A vendor that keeps another order number than it was sent: a lost charge is never taken a second time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from voucher_gateway.journal.records import OperationKey, OperationState
from voucher_gateway.provider_api import Effect, Intent, Money, Operation, OutcomeUnknown

if TYPE_CHECKING:
    from tests.support.shop import Shop

CHARGE = "POST /v1/reservations/*/charge"
WAYS = ["cut", "upper", "replace", "strip"]
OVER_S = 32 * 60


def _lose_a_charge(shop: Shop, code: str, reference: str, fault: str = "commit-then-drop") -> OperationKey:
    shop.running.inject(fault, CHARGE)
    with pytest.raises(OutcomeUnknown):
        shop.redeem(code, reference=reference, order="order-number-1001")
    return OperationKey("shop", Operation.REDEEM, reference)


@pytest.mark.parametrize("way", WAYS)
def test_a_lost_charge_under_a_changed_order_number_is_not_taken_again(shop: Shop, way: str) -> None:
    voucher_id, code = shop.voucher()
    shop.running.inject("rewrite-reference", CHARGE, times=0, how=way)
    key = _lose_a_charge(shop, code, "a")
    shop.running.clock.advance(OVER_S)
    assert shop.gateway.resolve(key).state is OperationState.UNKNOWN
    with pytest.raises(OutcomeUnknown):
        shop.redeem(code, reference="a", order="order-number-1001")
    assert shop.charges() == 1
    assert shop.remaining(voucher_id) == "40.00"


@pytest.mark.parametrize("way", WAYS)
def test_an_account_whose_vendor_changes_order_numbers_proves_nothing_by_absence(
    shop: Shop, way: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The reply to the first charge shows the change; another process and a later charge are bound by it."""
    voucher_id, code = shop.voucher()
    shop.running.inject("rewrite-reference", CHARGE, how=way)
    assert shop.redeem(code, reference="a", order="order-number-1001").reference == "a"
    assert "changes references: its history cannot prove that a call was not executed" in caplog.text
    key = _lose_a_charge(shop, code, "b", fault="drop-before")
    shop.running.clock.advance(OVER_S)
    resolution = shop.another_gateway().resolve(key)
    assert resolution.state is OperationState.UNKNOWN
    assert "changes the references" in resolution.reason
    assert shop.remaining(voucher_id) == "40.00"


def test_charges_that_other_operations_have_claimed_do_not_stand_against_absence(shop: Shop) -> None:
    voucher_id, code = shop.voucher()
    key = _lose_a_charge(shop, code, "a", fault="drop-before")
    assert shop.redeem(code, reference="b", if_held="replace").money == Money("10.00", "EUR")
    shop.running.clock.advance(OVER_S)
    assert shop.gateway.resolve(key).state is OperationState.NOT_EXECUTED
    assert shop.redeem(code, reference="a", order="order-number-1001").money == Money("10.00", "EUR")
    assert shop.remaining(voucher_id) == "30.00"


def test_the_charge_of_another_operation_in_doubt_does_not_stand_against_absence(shop: Shop) -> None:
    _, code = shop.voucher()
    lost = _lose_a_charge(shop, code, "a", fault="drop-before")
    shop.running.clock.advance(OVER_S)
    done = _lose_a_charge(shop, code, "b")
    assert shop.gateway.resolve(lost).state is OperationState.NOT_EXECUTED
    assert shop.gateway.resolve(done).state is OperationState.SUCCEEDED


def test_a_charge_of_our_login_that_nobody_claims_stands_against_absence(shop: Shop) -> None:
    """It may be ours under a changed order number, or another program's with the same login."""
    _, code = shop.voucher()
    key = _lose_a_charge(shop, code, "a", fault="drop-before")
    hold = shop.request("POST", "/reservations", {"amount": "10.00", "currency": "EUR", "code": code})
    shop.request("POST", f"/reservations/{hold['id']}/charge", {"order_number": "till-7"})
    shop.running.clock.advance(OVER_S)
    resolution = shop.gateway.resolve(key)
    assert resolution.state is OperationState.UNKNOWN
    assert "could be this one" in resolution.reason


def test_charges_of_another_amount_do_not_stand_against_absence(shop: Shop) -> None:
    _, code = shop.voucher()
    key = _lose_a_charge(shop, code, "a", fault="drop-before")
    hold = shop.request("POST", "/reservations", {"amount": "7.00", "currency": "EUR", "code": code})
    shop.request("POST", f"/reservations/{hold['id']}/charge", {"order_number": "till-7"})
    shop.running.clock.advance(OVER_S)
    assert shop.gateway.resolve(key).state is OperationState.NOT_EXECUTED


def test_without_a_journal_a_charge_that_could_be_ours_leaves_the_outcome_unknown(shop: Shop) -> None:
    provider = shop.provider()
    _, code = shop.voucher()
    hold = provider.reserve(code, Money("10.00", "EUR"), reference="r-1")
    shop.running.inject("rewrite-reference", CHARGE)
    shop.running.inject("commit-then-drop", CHARGE)
    with pytest.raises(OutcomeUnknown) as caught:
        provider.capture(hold, reference="r-1")
    shop.running.clock.advance(OVER_S)
    assert provider.resolve(Intent.from_ticket(caught.value.ticket)).effect is Effect.UNKNOWN
