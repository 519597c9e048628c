"""Redeeming by a reservation and its capture, at JTL."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from voucher_gateway import (
    Declined,
    Gateway,
    InsufficientValue,
    Money,
    NewVoucher,
    OutcomeUnknown,
    Voucher,
)
from voucher_gateway.simulator import RunningSimulator

CHARGE = "POST /v1/reservations/*/charge"


@pytest.fixture
def jtl(start_vendor: Callable[..., RunningSimulator]) -> RunningSimulator:
    return start_vendor("jtl")


@pytest.fixture
def gateway(jtl: RunningSimulator, open_gateway: Callable[..., Gateway]) -> Gateway:
    return open_gateway(jtl, tries=1)


@pytest.fixture
def voucher(gateway: Gateway) -> Voucher:
    new = NewVoucher(initial=Money("50.00", "EUR"), code="JTL-0001", active=True)
    return gateway.issue("shop", new, reference="i-1")


def redeem(gateway: Gateway, amount: str = "20.00") -> object:
    return gateway.redeem("shop", "JTL-0001", Money(amount, "EUR"), reference="r-1", order="1001")


def books(jtl: RunningSimulator) -> tuple[object, object, int]:
    (entry,) = jtl.ledger()
    assert isinstance(entry["movements"], list)
    return entry["remaining"], entry["reserved"], len(entry["movements"])


def changing(jtl: RunningSimulator) -> list[str]:
    return [record.path.rsplit("/", 1)[-1] for record in jtl.requests if "reservations" in record.path]


def test_it_is_one_reservation_and_one_capture(gateway: Gateway, voucher: Voucher, jtl: RunningSimulator) -> None:
    redeem(gateway)
    assert changing(jtl) == ["reservations", "charge"]
    assert books(jtl) == ("30.00", "0.00", 1)


def test_a_refused_reservation_ends_it_and_nothing_is_captured(
    gateway: Gateway, voucher: Voucher, jtl: RunningSimulator
) -> None:
    with pytest.raises(InsufficientValue):
        redeem(gateway, "50.01")
    assert changing(jtl) == ["reservations"]
    assert books(jtl) == ("50.00", "0.00", 0)


def test_a_refused_capture_leaves_only_a_reservation_that_lapses(
    gateway: Gateway, voucher: Voucher, jtl: RunningSimulator
) -> None:
    jtl.inject("replace-reservation", CHARGE)
    with pytest.raises(Declined):
        redeem(gateway)
    assert changing(jtl) == ["reservations", "charge"]
    remaining, _, movements = books(jtl)
    assert (remaining, movements) == ("50.00", 0)
    jtl.clock.advance(31 * 60)
    assert books(jtl) == ("50.00", "0.00", 0)


def test_a_crash_between_the_two_leaves_only_a_reservation_that_lapses(
    gateway: Gateway, voucher: Voucher, jtl: RunningSimulator
) -> None:
    class Crash(BaseException):
        """As sudden as the end of the process."""

    provider = gateway.provider("shop")

    def crash(*_: object, **__: object) -> object:
        raise Crash

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(provider, "capture", crash)
        with pytest.raises(Crash):
            redeem(gateway)
    assert books(jtl) == ("50.00", "20.00", 0)
    jtl.clock.advance(31 * 60)
    assert books(jtl) == ("50.00", "0.00", 0)


def test_a_capture_whose_answer_is_lost_is_of_unknown_outcome_with_a_ticket_of_the_capture(
    gateway: Gateway, voucher: Voucher, jtl: RunningSimulator
) -> None:
    jtl.inject("commit-then-drop", CHARGE)
    with pytest.raises(OutcomeUnknown) as caught:
        redeem(gateway)
    ticket = caught.value.ticket
    assert (ticket.verb, ticket.voucher_id, ticket.amount, ticket.order) == ("capture", voucher.id, "20.00", "1001")
    assert books(jtl) == ("30.00", "0.00", 1)


def test_a_reservation_whose_answer_is_lost_takes_nothing(
    gateway: Gateway, voucher: Voucher, jtl: RunningSimulator
) -> None:
    jtl.inject("commit-then-drop", "POST /v1/reservations")
    with pytest.raises(OutcomeUnknown) as caught:
        redeem(gateway)
    assert caught.value.ticket.verb == "reserve"
    assert changing(jtl) == ["reservations"]
    assert books(jtl) == ("50.00", "20.00", 0)


def test_a_redemption_takes_what_the_vendor_captured_and_says_which_reservation_it_was(
    gateway: Gateway, voucher: Voucher
) -> None:
    taken = gateway.redeem("shop", "JTL-0001", Money("0.01", "EUR"), reference="r-1")
    assert taken.money == Money("0.01", "EUR")
    assert taken.reservation_id is not None
    assert gateway.balance("shop", "JTL-0001").remaining == Money("49.99", "EUR")
