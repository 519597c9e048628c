"""The capture of a reservation that is over says so, by the clock of the very answer that refuses it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from voucher_gateway.provider_api import Money, NewVoucher, Rejected, ReservationExpired
from voucher_gateway.simulator import RunningSimulator
from voucher_gateway_jtl import JtlProvider

if TYPE_CHECKING:
    from tests.support.shop import Shop

TEN = Money("10.00", "EUR")
CHARGE = "POST /v1/reservations/*/charge"
OVER_S = 31 * 60


def test_an_adapter_that_has_heard_nothing_yet_says_that_the_reservation_is_over(
    jtl: RunningSimulator, adapter: JtlProvider, make_adapter: Callable[..., JtlProvider]
) -> None:
    adapter.issue(NewVoucher(initial=TEN, code="C", active=True), reference="i")
    reservation = adapter.reserve("C", TEN, reference="r")
    jtl.clock.advance(OVER_S)
    with pytest.raises(ReservationExpired) as caught:
        make_adapter(jtl).capture(reservation, reference="c")
    assert (caught.value.outcome, caught.value.http_status) == ("declined", 404)
    assert caught.value.vendor_code is not None


def test_a_gateway_of_another_process_says_so_too(shop: Shop) -> None:
    voucher_id, code = shop.voucher()
    reservation = shop.gateway.reserve("shop", code, TEN, reference="a", order="1001")
    shop.running.clock.advance(OVER_S)
    with pytest.raises(ReservationExpired):
        shop.another_gateway().capture("shop", reservation, reference="a")
    assert shop.remaining(voucher_id) == "50.00"


def test_a_reservation_that_ended_early_is_not_said_to_be_over(jtl: RunningSimulator, adapter: JtlProvider) -> None:
    adapter.issue(NewVoucher(initial=TEN, code="C", active=True), reference="i")
    reservation = adapter.reserve("C", TEN, reference="r")
    jtl.inject("replace-reservation", CHARGE)
    with pytest.raises(Rejected):
        adapter.capture(reservation, reference="c")


def test_a_second_capture_after_the_end_is_not_said_to_have_come_too_late(
    jtl: RunningSimulator, adapter: JtlProvider
) -> None:
    """Whoever hears that a reservation is over reserves again: after a capture that would take the money twice."""
    adapter.issue(NewVoucher(initial=TEN, code="C", active=True), reference="i")
    reservation = adapter.reserve("C", TEN, reference="r")
    adapter.capture(reservation, reference="c")
    jtl.clock.advance(OVER_S)
    with pytest.raises(Rejected):
        adapter.capture(reservation, reference="c")
