"""Listings that a plan can rest on, at both vendors over real HTTP."""

from __future__ import annotations

import threading
from collections.abc import Callable
from urllib.parse import parse_qsl

import pytest

from tests.migration.plan.conftest import Vendors
from voucher_gateway.migration.plan.scan import SecretReader
from voucher_gateway.migration.rate_limit import Rates
from voucher_gateway.provider_api import Money, Voucher, VoucherQuery

ACCOUNTS = pytest.mark.parametrize("account", ["shop", "events"])


@pytest.fixture
def estates(make_vendors: Callable[..., Vendors]) -> Vendors:
    """Two vendors whose lists take several pages."""
    return make_vendors(jtl_vouchers=95, ticketing_vouchers=95, page_size=20)


@ACCOUNTS
@pytest.mark.parametrize(("first", "then"), [(3, None), (3, 50), (30, 5), (1, 1), (None, 2)])
def test_a_listing_goes_on_whatever_the_limits_are(
    estates: Vendors, account: str, first: int | None, then: int | None
) -> None:
    everything = [one.id for one in estates.gateway.vouchers(account)]
    with estates.gateway.vouchers(account, VoucherQuery(limit=first)) as listing:
        begun = [next(listing).id for _ in range(first or 41)]
    more = VoucherQuery(limit=then, resume=listing.resume_token)
    with estates.gateway.vouchers(account, more) as rest:
        found = [one.id for one in rest]
    assert begun + found == everything[: len(begun) + len(found)]
    assert len(found) == (then or len(everything) - len(begun))
    assert rest.report.seen == len(begun) + len(found)
    assert rest.report.consistent in (None, True)


@ACCOUNTS
def test_a_voucher_that_comes_while_the_list_is_read_makes_it_inconsistent(estates: Vendors, account: str) -> None:
    running, path = {"shop": (estates.jtl, "/v1/vouchers"), "events": (estates.ticketing, "/api/vouchers")}[account]
    running.inject("insert-while-paging", match=f"GET {path}", after=1)
    with estates.gateway.vouchers(account) as listing:
        assert len(list(listing)) >= 95
    assert listing.report.consistent is False


def test_new_vouchers_in_front_of_a_list_hide_nothing_and_are_told(make_vendors: Callable[..., Vendors]) -> None:
    vendors = make_vendors(ticketing_vouchers=60, page_size=20, ticketing_list_order="newest-first")
    before = {one.id for one in vendors.gateway.vouchers("events")}
    vendors.ticketing.inject("insert-while-paging", match="GET /api/vouchers", after=1, times=3)
    with vendors.gateway.vouchers("events") as listing:
        found = [one.id for one in listing]
    assert before <= set(found)
    assert len(found) == len(set(found))
    assert listing.report.consistent is False
    assert "entries moved from one page to another" in listing.report.problems


def test_the_pages_of_ticketing_overlap(estates: Vendors) -> None:
    list(estates.gateway.vouchers("events"))
    asked = [dict(parse_qsl(one.query)) for one in estates.ticketing.requests if one.path == "/api/vouchers"]
    slices = sorted((int(one["skip"]), int(one["top"])) for one in asked)
    assert slices == [(0, 20), (19, 20), (38, 20), (57, 20), (76, 20)]


def test_a_listed_voucher_that_is_gone_when_its_code_is_read_is_noted(estates: Vendors) -> None:
    secrets = SecretReader(estates.gateway.provider("shop"), Rates({}, threading.Event()))
    money = Money("5.00", "EUR")
    left = secrets.complete(Voucher(account="shop", id="gone", initial=money, remaining=money))
    assert left.remaining is None
    assert secrets.gone == ["gone"]
