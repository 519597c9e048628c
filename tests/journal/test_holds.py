"""Reservations as the journal knows them: one does not silently end another."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from voucher_gateway.commands.value import IfHeld
from voucher_gateway.provider_api import (
    AlreadyCaptured,
    Declined,
    InvalidRequest,
    Money,
    OperationInProgress,
    OutcomeUnknown,
    ReservationExpired,
    ReservationReleased,
    ReservationSuperseded,
    VoucherHeld,
    now,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.shop import Shop
    from voucher_gateway.provider_api import Reservation

TEN = Money("10.00", "EUR")
HALF_AN_HOUR = 30 * 60


@pytest.fixture
def held(shop: Shop) -> tuple[Shop, str, Reservation]:
    """A shop, a code, and the reservation of order 1001 on it."""
    _, code = shop.voucher()
    return shop, code, shop.gateway.reserve("shop", code, TEN, reference="1001-a", order="1001")


def test_the_same_order_replaces_its_own_reservation(held: tuple[Shop, str, Reservation]) -> None:
    shop, code, first = held
    second = shop.gateway.reserve("shop", code, Money("7.00", "EUR"), reference="1001-b", order="1001")
    before = shop.changes()
    with pytest.raises(ReservationSuperseded):
        shop.gateway.capture("shop", first, reference="1001-a")
    assert shop.changes() == before
    assert shop.gateway.capture("shop", second, reference="1001-b").money == Money("7.00", "EUR")


@pytest.mark.parametrize("order", ["1002", None])
@pytest.mark.parametrize("if_held", ["refuse", "replace-own"])
def test_another_orders_reservation_is_not_replaced(
    held: tuple[Shop, str, Reservation], order: str | None, if_held: IfHeld
) -> None:
    shop, code, first = held
    before = shop.changes()
    with pytest.raises(VoucherHeld):
        shop.gateway.reserve("shop", code, TEN, reference="1002-a", order=order, if_held=if_held)
    assert shop.changes() == before
    assert shop.gateway.operation("shop", "reserve", "1002-a") is None
    assert shop.gateway.capture("shop", first, reference="1001-a").money == TEN


def test_refuse_spares_ones_own_too(held: tuple[Shop, str, Reservation]) -> None:
    shop, code, _ = held
    with pytest.raises(VoucherHeld):
        shop.gateway.reserve("shop", code, TEN, reference="1001-b", order="1001", if_held="refuse")


def test_replace_ends_anybodys(held: tuple[Shop, str, Reservation]) -> None:
    shop, code, first = held
    second = shop.gateway.reserve("shop", code, TEN, reference="1002-a", order="1002", if_held="replace")
    with pytest.raises(ReservationSuperseded):
        shop.gateway.capture("shop", first, reference="1001-a")
    assert shop.gateway.capture("shop", second, reference="1002-a").money == TEN


def test_another_word_is_refused(held: tuple[Shop, str, Reservation]) -> None:
    shop, code, _ = held
    with pytest.raises(InvalidRequest, match="if_held"):
        shop.gateway.reserve("shop", code, TEN, reference="1002-a", if_held="perhaps")  # type: ignore[arg-type]


def test_a_redemption_does_not_end_another_orders_reservation(held: tuple[Shop, str, Reservation]) -> None:
    shop, code, first = held
    before = shop.changes()
    with pytest.raises(VoucherHeld):
        shop.redeem(code, reference="1002-a", order="1002")
    assert shop.changes() == before
    assert shop.redeem(code, reference="1003-a", order="1003", if_held="replace").money == TEN
    with pytest.raises(ReservationSuperseded):
        shop.gateway.capture("shop", first, reference="1001-a")


def test_a_reservation_of_another_voucher_does_not_matter(held: tuple[Shop, str, Reservation]) -> None:
    shop, _, _ = held
    _, other = shop.voucher()
    shop.gateway.reserve("shop", other, TEN, reference="1002-a", order="1002", if_held="refuse")


def test_a_captured_reservation_stands_in_nobodys_way(held: tuple[Shop, str, Reservation]) -> None:
    shop, code, first = held
    shop.gateway.capture("shop", first, reference="1001-a")
    shop.gateway.reserve("shop", code, TEN, reference="1002-a", order="1002", if_held="refuse")
    with pytest.raises(AlreadyCaptured):
        shop.gateway.capture("shop", first, reference="another-reference")
    with pytest.raises(AlreadyCaptured):
        shop.gateway.release("shop", first, reference="r")
    assert shop.charges() == 1


def test_a_reservation_is_over_by_the_vendors_clock(held: tuple[Shop, str, Reservation]) -> None:
    shop, code, first = held
    shop.running.clock.advance(HALF_AN_HOUR + 1)
    shop.gateway.find("nothing", broadcast=True)  # any answer tells the vendor's time
    with pytest.raises(ReservationExpired):
        shop.gateway.capture("shop", first, reference="1001-a")
    assert shop.charges() == 0
    shop.gateway.reserve("shop", code, TEN, reference="1002-a", order="1002", if_held="refuse")


def test_a_released_reservation_is_not_captured_although_the_vendor_still_holds_it(
    held: tuple[Shop, str, Reservation],
) -> None:
    shop, code, first = held
    release = shop.gateway.release("shop", first, reference="1001-r", order="1001")
    assert (release.freed, release.frees_at) == (False, first.valid_until)
    with pytest.raises(ReservationReleased):
        shop.gateway.capture("shop", first, reference="1001-a")
    assert shop.charges() == 0
    assert shop.gateway.release("shop", first, reference="1001-r").replayed
    shop.gateway.reserve("shop", code, TEN, reference="1002-a", order="1002", if_held="refuse")


def test_a_release_after_the_end_has_freed_the_value(held: tuple[Shop, str, Reservation]) -> None:
    shop, _, first = held
    shop.running.clock.advance(HALF_AN_HOUR + 1)
    shop.gateway.find("nothing", broadcast=True)
    release = shop.gateway.release("shop", first, reference="1001-r")
    assert (release.freed, release.frees_at) == (True, None)


@pytest.mark.parametrize("fault", ["commit-then-drop", "drop-before"])
def test_an_unknown_reservation_counts_until_it_would_be_over_at_the_latest(shop: Shop, fault: str) -> None:
    _, code = shop.voucher()
    shop.running.inject(fault, "POST /v1/reservations")
    with pytest.raises(OutcomeUnknown):
        shop.gateway.reserve("shop", code, TEN, reference="1001-a", order="1001")
    with pytest.raises(VoucherHeld):
        shop.redeem(code, reference="1002-a", order="1002")
    shop.running.clock.advance(HALF_AN_HOUR + 30)  # over at the vendor, but its request may have been under way
    shop.gateway.find("nothing", broadcast=True)
    with pytest.raises(VoucherHeld):
        shop.redeem(code, reference="1002-a", order="1002")
    shop.running.clock.advance(60)
    shop.gateway.find("nothing", broadcast=True)
    assert shop.redeem(code, reference="1002-a", order="1002").money == TEN


def test_a_refused_reservation_never_stood(shop: Shop) -> None:
    _, code = shop.voucher("5.00")
    with pytest.raises(Declined):
        shop.gateway.reserve("shop", code, TEN, reference="1001-a", order="1001")
    shop.gateway.reserve("shop", code, Money("5.00", "EUR"), reference="1002-a", order="1002", if_held="refuse")


def test_a_replayed_reservation_can_be_captured(held: tuple[Shop, str, Reservation]) -> None:
    shop, code, first = held
    again = shop.another_gateway().reserve("shop", code, TEN, reference="1001-a", order="1001")
    assert again == first
    assert again.valid_until is not None
    assert again.valid_until - now() < timedelta(minutes=31)
    assert shop.gateway.capture("shop", again, reference="1001-a").money == TEN


def test_a_second_capture_waits_until_the_first_is_known(held: tuple[Shop, str, Reservation]) -> None:
    """Whether the vendor takes a reservation twice is not documented."""
    shop, _, first = held
    shop.running.inject("drop-before", "POST /v1/reservations/*/charge")
    with pytest.raises(OutcomeUnknown):
        shop.gateway.capture("shop", first, reference="1001-a")
    with pytest.raises(OperationInProgress, match="is not known"):
        shop.gateway.capture("shop", first, reference="1001-b")
    assert shop.charges() == 1


def test_holds_are_seen_by_every_gateway_of_the_journal(make_shop: Callable[..., Shop], postgres_url: str) -> None:
    shop = make_shop(postgres_url)
    _, code = shop.voucher()
    first = shop.gateway.reserve("shop", code, TEN, reference="1001-a", order="1001")
    other = shop.another_gateway()
    with pytest.raises(VoucherHeld):
        other.redeem("shop", code, TEN, reference="1002-a", order="1002")
    other.reserve("shop", code, TEN, reference="1002-b", order="1002", if_held="replace")
    with pytest.raises(ReservationSuperseded):
        shop.gateway.capture("shop", first, reference="1001-a")
