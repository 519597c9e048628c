"""The simulator keeps the vendor's contract in every operation, over real HTTP."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
import requests
from openapi_core import OpenAPI
from openapi_core.exceptions import OpenAPIError

from tests.support.examples import choose_size
from tests.support.openapi import RequestChecker

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.providers.jtl.conftest import Caller
    from voucher_gateway.simulator import RunningSimulator

    Check = Callable[[requests.Response], None]

DOCUMENT = Path(__file__).parents[1] / "openapi.yaml"


@pytest.mark.parametrize("omit_unset", [False, True])
def test_every_operation_keeps_the_contract(
    start_jtl: Callable[..., RunningSimulator],
    call_jtl: Callable[[RunningSimulator], Caller],
    check_exchange: Check,
    omit_unset: bool,
) -> None:
    jtl = start_jtl(vouchers=60, seed=1, strict=True, omit_unset=omit_unset)
    caller = call_jtl(jtl)
    seen = set()

    def expect(operation: str, method: str, path: str, json: object = None, status: int = 200) -> requests.Response:
        response = caller.call(method, path, json)
        assert response.status_code == status, response.text
        check_exchange(response)
        seen.add(operation)
        return response

    voucher = expect(
        "createVoucher",
        "POST",
        "/vouchers",
        {
            "amount": "50.00",
            "currency": "EUR",
            "id": "My/own id?",
            "code": "My own code",
            "pin": "1234",
            "sku": "S",
            "batch": "B",
            "validity_value": 24,
            "validity_interval": "months",
            "status": "inactive",
            "type": "print",
            "taxable": True,
            "tax_rate": "19",
            "order_number": "66",
            "data": "{}",
        },
        201,
    ).json()
    path = f"/vouchers/{quote(voucher['id'], safe='')}"
    expect("updateVoucher", "PATCH", path, {"sku": "T", "batch": "C"})
    expect("setVoucherStatus", "PATCH", f"{path}/status", {"status": "active", "comment": "paid"})
    expect("getVoucher", "GET", path)
    expect("getCompleteVoucher", "GET", f"{path}/complete")
    more = {"id": voucher["id"], "amount": "1.00", "currency": "EUR", "order_number": "0"}
    expect("rechargeVoucher", "POST", "/vouchers/recharge", more, status=201)
    order = {"amount": "10.53", "currency": "EUR", "code": voucher["code"], "pin": "1234"}
    reservation = expect("reserve", "POST", "/reservations", order, status=201).json()
    charge_path = f"/reservations/{reservation['id']}/charge"
    charge = expect("chargeReservation", "POST", charge_path, {"order_number": "1"}, status=201).json()
    back = {"amount": "10.53", "currency": "EUR"}
    expect("refundCharge", "POST", f"/charges/{charge['id']}/refund", back, status=201)
    expect("listMovements", "GET", f"{path}/charges?page=1&per_page=2&filter[order_number]=1")
    expect("listMovements", "GET", f"{path}/charges")
    expect("getMovement", "GET", f"{path}/charges/{charge['id']}")
    other = expect("createVoucher", "POST", "/vouchers", {"amount": "0.00", "currency": "JPY"}, status=201).json()
    expect("deleteVoucher", "DELETE", f"/vouchers/{other['id']}", {"comment": "a mistake"}, status=204)
    for page in range(1, 4):
        expect("listVouchers", "GET", f"/vouchers?sort=created_at&page={page}&filter[status]=active,inactive")
    client = expect("connectClient", "POST", "/clients/connect", {"pin": jtl.announcement["connect_pin"]}).json()
    form = {
        "grant_type": "client_credentials",
        "client_id": client["id"],
        "client_secret": client["secret"],
        "client_type": "tests",
        "scope": "read use",
    }
    token = requests.post(jtl.announcement["token_url"], data=form, timeout=5)
    assert token.status_code == 200
    check_exchange(token)
    expect("disconnectClient", "POST", "/clients/disconnect", status=204)
    assert seen | {"getToken"} == set(re.findall(r"operationId: (\w+)", DOCUMENT.read_text()))


def test_every_page_of_a_list_keeps_the_strict_contract(
    start_jtl: Callable[..., RunningSimulator], call_jtl: Callable[[RunningSimulator], Caller], check_reply: Check
) -> None:
    count = choose_size(quick=15, thorough=60)
    caller = call_jtl(start_jtl(vouchers=count, seed=1))
    for per_page in (1, 7, 25, 100):
        last = -(-count // per_page)
        for page in range(1, last + 3):  # two pages after the end
            response = caller.call("GET", f"/vouchers?page={page}&per_page={per_page}")
            check_reply(response)
            links = response.json()["links"]
            assert ("prev" in links, "next" in links) == (page > 1, page < last)
    for voucher in caller.call("GET", "/vouchers?per_page=60").json()["data"]:
        path = f"/vouchers/{quote(voucher['id'], safe='')}"
        for look in (path, f"{path}/complete", f"{path}/charges?per_page=1", f"{path}/charges?page=99"):
            check_reply(caller.call("GET", look))


def test_every_answer_about_an_issue_keeps_the_strict_contract(caller: Caller, check_reply: Check) -> None:
    least = {"amount": "5.00", "currency": "EUR"}
    for body in (least, {**least, "status": "active", "type": "digital"}, {**least, "taxable": True, "tax_rate": "19"}):
        issued = caller.call("POST", "/vouchers", body)
        assert issued.status_code == 201
        check_reply(issued)
        path = f"/vouchers/{issued.json()['id']}"
        for status in ("active", "inactive", "active"):
            check_reply(caller.call("PATCH", f"{path}/status", {"status": status}))
        reserved = caller.reserve(issued.json()["code"], "5.00")
        check_reply(reserved)
        charged = caller.charge(reserved.json()["id"])
        check_reply(charged)
        check_reply(caller.call("POST", f"/charges/{charged.json()['id']}/refund", least))
        check_reply(caller.call("GET", f"{path}/charges"))


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'"text"', b"{}", b'{"amount": 5}', b"\xff"], ids=repr)
@pytest.mark.parametrize("content_type", ["application/json", "text/plain", ""])
@pytest.mark.parametrize("path", ["/vouchers", "/reservations"])
def test_a_body_of_any_kind_gets_a_documented_answer(
    caller: Caller, check_reply: Check, path: str, content_type: str, body: bytes
) -> None:
    response = caller.call("POST", path, data=body, headers={"Content-Type": content_type})
    assert response.status_code == 422
    check_reply(response)


@pytest.mark.parametrize(
    ("status", "method", "path", "json"),
    [
        (404, "GET", "/vouchers/none", None),
        (404, "POST", "/reservations", {"amount": "1.00", "currency": "EUR", "code": "none"}),
        (404, "POST", "/reservations/none/charge", {"order_number": "1"}),
        (404, "POST", "/charges/none/refund", {"amount": "1.00", "currency": "EUR"}),
        (404, "GET", "/vouchers/none/charges/none", None),
        (422, "POST", "/vouchers", {"amount": "1.00", "currency": "XQZ"}),
        (422, "POST", "/clients/connect", {"pin": "wrong"}),
    ],
)
def test_refusals_keep_the_contract(
    caller: Caller, check_exchange: Check, status: int, method: str, path: str, json: object
) -> None:
    response = caller.call(method, path, json)
    assert response.status_code == status
    check_exchange(response)


def test_a_refused_login_keeps_the_contract(jtl: RunningSimulator, check_exchange: Check) -> None:
    form = {"grant_type": "client_credentials", "client_id": jtl.announcement["client_id"], "client_secret": "wrong"}
    response = requests.post(jtl.announcement["token_url"], data=form, timeout=5)
    assert (response.status_code, response.json()) == (401, {"error": "invalid_client"})
    check_exchange(response)


def test_missing_scopes_and_tokens_keep_the_contract(
    jtl: RunningSimulator, caller: Caller, check_exchange: Check
) -> None:
    jtl.simulator.expire_tokens()
    response = caller.call("GET", "/vouchers")
    assert response.status_code == 401
    check_exchange(response)


def test_recorded_requests_are_checked_against_the_contract(
    jtl: RunningSimulator, caller: Caller, jtl_document: OpenAPI
) -> None:
    checker = RequestChecker(jtl_document)
    caller.issue(code="a b/ü")
    caller.call("GET", "/vouchers?filter[code]=a%20b%2F%C3%BC&sort=created_at")
    checker.check_sent(jtl)
    caller.call("POST", "/vouchers", {"amount": 5, "currency": "EUR"})
    with pytest.raises(OpenAPIError):
        checker.check_sent(jtl)
