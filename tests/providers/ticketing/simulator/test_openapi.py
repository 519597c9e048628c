"""Every operation over real HTTP, request and answer held against the vendor's document."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
import requests
from openapi_core.validation.request.exceptions import RequestBodyValidationError
from openapi_core.validation.response.exceptions import DataValidationError

from tests.support.examples import choose_size

if TYPE_CHECKING:
    from tests.providers.ticketing.conftest import VendorClient, VendorDocument

UNKNOWN_ID = "0" * 24


@pytest.fixture
def driven(start_ticketing: Callable[..., VendorClient]) -> dict[str, list[requests.Response]]:
    """Every operation of the document, by its id, with the answers for good and bad requests."""
    client = start_ticketing(vouchers=80, seed=11)
    listed = client.listed(top=80)["docs"]
    spent = next(voucher for voucher in listed if 0 < voucher["balance"] < voucher["amount"])
    seller_id = client.running.announcement["seller_id"]
    info = [client.call("GET", f"/api/vouchers/{v['_id']}/{quote(v['code'], safe='')}/info", key=None) for v in listed]
    look_ups = [
        client.call("GET", f"/api/coupon/{quote(v['code'], safe='')}/info?sellerId={seller_id}", key=None)
        for v in listed
    ]
    one = f"/api/vouchers/{spent['_id']}"
    return {
        "listVouchers": [
            client.call("GET", "/api/vouchers"),
            client.call("GET", "/api/vouchers?top=1000&skip=3&code=nothing&transactionId=x"),
            client.call("GET", "/api/vouchers?top=25.0"),
            client.call("GET", "/api/vouchers", key="key_wrong"),
        ],
        "listRichVouchers": [client.call("GET", "/api/vouchers/rich?top=2")],
        "createVoucher": [
            client.call("POST", "/api/vouchers", json={"amount": 10.5}),
            client.call("POST", "/api/vouchers", json={"amount": 0, "validUntil": None}),
            client.call(
                "POST",
                "/api/vouchers",
                json={"amount": 10, "code": "a/b?", "validUntil": "2030-01-23T23:00:00.123Z"},
            ),
            client.call("POST", "/api/vouchers", json={"amount": 10, "code": "a/b?"}),
        ],
        "getVoucher": [client.call("GET", one), client.call("GET", f"/api/vouchers/{UNKNOWN_ID}")],
        "updateVoucher": [
            client.call("PUT", one, json={"amount": 99999.99, "validUntil": "2031-01-01T00:00:00+01:00"}),
            client.call("PUT", one, json={"amount": 99999.99}),
            client.call("PUT", one, json={"amount": 0}),
            client.call("PUT", f"/api/vouchers/{UNKNOWN_ID}", json={"amount": 1}),
        ],
        "listTransactions": [
            client.call("GET", f"{one}/transactions"),
            client.call("GET", f"/api/vouchers/{UNKNOWN_ID}/transactions"),
        ],
        "showVoucher": [*info, client.call("GET", f"/api/vouchers/{spent['_id']}/wrong/info", key=None)],
        "lookUpCode": [
            *look_ups,
            client.call("GET", f"/api/coupon/nobody/info?sellerId={seller_id}&eventId=e", key=None),
        ],
        "describeKey": [client.call("GET", "/api/keys/info")],
        "describeSeller": [
            client.call("GET", f"/api/sellers/info/{seller_id}?locale=de", key=None),
            client.call("GET", "/api/sellers/info/nobody", key=None),
        ],
    }


def test_every_operation_obeys_the_document(
    driven: dict[str, list[requests.Response]], ticketing_document: VendorDocument
) -> None:
    for responses in driven.values():
        for response in responses:
            ticketing_document.check(response)


def test_every_page_of_the_list_and_every_voucher_of_it_obeys_the_document(
    start_ticketing: Callable[..., VendorClient], ticketing_document: VendorDocument
) -> None:
    count = choose_size(quick=20, thorough=80)
    client = start_ticketing(vouchers=count, seed=3)
    for top in (7, 25, 1000):
        for skip in range(0, count + 2 * top, top):
            response = client.call("GET", f"/api/vouchers?top={top}&skip={skip}")
            ticketing_document.check(response)
            assert response.json()["total"] == count
    for voucher in client.listed(top=count)["docs"]:
        for look in ("", "/transactions"):
            ticketing_document.check(client.call("GET", f"/api/vouchers/{voucher['_id']}{look}"))


def test_every_operation_of_the_document_is_driven_and_succeeds_once(
    driven: dict[str, list[requests.Response]], ticketing_document: VendorDocument
) -> None:
    paths = (ticketing_document.openapi.spec / "paths").read_value()
    documented = {
        operation["operationId"] for path in paths.values() for name, operation in path.items() if name != "parameters"
    }
    assert documented == {
        name for name, responses in driven.items() if any(r.status_code in {200, 201} for r in responses)
    }


def test_the_expected_statuses_are_answered(driven: dict[str, list[requests.Response]]) -> None:
    statuses = {name: [r.status_code for r in responses] for name, responses in driven.items()}
    assert statuses["listVouchers"] == [200, 200, 200, 401]
    assert statuses["createVoucher"] == [201, 201, 201, 400]
    assert statuses["getVoucher"] == [200, 404]
    assert statuses["updateVoucher"] == [200, 200, 400, 404]
    assert statuses["listTransactions"] == [200, 404]
    assert set(statuses["showVoucher"][:-1]) == {200}
    assert statuses["showVoucher"][-1] == 404
    assert set(statuses["lookUpCode"][:-1]) == {200}
    assert statuses["lookUpCode"][-1] == 404


def test_the_seeded_vouchers_show_every_state_in_the_look_up(
    driven: dict[str, list[requests.Response]],
) -> None:
    messages = {response.json().get("message") for response in driven["lookUpCode"][:-1]}
    assert messages == {"valid", "expired", "invalid"}


@pytest.mark.parametrize(
    "body",
    [
        {"code": "long enough"},
        {"amount": "10.50"},
        {"amount": -1},
        {"amount": None},
        {"amount": 1, "code": None},
        {"amount": 1, "code": "abc"},
        {"amount": 1, "code": "a;bc"},
        {"amount": 1, "validUntil": "2030-01-23T23:00:00"},
    ],
)
def test_what_the_document_forbids_the_simulator_refuses(
    shared_ticketing: VendorClient, ticketing_document: VendorDocument, body: dict[str, object]
) -> None:
    response = shared_ticketing.call("POST", "/api/vouchers", json=body)
    assert response.status_code == 400
    ticketing_document.check_response(response)
    with pytest.raises(RequestBodyValidationError):
        ticketing_document.check_request(response.request)


def test_the_document_would_catch_a_balance_where_none_is_due(
    ticketing: VendorClient, ticketing_document: VendorDocument
) -> None:
    voucher = ticketing.create(10, code="code")
    response = ticketing.call("GET", f"/api/vouchers/{voucher['_id']}/code/info", key=None)
    response._content = response.content.replace(b'"code"', b'"balance":1,"code"')
    with pytest.raises(DataValidationError):
        ticketing_document.check_response(response)
