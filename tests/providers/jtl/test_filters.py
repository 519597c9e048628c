"""The 16 filters of the list and its order, over real HTTP."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from voucher_gateway.provider_api import (
    Code,
    Interval,
    Medium,
    Money,
    NewVoucher,
    SecretSource,
    Status,
    Validity,
    VoucherQuery,
)
from voucher_gateway_jtl.capabilities import DECLARED

if TYPE_CHECKING:
    from voucher_gateway.simulator import RunningSimulator
    from voucher_gateway_jtl import JtlProvider

BEGIN = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


@attrs.frozen
class Stock:
    """A vendor with four vouchers, made a day apart by two logins of two groups."""

    shop: JtlProvider
    till: JtlProvider
    till_group: str


@pytest.fixture
def stock(start_jtl: Callable[..., RunningSimulator], make_adapter: Callable[..., JtlProvider]) -> Stock:
    jtl = start_jtl(start=BEGIN)
    shop = make_adapter(jtl)
    login = shop.connect(jtl.announcement["base_url"], jtl.announcement["connect_pin"])
    till = make_adapter(jtl, client_id=login["client_id"], client_secret=SecretSource.of(login["client_secret"]))
    group = "the-till-group"
    jtl.simulator.clients.by_id[till.login].client_group_id = group  # type: ignore[attr-defined]  # the JTL simulator's

    def issue(who: JtlProvider, id: str, amount: str, **fields: Any) -> None:
        who.issue(NewVoucher(initial=Money(amount, "EUR"), id=id, code=f"C-{id}", **fields), reference="r")

    issue(shop, "a", "10.00", sku="MUG", batch="Spring", active=True, validity=Validity(10, Interval.DAYS))
    jtl.clock.advance(DAY.total_seconds())
    issue(till, "b", "25.00", sku="MUG +1", batch="Ü 1", active=True, validity=Validity(20, Interval.DAYS))
    jtl.clock.advance(DAY.total_seconds())
    issue(shop, "c", "10.00", medium=Medium.PRINT, taxable=True, tax_rate="19", sku="a,b")
    jtl.clock.advance(DAY.total_seconds())
    issue(shop, "d", "10.00", active=True, validity=Validity(30, Interval.DAYS), taxable=True, tax_rate="7.00")
    shop.capture(shop.reserve("C-d", Money("10.00", "EUR"), reference="r"), reference="r")
    return Stock(shop, till, group)


def _ids(shop: JtlProvider, **query: Any) -> str:
    return "".join(voucher.id for voucher in shop.vouchers(VoucherQuery(**query)))


COMMON: list[tuple[str, Any, str]] = [
    ("code", "C-b", "b"),
    ("code", "C-", ""),
    ("status", Status.ACTIVE, "abd"),
    ("status", Status.INACTIVE, "c"),
    ("created_from", BEGIN + DAY / 2, "bcd"),
    ("created_to", BEGIN + DAY * 1.5, "ab"),
    ("valid_until_from", BEGIN + 15 * DAY, "bd"),
    ("valid_until_to", BEGIN + 25 * DAY, "ab"),
    ("sku", "MUG", "a"),
    ("sku", "MUG +1", "b"),
    ("batch", "Ü 1", "b"),
    ("has_value", True, "abc"),
    ("has_value", False, "d"),
]


@pytest.mark.parametrize(("name", "value", "expected"), COMMON)
def test_a_common_filter_finds_what_it_says(stock: Stock, name: str, value: Any, expected: str) -> None:
    assert _ids(stock.shop, **{name: value}) == expected


def test_every_common_filter_that_is_declared_was_tried() -> None:
    assert {name for name, *_ in COMMON} == DECLARED.listing.filters


NATIVE: list[tuple[str, str, str]] = [
    ("created_from", "2026-03-02T12:00:00Z", "bcd"),
    ("created_from", "2026-03-02T13:30:00+01:00", "cd"),
    ("created_to", "2026-03-02T13:30:00+01:00", "ab"),
    ("valid_until_from", "2026-03-21T12:00:00+00:00", "bd"),
    ("valid_until_to", "2026-03-21T12:00:00+00:00", "a"),
    ("client_id", "{shop}", "acd"),
    ("client_id", "{till}", "b"),
    ("client.client_group_id", "{group}", "b"),
    ("code", "C-c", "c"),
    ("id", "d", "d"),
    ("sku", "a,b", "c"),
    ("type", "print", "c"),
    ("type", "digital", "abd"),
    ("amount", "10.00", "acd"),
    ("status", "active", "abd"),
    ("status", "active,inactive", "abcd"),
    ("batch", "Spring", "a"),
    ("remaining_amount", "false", "d"),
    ("taxable", "true", "cd"),
    ("taxable", "false", "ab"),
    ("tax_rate", "7.00", "d"),
]


@pytest.mark.parametrize(("name", "value", "expected"), NATIVE)
def test_a_native_filter_finds_what_it_says(stock: Stock, name: str, value: str, expected: str) -> None:
    text = value.format(shop=stock.shop.login, till=stock.till.login, group=stock.till_group)
    assert _ids(stock.shop, native={name: text}) == expected


def test_every_native_filter_of_the_vendor_was_tried() -> None:
    assert {name for name, *_ in NATIVE} == DECLARED.listing.native_filters
    assert len(DECLARED.listing.native_filters) == 16


def test_filters_narrow_one_another(stock: Stock) -> None:
    assert _ids(stock.shop, status=Status.ACTIVE, has_value=True, native={"amount": "10.00"}) == "a"


def test_a_repeated_status_means_the_same(stock: Stock) -> None:
    with type(stock.shop)("shop", attrs.evolve(stock.shop.settings, array_style="repeat")) as other:
        assert _ids(other, native={"status": "active,inactive"}) == "abcd"
        assert _ids(other, status=Status.INACTIVE) == "c"


def test_the_oldest_come_first_unless_the_newest_are_wanted(stock: Stock) -> None:
    assert _ids(stock.shop) == "abcd"
    assert _ids(stock.shop, newest_first=False) == "abcd"
    assert _ids(stock.shop, newest_first=True) == "dcba"
    assert _ids(stock.shop, newest_first=True, limit=2) == "dc"


def test_what_is_found_by_code_carries_the_code(stock: Stock) -> None:
    (voucher,) = stock.shop.vouchers(VoucherQuery(code="C-b"))
    assert voucher.code == Code("C-b")
    assert all(voucher.code is None for voucher in stock.shop.vouchers())
