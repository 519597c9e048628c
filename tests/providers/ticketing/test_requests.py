"""Every request of the adapter, to the byte."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from voucher_gateway.provider_api import (
    IntegrityMismatch,
    MalformedResponse,
    Money,
    NewVoucher,
    Operation,
    ValueReading,
    VoucherChanges,
    VoucherQuery,
)
from voucher_gateway_ticketing import PRODUCTION, TicketingProvider

if TYPE_CHECKING:
    import requests
    import responses

    from tests.providers.ticketing.conftest import VendorDocument

ID = "64d0a1b2c3d4e5f601234567"
CODE = "a b/?&=+%2e#é🎟"
IN_PATH = "a%20b%2F%3F%26%3D%2B%252e%23%C3%A9%F0%9F%8E%9F"
AT = "2030-01-23T23:00:00.123Z"
VOUCHER = {"_id": ID, "code": CODE, "amount": 10.5, "createdAt": AT, "updatedAt": AT}
LISTED = {**VOUCHER, "balance": 10.5}
PAGE: dict[str, Any] = {"docs": [LISTED], "total": 1}
UNTIL = datetime(2030, 1, 24, 1, 0, 0, 123_999, timezone(timedelta(hours=2)))
BEFORE = ValueReading(voucher_id=ID, value=Money("10.50", "EUR"), remaining=Money("10.50", "EUR"), passthrough=AT)


def write(events: TicketingProvider, value: str) -> None:
    intent = events.intent(Operation.REDEEM, reference="r", voucher_id=ID)
    before = attrs.evolve(BEFORE, valid_until=datetime(2030, 1, 23, 23, 0, 0, 123_000, UTC))
    events.write_value(before, Money(value, "EUR"), intent=intent)


@attrs.frozen
class Sent:
    """One call of the adapter and the request that it must lead to, after those that only read."""

    call: Callable[[TicketingProvider], object]
    method: str
    target: str
    body: str | None = None
    answer: Any = attrs.field(factory=lambda: VOUCHER)
    status: int = 200
    with_key: bool = True


CALLS = {
    "find": Sent(
        lambda events: events.find(CODE),
        "GET",
        f"/api/vouchers?top=100&skip=0&code={IN_PATH}",
        answer=PAGE,
    ),
    "balance": Sent(
        lambda events: events.balance(CODE), "GET", f"/api/vouchers?top=100&skip=0&code={IN_PATH}", answer=PAGE
    ),
    "get": Sent(lambda events: events.get("V/1"), "GET", "/api/vouchers/V%2F1"),
    "list": Sent(lambda events: list(events.vouchers()), "GET", "/api/vouchers?top=100&skip=0", answer=PAGE),
    "list three": Sent(
        lambda events: list(events.vouchers(VoucherQuery(limit=3))),
        "GET",
        "/api/vouchers?top=3&skip=0",
        answer=PAGE,
    ),
    "list one with a code, which the filter may hide among others": Sent(
        lambda events: list(events.vouchers(VoucherQuery(code=CODE, limit=1))),
        "GET",
        f"/api/vouchers?top=100&skip=0&code={IN_PATH}",
        answer=PAGE,
    ),
    "list by origin": Sent(
        lambda events: list(events.vouchers(VoucherQuery(code=CODE, native={"transactionId": "t/1"}))),
        "GET",
        f"/api/vouchers?top=100&skip=0&code={IN_PATH}&transactionId=t%2F1",
        answer=PAGE,
    ),
    "history": Sent(
        lambda events: events.history("V/1"), "GET", "/api/vouchers/V%2F1/transactions", answer=[], with_key=True
    ),
    "presentation": Sent(
        lambda events: events.presentation(CODE, id="V/1"),
        "GET",
        f"/api/vouchers/V%2F1/{IN_PATH}/info",
        answer={"voucher": {**VOUCHER, "_id": "V/1"}, "seller": {"name": "Hall", "currency": "EUR"}},
        with_key=False,
    ),
    "issue": Sent(
        lambda events: events.issue(NewVoucher(initial=Money("10.50", "EUR"), code=CODE), reference="r", order="W-1"),
        "POST",
        "/api/vouchers",
        f'{{"amount":10.5,"code":"{CODE}"}}',
        status=201,
    ),
    "issue with all that the vendor can keep": Sent(
        lambda events: events.issue(
            NewVoucher(initial=Money("10.50", "EUR"), code=CODE, active=True, valid_until=UNTIL), reference="r"
        ),
        "POST",
        "/api/vouchers",
        f'{{"amount":10.5,"code":"{CODE}","validUntil":"{AT}"}}',
        {**VOUCHER, "validUntil": AT},
        status=201,
    ),
    "issue something worthless": Sent(
        lambda events: events.issue(NewVoucher(initial=Money(0, "EUR"), code="zero"), reference="r"),
        "POST",
        "/api/vouchers",
        '{"amount":0,"code":"zero"}',
        {**VOUCHER, "code": "zero", "amount": 0},
        status=201,
    ),
    "let it end": Sent(
        lambda events: events.update(ID, VoucherChanges(valid_until=UNTIL), reference="r"),
        "PUT",
        f"/api/vouchers/{ID}",
        f'{{"amount":10.5,"validUntil":"{AT}"}}',
        {**VOUCHER, "validUntil": AT},
    ),
    "let it last for ever": Sent(
        lambda events: events.update(ID, VoucherChanges(valid_until=None), reference="r"),
        "PUT",
        f"/api/vouchers/{ID}",
        '{"amount":10.5,"validUntil":null}',
    ),
    "overwrite the value": Sent(
        lambda events: write(events, "100.00"),
        "PUT",
        f"/api/vouchers/{ID}",
        f'{{"amount":100,"validUntil":"{AT}"}}',
        {**VOUCHER, "amount": 100, "validUntil": AT},
    ),
}


def _last(vendor: responses.RequestsMock, method: str) -> requests.PreparedRequest:
    """Return the last request of a method; an update is followed by a reading."""
    return [call.request for call in vendor.calls if call.request.method == method][-1]


@pytest.mark.parametrize("name", CALLS)
def test_a_call_sends_exactly_this(
    vendor: responses.RequestsMock,
    lone_adapter: TicketingProvider,
    ticketing_document: VendorDocument,
    name: str,
) -> None:
    sent = CALLS[name]
    if sent.method == "PUT":
        vendor.get(f"{PRODUCTION}{sent.target}", json=VOUCHER)
        vendor.get(f"{PRODUCTION}/api/vouchers", json=PAGE)
        vendor.get(f"{PRODUCTION}{sent.target}", json=sent.answer)
    vendor.add(sent.method, f"{PRODUCTION}{sent.target}", json=sent.answer, status=sent.status)
    sent.call(lone_adapter)
    request: requests.PreparedRequest = _last(vendor, sent.method)
    assert request.url == PRODUCTION + sent.target
    assert request.body == (None if sent.body is None else sent.body.encode())
    assert request.headers.get("Authorization") == ("Bearer key_of_a_seller" if sent.with_key else None)
    assert request.headers.get("Content-Type") == (None if sent.body is None else "application/json")
    ticketing_document.check_request(request)


@pytest.mark.parametrize(
    ("digits", "written"),
    [("29.999999999999996", "29.999999999999996"), ("10.50", "10.50"), ("1e1", "10"), ("0", "0"), ("7.00", "7.00")],
)
def test_an_update_sends_the_amount_back_in_the_vendors_own_digits(
    vendor: responses.RequestsMock, lone_adapter: TicketingProvider, digits: str, written: str
) -> None:
    body = f'{{"_id":"{ID}","code":"code","amount":{digits},"createdAt":"{AT}","updatedAt":"{AT}"}}'
    vendor.get(f"{PRODUCTION}/api/vouchers/{ID}", body=body)
    vendor.get(f"{PRODUCTION}/api/vouchers", body=f'{{"docs":[{body}],"total":1}}')
    vendor.put(f"{PRODUCTION}/api/vouchers/{ID}", body=body)
    lone_adapter.update(ID, VoucherChanges(valid_until=None), reference="r")
    assert _last(vendor, "PUT").body == f'{{"amount":{written},"validUntil":null}}'.encode()


@pytest.mark.parametrize("digits", ["1e-999999", "0e999999", "1e-999999999999999999", "1e999999"])
def test_an_update_of_an_absurd_amount_is_malformed_and_nothing_is_written(
    vendor: responses.RequestsMock, lone_adapter: TicketingProvider, digits: str
) -> None:
    body = f'{{"_id":"{ID}","code":"code","amount":{digits},"createdAt":"{AT}","updatedAt":"{AT}"}}'
    vendor.get(f"{PRODUCTION}/api/vouchers/{ID}", body=body)
    with pytest.raises(MalformedResponse):
        lone_adapter.update(ID, VoucherChanges(valid_until=None), reference="r")
    assert [call.request.method for call in vendor.calls if call.request.method != "GET"] == []


def test_a_voucher_that_is_shown_under_another_id_is_read_but_not_changed(
    vendor: responses.RequestsMock, lone_adapter: TicketingProvider
) -> None:
    vendor.get(f"{PRODUCTION}/api/vouchers/vo_1", json=VOUCHER)
    assert lone_adapter.get("vo_1").id == ID
    with pytest.raises(IntegrityMismatch, match="another voucher"):
        lone_adapter.read_value(id="vo_1")
    with pytest.raises(IntegrityMismatch, match="another voucher"):
        lone_adapter.update("vo_1", VoucherChanges(valid_until=None), reference="r")
    assert {call.request.method for call in vendor.calls} == {"GET"}


def test_an_overwriting_sends_the_expiry_back_in_the_vendors_own_spelling(
    vendor: responses.RequestsMock, lone_adapter: TicketingProvider
) -> None:
    odd = "2030-01-24T01:00:00.123456+02:00"
    vendor.get(f"{PRODUCTION}/api/vouchers", json={"docs": [{**LISTED, "validUntil": odd}], "total": 1})
    vendor.put(f"{PRODUCTION}/api/vouchers/{ID}", json={**VOUCHER, "amount": 4, "validUntil": odd})
    before = lone_adapter.read_value(CODE)
    intent = lone_adapter.intent(Operation.REDEEM, reference="r", voucher_id=ID)
    lone_adapter.write_value(before, Money(4, "EUR"), intent=intent)
    assert vendor.calls[-1].request.body == f'{{"amount":4,"validUntil":"{odd}"}}'.encode()


def test_codes_made_here_are_long_unlike_one_another_and_easily_read(
    vendor: responses.RequestsMock, lone_adapter: TicketingProvider
) -> None:
    def echo(request: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
        sent = json.loads(request.body or b"")
        return 201, {}, json.dumps({**VOUCHER, **sent})

    vendor.add_callback("POST", f"{PRODUCTION}/api/vouchers", callback=echo)
    issued = [lone_adapter.issue(NewVoucher(initial=Money(1, "EUR")), reference="r").code for _ in range(50)]
    codes = {code.reveal() for code in issued if code is not None}
    assert len(codes) == 50
    assert {len(code) for code in codes} == {16}
    assert set("".join(codes)) <= set("23456789ABCDEFGHJKMNPQRSTVWXYZ")
