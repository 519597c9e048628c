"""Codes that customers type into a checkout are counted by the guess guard, together with those of `check`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from tests.checks.shelf import Shelf
from voucher_gateway import (
    Account,
    CheckLimits,
    CurrencyMismatch,
    Gateway,
    InvalidRequest,
    Money,
    NewVoucher,
    ProviderUnavailable,
    TooManyChecks,
    VoucherInactive,
    VoucherNotFound,
    WrongPin,
)
from voucher_gateway.checks.schema import checks
from voucher_gateway.payments.payment import Payment

if TYPE_CHECKING:
    from tests.payments.conftest import PayingShop

CALLER = "203.0.113.7"


@pytest.fixture
def gateway(paying: PayingShop) -> Gateway:
    """The shop's gateway, with three guesses for a caller."""
    limits = CheckLimits(caller_guesses=3, unusable_time_s=0)
    return Gateway(paying.gateway.accounts, journal=paying.gateway.journal, check_limits=limits)


@pytest.fixture
def payment(gateway: Gateway) -> Payment:
    return gateway.payment("1001", total=Money("60.00", "EUR"))


def costs(gateway: Gateway) -> list[int]:
    assert gateway.journal is not None
    with gateway.journal.database.read() as connection:
        return list(connection.scalars(sa.select(checks.c.cost).order_by(checks.c.checked_at)))


def test_codes_that_cannot_be_used_are_refused_after_the_limit(
    paying: PayingShop, payment: Payment, gateway: Gateway
) -> None:
    for _ in range(3):
        with pytest.raises(VoucherNotFound):
            payment.add("JTL-GONE", account="shop", caller=CALLER)
    code = paying.jtl_code()
    before = len(paying.jtl.requests)
    with pytest.raises(TooManyChecks):
        payment.add(code, account="shop", caller=CALLER)
    with pytest.raises(TooManyChecks):
        gateway.check("JTL-GONE", account="shop", caller=CALLER)
    assert len(paying.jtl.requests) == before
    payment.add(code, account="shop", caller="203.0.113.8")
    assert costs(gateway) == [10, 10, 10, 1]


def test_a_voucher_that_pays_costs_little_and_one_that_is_not_active_as_much_as_an_unknown_one(
    paying: PayingShop, payment: Payment, gateway: Gateway
) -> None:
    payment.add(paying.jtl_code("20.00"), account="shop", caller=CALLER)
    gateway.issue("shop", NewVoucher(initial=Money("5.00", "EUR"), code="JTL-NEW", active=False), reference="new")
    with pytest.raises(VoucherInactive):
        payment.add("JTL-NEW", account="shop", caller=CALLER)
    with pytest.raises(CurrencyMismatch):
        payment.add(paying.jtl_code(currency="USD"), account="shop", caller=CALLER)
    assert costs(gateway) == [1, 10, 1]


def test_a_vendor_that_is_down_costs_nothing(paying: PayingShop, payment: Payment, gateway: Gateway) -> None:
    paying.jtl.inject("error-before", "GET *", times=None)
    for _ in range(5):
        with pytest.raises(ProviderUnavailable):
            payment.add("JTL-GONE", account="shop", caller=CALLER)
    assert costs(gateway) == []


def test_without_a_caller_nothing_is_counted(paying: PayingShop, payment: Payment) -> None:
    for _ in range(5):
        with pytest.raises(VoucherNotFound):
            payment.add("JTL-GONE", account="shop")
    payment.add(paying.jtl_code(), account="shop")


# --- several accounts ---


@pytest.fixture
def at_shelves(sqlite_url: str) -> Iterator[tuple[Gateway, Payment, Shelf, Shelf]]:
    """Two vendors in memory whose codes have the same form."""
    shelves = Shelf("shop", {}), Shelf("events", {})
    accounts = [Account(name=shelf.account, provider=shelf, code_pattern=re.compile("^GIFT-")) for shelf in shelves]
    limits = CheckLimits(unusable_time_s=0)
    with Gateway(accounts, journal=sqlite_url, check_limits=limits) as gateway:
        yield gateway, gateway.payment("1001", total=Money("60.00", "EUR")), *shelves


def test_a_vendor_that_is_down_is_not_a_way_to_guess_at_another(
    at_shelves: tuple[Gateway, Payment, Shelf, Shelf],
) -> None:
    gateway, payment, shop, events = at_shelves
    shop.default = ProviderUnavailable("down")
    with pytest.raises(ProviderUnavailable):
        payment.add("GIFT-1", caller=CALLER)
    assert costs(gateway) == [10]
    events.default = ProviderUnavailable("down")
    with pytest.raises(ProviderUnavailable):
        payment.add("GIFT-1", caller=CALLER)
    assert costs(gateway) == [10]


def test_a_wrong_pin_is_told_as_such_and_counts_as_a_guess(
    at_shelves: tuple[Gateway, Payment, Shelf, Shelf],
) -> None:
    gateway, payment, shop, _ = at_shelves
    shop.answers["GIFT-1"] = WrongPin("the PIN is wrong")
    with pytest.raises(WrongPin):
        payment.add("GIFT-1", "0000", caller=CALLER)
    assert costs(gateway) == [10]


def test_what_cannot_be_a_code_is_not_a_vendor_that_is_down(
    at_shelves: tuple[Gateway, Payment, Shelf, Shelf],
) -> None:
    gateway, payment, shop, _ = at_shelves
    shop.answers["GIFT-1"] = InvalidRequest("pin must have 4 digits", field="pin", rule="4 digits")
    with pytest.raises(InvalidRequest, match="4 digits"):
        payment.add("GIFT-1", "12345", caller=CALLER)
    assert costs(gateway) == [10]
