"""Reservations whose rest stays reserved after a capture of a part."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.holding import CODE, HoldingVendor
from tests.support.simulators import JOURNAL_KEYS, make_journal_keys
from voucher_gateway import Gateway
from voucher_gateway.journal.journal import open_journal
from voucher_gateway.provider_api import AlreadyCaptured, Code, Money, Reservation, ReservationReleased

TEN = Money("10.00", "EUR")


@pytest.fixture
def gateway(either_url: str) -> Iterator[Gateway]:
    with Gateway({"shop": HoldingVendor()}, journal=open_journal(either_url, make_journal_keys(JOURNAL_KEYS))) as shop:
        yield shop


@pytest.fixture
def reservation(gateway: Gateway) -> Reservation:
    return gateway.reserve("shop", CODE, TEN, reference="hold", order="1001")


def active_amounts(gateway: Gateway) -> list[str]:
    assert gateway.journal is not None
    at = gateway.provider("shop").vendor_now()
    return [str(hold.money) for hold, _ in gateway.journal.active_holds(account="shop", at=at)]


def test_a_part_is_captured_and_the_rest_stays_reserved(gateway: Gateway, reservation: Reservation) -> None:
    gateway.capture("shop", reservation, Money("4.00", "EUR"), reference="first")
    assert active_amounts(gateway) == ["6.00 EUR"]
    assert gateway.journal is not None
    provider = gateway.provider("shop")
    assert gateway.journal.is_reserved(Code(CODE), provider=provider.name, host=provider.host, at=provider.vendor_now())


def test_a_reservation_is_captured_in_parts_until_nothing_is_left(gateway: Gateway, reservation: Reservation) -> None:
    gateway.capture("shop", reservation, Money("4.00", "EUR"), reference="first")
    gateway.capture("shop", reservation, Money("6.00", "EUR"), reference="second")
    assert active_amounts(gateway) == []
    with pytest.raises(AlreadyCaptured):
        gateway.capture("shop", reservation, Money("0.01", "EUR"), reference="third")
    assert gateway.operation("shop", "capture", "third") is None


def test_the_rest_can_be_released(gateway: Gateway, reservation: Reservation) -> None:
    gateway.capture("shop", reservation, Money("4.00", "EUR"), reference="first")
    assert gateway.release("shop", reservation, reference="end").freed
    assert active_amounts(gateway) == []
    with pytest.raises(ReservationReleased):
        gateway.capture("shop", reservation, Money("6.00", "EUR"), reference="second")


def test_a_capture_that_is_replayed_takes_nothing_more_of_the_rest(gateway: Gateway, reservation: Reservation) -> None:
    for _ in range(2):
        gateway.capture("shop", reservation, Money("4.00", "EUR"), reference="first")
    assert active_amounts(gateway) == ["6.00 EUR"]
