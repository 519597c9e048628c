"""The list of vouchers: filters, order, totals, and pages that miss nothing."""

from __future__ import annotations

import tracemalloc
from datetime import timedelta
from typing import Any

import pytest

from tests.providers.local.conftest import START, MakeTill, Till
from voucher_gateway.provider_api import InvalidRequest, Status, VoucherQuery


@pytest.fixture
def stocked(either_till: Till) -> Till:
    """A till with one voucher an hour."""
    either_till.issue(id="spring", batch="spring", sku="S", code="GIFT-1", order="1001")
    either_till.clock.advance(hours=1)
    either_till.issue(id="asleep", batch="spring", active=False, valid_until=START + timedelta(days=10))
    either_till.clock.advance(hours=1)
    either_till.issue(id="empty", code="GIFT-3", valid_until=START + timedelta(days=20))
    either_till.redeem("GIFT-3", "50.00")
    return either_till


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, ["spring", "asleep", "empty"]),
        ({"newest_first": True}, ["empty", "asleep", "spring"]),
        ({"code": "GIFT-3"}, ["empty"]),
        ({"code": "gift-3"}, []),
        ({"status": Status.ACTIVE}, ["spring", "empty"]),
        ({"status": Status.INACTIVE}, ["asleep"]),
        ({"created_from": START + timedelta(hours=1)}, ["asleep", "empty"]),
        ({"created_to": START + timedelta(hours=1)}, ["spring", "asleep"]),
        ({"valid_until_from": START + timedelta(days=10)}, ["asleep", "empty"]),
        ({"valid_until_to": START + timedelta(days=10)}, ["asleep"]),
        ({"batch": "spring"}, ["spring", "asleep"]),
        ({"sku": "S"}, ["spring"]),
        ({"has_value": True}, ["spring", "asleep"]),
        ({"has_value": False}, ["empty"]),
        ({"batch": "spring", "status": Status.ACTIVE, "has_value": True}, ["spring"]),
        ({"native": {"order": "1001"}}, ["spring"]),
        ({"limit": 2}, ["spring", "asleep"]),
    ],
)
def test_every_filter_gives_what_it_says(stocked: Till, query: dict[str, Any], found: list[str]) -> None:
    listing = stocked.provider.vouchers(VoucherQuery(**query))
    assert [voucher.id for voucher in listing] == found
    if "limit" not in query:
        assert (listing.report.vendor_total, listing.report.consistent) == (len(found), True)


@pytest.mark.parametrize("native", [{"code": "GIFT-1"}, {"order": ""}])
def test_a_filter_that_there_is_not_is_refused_at_once(till: Till, native: dict[str, str]) -> None:
    with pytest.raises(InvalidRequest, match="known: order"):
        till.provider.vouchers(VoucherQuery(native=native))


@pytest.mark.parametrize("field", ["sku", "batch", "native.order"])
@pytest.mark.parametrize("text", ["a\x00", "\ud800", "x" * 256])
def test_a_filter_that_no_voucher_can_meet_is_refused_at_once(till: Till, field: str, text: str) -> None:
    query = VoucherQuery(native={"order": text}) if field == "native.order" else VoucherQuery(**{field: text})  # type: ignore[arg-type]  # a text
    with pytest.raises(InvalidRequest) as caught:
        till.provider.vouchers(query)
    assert caught.value.field == field


def test_a_voucher_in_the_list_is_the_voucher_itself(stocked: Till) -> None:
    assert list(stocked.provider.vouchers()) == [stocked.provider.get(id) for id in ("spring", "asleep", "empty")]


@pytest.mark.parametrize("newest_first", [False, True])
def test_every_voucher_comes_once_over_the_borders_of_pages(
    make_till: MakeTill, either_url: str, newest_first: bool
) -> None:
    till = make_till(either_url, page_size=3)
    ids = [till.issue().id for _ in range(9)]
    listing = till.provider.vouchers(VoucherQuery(newest_first=newest_first))
    assert [voucher.id for voucher in listing] == (ids[::-1] if newest_first else ids)
    assert (listing.report.pages, listing.report.vendor_total, listing.report.consistent) == (3, 9, True)


def test_vouchers_that_come_while_reading_are_read_too_and_the_report_says_so(
    make_till: MakeTill, either_url: str
) -> None:
    till = make_till(either_url, page_size=2)
    made = [till.issue().id for _ in range(4)]
    listing = till.provider.vouchers()
    seen = [next(listing).id, next(listing).id]
    made += [till.issue().id for _ in range(3)]
    seen += [voucher.id for voucher in listing]
    assert seen == made
    assert listing.report.consistent is False


def test_a_listing_goes_on_where_an_earlier_one_stopped(make_till: MakeTill, either_url: str) -> None:
    till = make_till(either_url, page_size=2)
    ids = [till.issue().id for _ in range(7)]
    first = till.provider.vouchers()
    seen = [next(first).id for _ in range(5)]
    first.close()
    rest = till.provider.vouchers(VoucherQuery(resume=first.resume_token))
    assert seen + [voucher.id for voucher in rest] == ids
    assert (rest.report.seen, rest.report.consistent) == (7, True)


def test_a_deletion_while_reading_hides_no_other_voucher(make_till: MakeTill, either_url: str) -> None:
    till = make_till(either_url, page_size=2)
    ids = [till.issue().id for _ in range(6)]
    listing = till.provider.vouchers()
    seen = [next(listing).id, next(listing).id]
    till.provider.delete(ids[0], "a mistake", reference="a")
    assert seen + [voucher.id for voucher in listing] == ids


@pytest.mark.long
def test_memory_stays_flat_over_a_long_list(make_till: MakeTill, own_url: str) -> None:
    till = make_till(own_url, page_size=50)
    for _ in range(600):
        till.issue("1.00", metadata={"padding": "x" * 2000})
    list(till.provider.vouchers())
    peaks = []
    for count in (100, 600):
        tracemalloc.start()
        assert sum(1 for _ in till.provider.vouchers(VoucherQuery(limit=count))) == count
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] * 1.5
