"""Every request of the adapter, to the byte."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from voucher_gateway.provider_api import (
    Interval,
    Medium,
    Money,
    NewVoucher,
    Redemption,
    Reservation,
    SecretSource,
    Status,
    Validity,
    VoucherChanges,
    VoucherQuery,
)
from voucher_gateway_jtl import PRODUCTION, JtlProvider, JtlSettings

if TYPE_CHECKING:
    import responses

VOUCHER = {"id": "V/1", "amount": "10.53", "currency": "EUR", "status": "active"}
MOVED = {"id": "M1", "voucher_id": "V/1", "amount": "10.53"}
PAGE: dict[str, Any] = {"data": [VOUCHER], "meta": {"current_page": 1, "last_page": 1, "per_page": 2, "total": 1}}
MONEY = Money("10.53", "EUR")
RESERVATION = Reservation(account="shop", id="R 1", money=MONEY)
REDEMPTION = Redemption(account="shop", id="C?1", money=MONEY)
EVERYTHING = NewVoucher(
    initial=Money("10.53", "EUR"),
    id="V/1",
    code="Grüße/1",
    pin="0042",
    active=False,
    medium=Medium.PRINT,
    validity=Validity(24, Interval.MONTHS),
    taxable=True,
    tax_rate="19",
    sku="MUG-7",
    batch="Spring",
    order="W-1",
    metadata={"to": "Ada", "parts": [1, None]},
)


@attrs.frozen
class Sent:
    """One call of the adapter and the request that it must lead to."""

    call: Callable[[JtlProvider], object]
    method: str
    target: str
    body: str | None = None
    answer: Any = attrs.field(factory=lambda: VOUCHER)
    status: int = 200


CALLS = {
    "find": Sent(
        lambda shop: shop.find("a b/?&=+%2e#é"),
        "GET",
        "/vouchers?page=1&per_page=2&filter%5Bcode%5D=a%20b%2F%3F%26%3D%2B%252e%23%C3%A9",
        answer=PAGE,
    ),
    "get": Sent(lambda shop: shop.get("V/1"), "GET", "/vouchers/V%2F1"),
    "list": Sent(
        lambda shop: list(shop.vouchers()), "GET", "/vouchers?page=1&per_page=100&sort=created_at", answer=PAGE
    ),
    "list the newest ten": Sent(
        lambda shop: list(shop.vouchers(VoucherQuery(newest_first=True, limit=10))),
        "GET",
        "/vouchers?page=1&per_page=10&sort=-created_at",
        answer=PAGE,
    ),
    "list those that are used up": Sent(
        lambda shop: list(shop.vouchers(VoucherQuery(has_value=False, native={"taxable": "true"}))),
        "GET",
        "/vouchers?page=1&per_page=100&sort=created_at&filter%5Bremaining_amount%5D=false&filter%5Btaxable%5D=true",
        answer=PAGE,
    ),
    "issue": Sent(
        lambda shop: shop.issue(NewVoucher(initial=Money(7, "EUR")), reference="r"),
        "POST",
        "/vouchers",
        '{"amount":"7.00","currency":"EUR"}',
        {"id": "V", "amount": "7.00", "currency": "EUR"},
        201,
    ),
    "issue with everything": Sent(
        lambda shop: shop.issue(EVERYTHING, reference="r", order="not this one"),
        "POST",
        "/vouchers",
        '{"amount":"10.53","currency":"EUR","id":"V/1","sku":"MUG-7","tax_rate":"19","order_number":"W-1",'
        '"batch":"Spring","code":"Grüße/1","pin":"0042","status":"inactive","type":"print","validity_value":24,'
        '"validity_interval":"months","taxable":true,"data":"{\\"to\\":\\"Ada\\",\\"parts\\":[1,null]}"}',
        {**VOUCHER, "code": "Grüße/1"},
        201,
    ),
    "issue something worthless for an order": Sent(
        lambda shop: shop.issue(NewVoucher(initial=Money(0, "JPY"), active=True), reference="r", order="W-2"),
        "POST",
        "/vouchers",
        '{"amount":"0.00","currency":"JPY","order_number":"W-2","status":"active"}',
        {"id": "V", "amount": "0.00", "currency": "JPY"},
        201,
    ),
    "activate": Sent(
        lambda shop: shop.activate("V/1", reference="r-1"),
        "PATCH",
        "/vouchers/V%2F1/status",
        '{"status":"active","comment":"r-1"}',
    ),
    "deactivate": Sent(
        lambda shop: shop.deactivate("V/1", reference="r-2"),
        "PATCH",
        "/vouchers/V%2F1/status",
        '{"status":"inactive","comment":"r-2"}',
    ),
    "update": Sent(
        lambda shop: shop.update("V/1", VoucherChanges(sku="S", batch="B"), reference="r"),
        "PATCH",
        "/vouchers/V%2F1",
        '{"sku":"S","batch":"B"}',
    ),
    "update one field": Sent(
        lambda shop: shop.update("V/1", VoucherChanges(batch="B"), reference="r"),
        "PATCH",
        "/vouchers/V%2F1",
        '{"batch":"B"}',
    ),
    "delete": Sent(
        lambda shop: shop.delete("V/1", 'a "mistake"', reference="r"),
        "DELETE",
        "/vouchers/V%2F1",
        '{"comment":"a \\"mistake\\""}',
        status=204,
    ),
    "top up": Sent(
        lambda shop: shop.top_up("V/1", MONEY, reference="r-3", order="W-1"),
        "POST",
        "/vouchers/recharge",
        '{"id":"V/1","amount":"10.53","currency":"EUR","order_number":"r-3"}',
        {**MOVED, "type": "recharge"},
        201,
    ),
    "reserve": Sent(
        lambda shop: shop.reserve("a b", MONEY, reference="r"),
        "POST",
        "/reservations",
        '{"code":"a b","amount":"10.53","currency":"EUR"}',
        {"id": "R 1", "amount": "10.53"},
        201,
    ),
    "reserve with a PIN": Sent(
        lambda shop: shop.reserve("a b", Money(500, "JPY"), "0042", reference="r"),
        "POST",
        "/reservations",
        '{"code":"a b","amount":"500.00","currency":"JPY","pin":"0042"}',
        {"id": "R 1", "amount": "500.00"},
        201,
    ),
    "capture": Sent(
        lambda shop: shop.capture(RESERVATION, reference="r-4", order="W-1"),
        "POST",
        "/reservations/R%201/charge",
        '{"order_number":"r-4"}',
        {**MOVED, "type": "charge"},
        201,
    ),
    "refund": Sent(
        lambda shop: shop.refund(REDEMPTION, reference="r"),
        "POST",
        "/charges/C%3F1/refund",
        '{"amount":"10.53","currency":"EUR"}',
        {**MOVED, "type": "refund"},
        201,
    ),
    "refund a part": Sent(
        lambda shop: shop.refund(REDEMPTION, Money("0.01", "EUR"), reference="r"),
        "POST",
        "/charges/C%3F1/refund",
        '{"amount":"0.01","currency":"EUR"}',
        {**MOVED, "type": "refund", "amount": "0.01"},
        201,
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_each_call_is_exactly_this_request(
    vendor: responses.RequestsMock, lone_adapter: JtlProvider, name: str
) -> None:
    sent = CALLS[name]
    answer = {} if sent.status == 204 else {"json": sent.answer}
    vendor.add(sent.method, f"{PRODUCTION}{sent.target}", status=sent.status, **answer)
    sent.call(lone_adapter)
    token, request = (call.request for call in vendor.calls)
    assert (request.method, request.url) == (sent.method, f"{PRODUCTION}{sent.target}")
    assert request.body == (None if sent.body is None else sent.body.encode())
    about_body = (
        {}
        if sent.body is None
        else {"Content-Type": "application/json", "Content-Length": str(len(sent.body.encode()))}
    )
    assert dict(request.headers) == {
        "Accept": "application/json",
        "Accept-Encoding": "gzip, deflate",
        "User-Agent": "voucher-gateway",
        "Authorization": "Bearer a-good-token",
        **about_body,
    }
    assert token.method == "POST"


def test_a_history_is_the_voucher_and_the_pages_of_its_charges(
    vendor: responses.RequestsMock, lone_adapter: JtlProvider
) -> None:
    vendor.get(f"{PRODUCTION}/vouchers/V%2F1", json=VOUCHER)
    entries = [{**MOVED, "type": "charge", "created_at": "2026-01-02T00:00:00Z", "order_number": "r-4"}]
    older = [{**MOVED, "id": "M0", "type": "recharge", "created_at": "2026-01-01T00:00:00Z", "client_id": "till"}]
    meta = {"current_page": 1, "last_page": 2, "per_page": 1, "total": 2}
    first, second = (f"{PRODUCTION}/vouchers/V%2F1/charges?page={page}&per_page=100" for page in (1, 2))
    earlier, later = ({"Date": f"Fri, 02 Jan 2026 00:00:{second} GMT"} for second in ("07", "09"))
    vendor.get(first, json={"data": entries, "meta": meta}, headers=earlier)
    vendor.get(second, json={"data": older, "meta": {**meta, "current_page": 2}}, headers=later)
    history = lone_adapter.history("V/1")
    assert [(movement.id, movement.kind.value, movement.reference, movement.login) for movement in history] == [
        ("M0", "top_up", None, "till"),
        ("M1", "redemption", "r-4", None),
    ]
    assert (history.complete, history.as_of) == (True, datetime(2026, 1, 2, 0, 0, 7, tzinfo=UTC))
    assert [call.request.url for call in vendor.calls][1:] == [
        f"{PRODUCTION}/vouchers/V%2F1",
        first,
        second,
    ]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"total": 3, "last_page": 2}, {"total": 2, "last_page": 2}),
        ({"total": 3, "last_page": 2}, {"total": 3, "last_page": 2}),
        ({"total": 2}, {"total": 2}),
        ({}, {}),
    ],
)
def test_a_history_whose_pages_do_not_fit_together_is_not_complete(
    vendor: responses.RequestsMock, lone_adapter: JtlProvider, first: dict[str, int], second: dict[str, int]
) -> None:
    vendor.get(f"{PRODUCTION}/vouchers/V%2F1", json=VOUCHER)
    for meta in (first, second):
        vendor.get(f"{PRODUCTION}/vouchers/V%2F1/charges", json={"data": [{**MOVED, "type": "charge"}], "meta": meta})
    history = lone_adapter.history("V/1")
    assert (len(history), history.complete) == (1, False)


def test_a_history_that_repeats_itself_comes_to_an_end(
    vendor: responses.RequestsMock, lone_adapter: JtlProvider
) -> None:
    vendor.get(f"{PRODUCTION}/vouchers/V%2F1", json=VOUCHER)
    page = {"data": [{**MOVED, "type": "charge"}], "meta": {"total": 10**9, "last_page": 10**9}}
    vendor.get(f"{PRODUCTION}/vouchers/V%2F1/charges", json=page)
    assert not lone_adapter.history("V/1").complete
    assert len(vendor.calls) == 4


def test_instants_in_filters_have_an_offset_whose_plus_sign_is_encoded(
    vendor: responses.RequestsMock, lone_adapter: JtlProvider
) -> None:
    vendor.get(f"{PRODUCTION}/vouchers", json=PAGE)
    tokyo = timezone(timedelta(hours=9))
    list(lone_adapter.vouchers(VoucherQuery(created_from=datetime(2026, 1, 1, 9, 0, 0, 999, tzinfo=tokyo))))
    url = vendor.calls[-1].request.url or ""
    assert url.endswith("&filter%5Bcreated_from%5D=2026-01-01T00%3A00%3A01%2B00%3A00")


@pytest.mark.parametrize(
    ("style", "query"),
    [
        ("comma", "filter%5Bstatus%5D=active%2Cinactive"),
        ("repeat", "filter%5Bstatus%5D%5B%5D=active&filter%5Bstatus%5D%5B%5D=inactive"),
    ],
)
def test_how_lists_are_written_can_be_switched(vendor: responses.RequestsMock, style: str, query: str) -> None:
    vendor.get(f"{PRODUCTION}/vouchers", json=PAGE)
    with _shop(array_style=style) as shop:
        list(shop.vouchers(VoucherQuery(native={"status": "active,inactive"})))
        list(shop.vouchers(VoucherQuery(status=Status.ACTIVE)))
    both, one = (call.request.url or "" for call in vendor.calls[1:])
    assert both.endswith(query)
    assert one.endswith(query.partition("=")[0] + "=active")


def _shop(base_url: str = PRODUCTION, **settings: Any) -> JtlProvider:
    secret = SecretSource.of("s&c=r t")
    return JtlProvider("shop", JtlSettings(base_url=base_url, client_id="a/client", client_secret=secret, **settings))
