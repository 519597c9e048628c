"""Listing and finding: parts of a list, filters that match too much, ids that the vendor leaves out."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import attrs
import pytest

from voucher_gateway.provider_api import (
    MalformedResponse,
    Money,
    NewVoucher,
    OutcomeUnknown,
    VoucherNotFound,
    VoucherQuery,
)
from voucher_gateway_ticketing import PRODUCTION, TicketingProvider

if TYPE_CHECKING:
    import requests
    import responses

    from tests.providers.ticketing.conftest import VendorClient

MakeAdapter = Callable[..., TicketingProvider]
StartTicketing = Callable[..., "VendorClient"]
AT = "2030-01-23T23:00:00.123Z"
EUR = Money(5, "EUR")


def codes(events: TicketingProvider, query: VoucherQuery | None = None) -> list[str]:
    return [voucher.code.reveal() for voucher in events.vouchers(query) if voucher.code is not None]


def paths(client: VendorClient) -> list[str]:
    return [request.path for request in client.running.requests]


# --- the whole list ---


def test_every_voucher_is_listed_once_with_all_that_the_vendor_says(
    start_ticketing: StartTicketing, make_adapter: MakeAdapter
) -> None:
    client = start_ticketing(vouchers=57, seed=4)
    listing = make_adapter(client, page_size=10, workers=4).vouchers()
    found = list(listing)
    truth = client.running.ledger()
    assert [voucher.id for voucher in found] == [entry["id"] for entry in truth]
    assert [f"{voucher.remaining.amount:f}" for voucher in found if voucher.remaining] == [
        entry["remaining"] for entry in truth if entry["remaining"] != "0.00"
    ]
    assert (listing.report.seen, listing.report.vendor_total, listing.report.consistent) == (57, 57, True)
    assert paths(client).count("/api/vouchers") == 6


def test_a_listing_can_stop_and_go_on(start_ticketing: StartTicketing, make_adapter: MakeAdapter) -> None:
    client = start_ticketing(vouchers=23)
    events = make_adapter(client, page_size=5, currency="EUR")
    first = events.vouchers()
    head = [next(first).id for _ in range(7)]
    rest = [voucher.id for voucher in events.vouchers(VoucherQuery(resume=first.resume_token))]
    assert head + rest == [entry["id"] for entry in client.running.ledger()]


def test_a_limit_asks_for_no_more_than_it_needs(start_ticketing: StartTicketing, make_adapter: MakeAdapter) -> None:
    client = start_ticketing(vouchers=30)
    events = make_adapter(client, currency="EUR")
    assert len(codes(events, VoucherQuery(limit=3))) == 3
    assert [request.query for request in client.running.requests] == ["top=3&skip=0"]


def test_vouchers_that_come_while_the_list_is_read_do_not_hide_others(
    start_ticketing: StartTicketing, make_adapter: MakeAdapter
) -> None:
    client = start_ticketing(vouchers=40, list_order="newest-first")
    before = {entry["id"] for entry in client.running.ledger()}
    client.running.inject("insert-while-paging", "GET /api/vouchers", times=3)
    listing = make_adapter(client, page_size=5, workers=1).vouchers()
    assert before <= {voucher.id for voucher in listing}
    assert listing.report.duplicates > 0
    assert listing.report.consistent is False


def test_vouchers_are_listed_by_the_transaction_that_they_came_from(
    start_ticketing: StartTicketing, make_adapter: MakeAdapter
) -> None:
    client = start_ticketing(vouchers=20)
    bought = next(one for one in client.listed(top=20)["docs"] if one["origin"] == "shop")
    listing = make_adapter(client).vouchers(VoucherQuery(native={"transactionId": bought["transactionId"]}))
    assert [voucher.id for voucher in listing] == [bought["_id"]]
    assert listing.report.consistent


@attrs.frozen
class Capped:
    """A vendor that gives a hundred vouchers at a time at most, whatever is asked for, without a word about it."""

    count: int = 250
    asked: list[tuple[int, int]] = attrs.field(factory=list)

    def __call__(self, request: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
        query = parse_qs(urlsplit(request.url or "").query)
        top, skip = int(query["top"][0]), int(query["skip"][0])
        self.asked.append((top, skip))
        docs = [
            {"_id": f"v{n}", "code": f"code-{n}", "amount": n, "balance": n, "createdAt": AT, "updatedAt": AT}
            for n in range(self.count)[skip : skip + min(top, 100)]
        ]
        return 200, {}, json.dumps({"docs": docs, "total": self.count})


def test_a_vendor_that_gives_less_than_was_asked_for_loses_us_nothing(
    vendor: responses.RequestsMock, lone_adapter: TicketingProvider
) -> None:
    capped = Capped()
    vendor.add_callback("GET", f"{PRODUCTION}/api/vouchers", callback=capped)
    for size, requests_made in ((1000, 3), (120, 5), (100, 3)):
        capped.asked.clear()
        settings = attrs.evolve(lone_adapter.settings, page_size=size, workers=1)
        with TicketingProvider("events", settings) as events:
            listing = events.vouchers()
            assert [voucher.id for voucher in listing] == [f"v{n}" for n in range(250)]
            assert listing.report.consistent
            assert len(capped.asked) == requests_made
            assert events.find("code-249").id == "v249"


def test_a_vendor_that_counts_more_than_it_has_does_not_keep_us_for_ever(
    vendor: responses.RequestsMock, lone_adapter: TicketingProvider
) -> None:
    vendor.get(f"{PRODUCTION}/api/vouchers", json={"docs": [], "total": 7})
    listing = lone_adapter.vouchers()
    assert list(listing) == []
    assert listing.report.consistent is False
    with pytest.raises(VoucherNotFound):
        lone_adapter.find("code")


# --- one code ---


@pytest.mark.parametrize("code_filter", ["exact", "prefix", "case-insensitive"])
def test_a_code_is_found_exactly_however_the_vendor_compares(
    start_ticketing: StartTicketing, make_adapter: MakeAdapter, code_filter: str
) -> None:
    client = start_ticketing(code_filter=code_filter)
    made = {code: client.create(1, code=code)["_id"] for code in ("GIFT-1", "gift", "GIFT-2", "Gift", "GIFT", "GIFTS")}
    events = make_adapter(client, page_size=2)
    for code, id in made.items():
        assert events.find(code).id == id
        assert events.balance(code).voucher_id == id
        assert codes(events, VoucherQuery(code=code)) == [code]
    listing = events.vouchers(VoucherQuery(code="GIFT"))
    assert len(list(listing)) == 1
    assert (listing.report.vendor_total, listing.report.consistent) == (None, None)
    for code in ("GIF", "GIFT-", "gIFT"):
        with pytest.raises(VoucherNotFound) as caught:
            events.find(code)
        assert (caught.value.account, caught.value.operation) == ("events", "find")
        assert codes(events, VoucherQuery(code=code)) == []


@pytest.mark.parametrize(("code_filter", "total"), [("exact", 1), ("prefix", 2)])
def test_a_native_code_filter_gives_what_the_vendor_lets_through(
    start_ticketing: StartTicketing, make_adapter: MakeAdapter, code_filter: str, total: int
) -> None:
    client = start_ticketing(code_filter=code_filter)
    client.create(1, code="GIFT")
    client.create(1, code="GIFT-2")
    assert len(codes(make_adapter(client), VoucherQuery(native={"code": "GIFT"}))) == total


def test_a_code_that_two_vouchers_have_is_an_error_and_never_one_of_them(
    start_ticketing: StartTicketing, make_adapter: MakeAdapter
) -> None:
    for show_id in (True, False):
        client = start_ticketing(allow_duplicate_codes=True, show_id=show_id)
        first = client.create(5, code="twice")
        client.running.clock.advance(1)
        client.create(7, code="twice")
        events = make_adapter(client)
        for call in (events.find, events.balance, events.read_value):
            with pytest.raises(MalformedResponse, match="several vouchers have this code"):
                call("twice")
        if show_id:
            assert events.read_value(id=first["_id"]).value == EUR


def test_a_pin_makes_no_difference(ticketing: VendorClient, adapter: TicketingProvider) -> None:
    id = ticketing.create(5, code="code")["_id"]
    assert adapter.find("code", "1234").id == id


# --- vouchers without an id ---


@pytest.fixture
def shy(start_ticketing: StartTicketing) -> VendorClient:
    """A vendor that shows no id where its documents show none."""
    return start_ticketing(show_id=False, vouchers=25)


def test_an_id_that_is_not_shown_is_looked_up_by_the_code(shy: VendorClient, make_adapter: MakeAdapter) -> None:
    events = make_adapter(shy, page_size=10)
    made = events.issue(NewVoucher(initial=EUR, code="a/b %2e?"), reference="r")
    truth = {entry["code"]: entry["id"] for entry in shy.running.ledger()}
    assert made.id == events.find("a/b %2e?").id == events.get(made.id).id == truth["a/b %2e?"]
    assert events.presentation("a/b %2e?", id=made.id).voucher.id == made.id
    assert events.read_value("a/b %2e?") == events.read_value(id=made.id)
    listing = events.vouchers()
    assert {voucher.code.reveal(): voucher.id for voucher in listing if voucher.code} == truth
    assert listing.report.consistent


def test_the_public_look_up_is_made_without_the_key(shy: VendorClient, make_adapter: MakeAdapter) -> None:
    events = make_adapter(shy, currency="EUR")
    events.issue(NewVoucher(initial=EUR, code="code"), reference="r")
    look_up = shy.running.requests[-1]
    assert look_up.path == "/api/coupon/code/info"
    assert "Authorization" not in dict(look_up.headers)


def test_a_created_voucher_whose_id_cannot_be_had_is_not_taken_for_undone(
    shy: VendorClient, make_adapter: MakeAdapter
) -> None:
    events = make_adapter(shy, tries=1)
    shy.running.inject("error-before", "GET /api/coupon/*", status=503)
    with pytest.raises(OutcomeUnknown, match="the voucher was created, but") as caught:
        events.issue(NewVoucher(initial=EUR, code="code"), reference="r")
    assert not caught.value.retry_safe
    assert [entry["code"] for entry in shy.running.ledger()][-1] == "code"


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (404, {"statusCode": "404"}),
        (200, {"message": "invalid"}),
        (200, {"message": "valid", "type": "coupon", "voucher": {"_id": "c", "code": "code"}}),
        (200, {"message": "valid", "type": "voucher", "voucher": {"_id": "c", "code": "CODE"}}),
        (200, {"message": "valid", "type": "voucher", "coupon": {}}),
    ],
)
def test_a_voucher_without_any_id_is_malformed(
    vendor: responses.RequestsMock, lone_adapter: TicketingProvider, status: int, answer: dict[str, Any]
) -> None:
    bare = {"code": "code", "amount": 5, "balance": 5, "sellerId": "S", "createdAt": AT, "updatedAt": AT}
    vendor.get(f"{PRODUCTION}/api/vouchers", json={"docs": [bare], "total": 1})
    vendor.get(f"{PRODUCTION}/api/coupon/code/info?sellerId=S", json=answer, status=status)
    with pytest.raises(MalformedResponse, match="without an id") as caught:
        lone_adapter.find("code")
    assert caught.value.account == "events"
    listing = lone_adapter.vouchers()
    assert list(listing) == []
    assert [(entry.name, entry.reason) for entry in listing.unreadable] == [("entry 1 of page 1", "_id: is missing")]


def test_an_id_without_the_underscore_is_taken_too(
    vendor: responses.RequestsMock, lone_adapter: TicketingProvider
) -> None:
    bare = {"code": "code", "amount": 5, "balance": 5, "createdAt": AT, "updatedAt": AT}
    vendor.get(f"{PRODUCTION}/api/vouchers", json={"docs": [{**bare, "id": "plain"}], "total": 1})
    assert lone_adapter.find("code").id == "plain"
    vendor.upsert("GET", f"{PRODUCTION}/api/vouchers", json={"docs": [{**bare, "id": "p", "_id": "u"}], "total": 1})
    assert lone_adapter.find("code").id == "u"
