"""A reservation whose answer was lost is made again under the same reference, where a second one replaces the first."""

from __future__ import annotations

import pytest

from tests.support.shop import Shop
from voucher_gateway.journal.records import OperationState
from voucher_gateway.provider_api import (
    Money,
    OutcomeUnknown,
    ProviderUnavailable,
    Rejected,
    Reservation,
    ReservationSuperseded,
    VoucherHeld,
)

TEN = Money("10.00", "EUR")
RESERVE = "POST /v1/reservations"
HALF_AN_HOUR_S = 30 * 60


def _reserve(shop: Shop, code: str, money: Money = TEN) -> Reservation:
    return shop.gateway.reserve("shop", code, money, reference="1001-a", order="1001")


def _lose(shop: Shop, code: str, fault: str = "drop-before") -> None:
    shop.running.inject(fault, RESERVE)
    with pytest.raises(OutcomeUnknown):
        _reserve(shop, code)


@pytest.mark.parametrize("fault", ["commit-then-drop", "drop-before", "html"])
def test_the_same_reference_reserves_again_at_once(either_shop: Shop, fault: str) -> None:
    voucher_id, code = either_shop.voucher()
    _lose(either_shop, code, fault)
    held = _reserve(either_shop, code)
    assert not held.replayed
    assert _reserve(either_shop, code).replayed
    assert either_shop.changes().count(RESERVE) == 2
    either_shop.gateway.capture("shop", held, reference="1001-a")
    assert either_shop.remaining(voucher_id) == "40.00"


def test_the_new_reservation_takes_the_place_of_the_doubtful_one(shop: Shop) -> None:
    _, code = shop.voucher()
    _lose(shop, code)
    held = _reserve(shop, code)
    with pytest.raises(VoucherHeld):
        shop.gateway.reserve("shop", code, TEN, reference="1002-a", order="1002")
    shop.gateway.capture("shop", held, reference="1001-a")
    assert shop.gateway.reserve("shop", code, TEN, reference="1002-a", order="1002").money == TEN


def test_a_repeat_that_is_lost_too_can_be_made_again(shop: Shop) -> None:
    _, code = shop.voucher()
    _lose(shop, code)
    _lose(shop, code, "commit-then-drop")
    assert _reserve(shop, code).money == TEN


def test_a_repeat_that_is_refused_leaves_the_first_in_doubt(shop: Shop) -> None:
    voucher_id, code = shop.voucher()
    _lose(shop, code, "commit-then-drop")
    shop.request("PATCH", f"/vouchers/{voucher_id}/status", {"status": "inactive", "comment": "stolen"})
    with pytest.raises(OutcomeUnknown, match="the outcome of an earlier attempt is unknown"):
        _reserve(shop, code)
    shop.request("PATCH", f"/vouchers/{voucher_id}/status", {"status": "active", "comment": "found"})
    with pytest.raises(VoucherHeld):
        shop.gateway.reserve("shop", code, TEN, reference="1002-a", order="1002")
    shop.running.clock.advance(HALF_AN_HOUR_S + 120)
    assert shop.gateway.recover(everything=True)[0].state is OperationState.NOT_EXECUTED
    assert shop.gateway.reserve("shop", code, TEN, reference="1002-a", order="1002").money == TEN


def test_a_first_request_that_arrives_after_its_repeat_has_superseded_it(shop: Shop) -> None:
    """The vendor gets the lost request in the end, and takes it for the later one."""
    voucher_id, code = shop.voucher()
    _lose(shop, code)
    held = _reserve(shop, code)
    shop.request("POST", "/reservations", {"amount": "10.00", "currency": "EUR", "code": code})
    with pytest.raises(ReservationSuperseded, match="may have arrived later") as caught:
        shop.gateway.capture("shop", held, reference="1001-a")
    assert (caught.value.outcome, caught.value.http_status) == ("declined", 404)
    assert shop.remaining(voucher_id) == "50.00"
    again = shop.gateway.reserve("shop", code, TEN, reference="1001-b", order="1001")
    shop.gateway.capture("shop", again, reference="1001-b")
    assert shop.remaining(voucher_id) == "40.00"


def test_a_late_first_request_of_a_redemption_has_superseded_its_reservation(shop: Shop) -> None:
    voucher_id, code = shop.voucher()
    shop.running.inject("drop-before", RESERVE)
    with pytest.raises(ProviderUnavailable, match="nothing was taken"):
        shop.redeem(code, order="1001")
    shop.running.inject("replace-reservation", "POST /v1/reservations/*/charge")
    with pytest.raises(ReservationSuperseded):
        shop.redeem(code, order="1001")
    assert shop.redeem(code, order="1001").money == TEN
    assert shop.remaining(voucher_id) == "40.00"


def test_a_refused_capture_whose_reservation_was_never_in_doubt_is_told_as_refused(shop: Shop) -> None:
    _, code = shop.voucher()
    held = _reserve(shop, code)
    shop.running.inject("replace-reservation", "POST /v1/reservations/*/charge")
    with pytest.raises(Rejected):
        shop.gateway.capture("shop", held, reference="1001-a")
