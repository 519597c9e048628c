"""Who may call the JTL simulator: tokens, scopes, connecting and disconnecting."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
import requests

if TYPE_CHECKING:
    from tests.providers.jtl.conftest import Caller
    from voucher_gateway.simulator import RunningSimulator

    StartJtl = Callable[..., RunningSimulator]
    CallJtl = Callable[[RunningSimulator], Caller]

VOUCHER = {"amount": "1.00", "currency": "EUR"}


def _form(jtl: RunningSimulator, **changes: str) -> dict[str, str]:
    announced = jtl.announcement
    form = {
        "grant_type": "client_credentials",
        "client_id": announced["client_id"],
        "client_secret": announced["client_secret"],
        **changes,
    }
    return {name: value for name, value in form.items() if value != "-"}


def _token(jtl: RunningSimulator, **changes: str) -> requests.Response:
    return requests.post(jtl.announcement["token_url"], data=_form(jtl, **changes), timeout=5)


def _use(caller: Caller, response: requests.Response) -> None:
    caller.headers["Authorization"] = f"Bearer {response.json()['access_token']}"


def test_client_credentials_buy_a_token_for_an_hour(jtl: RunningSimulator, caller: Caller) -> None:
    response = _token(jtl, client_type="x" * 32)
    assert response.json().keys() == {"access_token", "token_type", "expires_in"}
    assert (response.json()["token_type"], response.json()["expires_in"]) == ("Bearer", 3600)
    assert response.headers["Cache-Control"] == "no-store"
    _use(caller, response)
    assert caller.call("GET", "/vouchers").status_code == 200
    jtl.clock.advance(3590)
    assert caller.call("GET", "/vouchers").status_code == 200
    jtl.clock.advance(11)
    assert caller.call("GET", "/vouchers").status_code == 401


def test_the_lifetime_of_tokens_can_be_set(start_jtl: StartJtl, call_jtl: CallJtl) -> None:
    jtl = start_jtl(token_lifetime_s=60)
    response = _token(jtl)
    assert response.json()["expires_in"] == 60
    caller = call_jtl(jtl)
    _use(caller, response)
    jtl.clock.advance(61)
    assert caller.call("GET", "/vouchers").status_code == 401


def test_the_announced_token_is_not_ended_by_time_but_by_expiry_of_all(jtl: RunningSimulator, caller: Caller) -> None:
    jtl.clock.advance(10 * 86_400)
    assert caller.call("GET", "/vouchers").status_code == 200
    jtl.inject("expire-token", "GET /v1/vouchers")
    response = caller.call("GET", "/vouchers")
    assert (response.status_code, response.headers["WWW-Authenticate"]) == (401, "Bearer")
    _use(caller, _token(jtl))
    assert caller.call("GET", "/vouchers").status_code == 200


@pytest.mark.parametrize(
    ("changes", "status", "error"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"client_id": "wrong"}, 401, "invalid_client"),
        ({"client_secret": ""}, 401, "invalid_client"),
        ({"client_secret": "-"}, 400, "invalid_request"),
        ({"client_id": "-"}, 400, "invalid_request"),
        ({"grant_type": "-"}, 400, "invalid_request"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"client_type": "x" * 33}, 400, "invalid_request"),
        ({"scope": "read fly"}, 400, "invalid_scope"),
    ],
)
def test_token_requests_are_refused_as_rfc_6749_says(
    jtl: RunningSimulator, changes: dict[str, str], status: int, error: str
) -> None:
    response = _token(jtl, **changes)
    assert (response.status_code, response.json()) == (status, {"error": error})


@pytest.mark.parametrize("content_type", ["application/json", "text/plain"])
def test_a_token_request_is_a_form(jtl: RunningSimulator, content_type: str) -> None:
    response = requests.post(
        jtl.announcement["token_url"],
        data=requests.Request("POST", "http://x", data=_form(jtl)).prepare().body,
        headers={"Content-Type": content_type},
        timeout=5,
    )
    assert (response.status_code, response.json()) == (400, {"error": "invalid_request"})


def test_a_parameter_of_a_token_request_may_not_be_repeated(jtl: RunningSimulator) -> None:
    pairs = [*_form(jtl).items(), ("client_secret", "other")]
    response = requests.post(jtl.announcement["token_url"], data=pairs, timeout=5)
    assert response.json() == {"error": "invalid_request"}


OPERATIONS: list[tuple[str, str, str, object]] = [
    ("read-lists", "GET", "/vouchers", None),
    ("manage", "POST", "/vouchers", VOUCHER),
    ("read", "GET", "/vouchers/x", None),
    ("read-secrets", "GET", "/vouchers/x/complete", None),
    ("update", "PATCH", "/vouchers/x", {}),
    ("manage", "DELETE", "/vouchers/x", {"comment": "c"}),
    ("use", "PATCH", "/vouchers/x/status", {"status": "active"}),
    ("recharge", "POST", "/vouchers/recharge", {**VOUCHER, "id": "x", "order_number": "1"}),
    ("read-lists", "GET", "/vouchers/x/charges", None),
    ("read", "GET", "/vouchers/x/charges/y", None),
    ("use", "POST", "/reservations", {**VOUCHER, "code": "x"}),
    ("use", "POST", "/reservations/x/charge", {"order_number": "1"}),
    ("use", "POST", "/charges/x/refund", VOUCHER),
]


@pytest.mark.parametrize("scope", ["read", "read-lists", "read-secrets", "use", "manage", "update", "recharge"])
def test_each_operation_needs_its_own_scope(jtl: RunningSimulator, caller: Caller, scope: str) -> None:
    response = _token(jtl, scope=scope)
    assert response.json()["scope"] == scope
    _use(caller, response)
    for needed, method, path, body in OPERATIONS:
        answer = caller.call(method, path, body)
        assert (answer.status_code == 403) == (needed != scope), (method, path)
        if answer.status_code == 403:
            assert answer.content == b'"Forbidden"'


@pytest.mark.parametrize("authorization", [None, "", "Bearer", "Bearer ", "Bearer wrong", "Basic {token}", "{token}"])
def test_without_a_valid_token_everything_is_401(
    jtl: RunningSimulator, caller: Caller, authorization: str | None
) -> None:
    del caller.headers["Authorization"]
    if authorization is not None:
        caller.headers["Authorization"] = authorization.format(token=jtl.announcement["token"])
    for _, method, path, body in OPERATIONS:
        assert caller.call(method, path, body).status_code == 401
    assert caller.call("POST", "/clients/disconnect").status_code == 401


def test_a_pin_connects_a_client_once(jtl: RunningSimulator, caller: Caller) -> None:
    pin = {"pin": jtl.announcement["connect_pin"]}
    del caller.headers["Authorization"]
    client: dict[str, Any] = caller.call("POST", "/clients/connect", pin).json()
    assert len(client["scopes"]) == 7
    assert client["connected_at"] is not None
    _use(caller, _token(jtl, client_id=client["id"], client_secret=client["secret"]))
    assert caller.call("GET", "/vouchers").status_code == 200
    assert caller.call("POST", "/clients/connect", pin).status_code == 422


def test_a_pin_is_dead_after_half_an_hour(jtl: RunningSimulator, caller: Caller) -> None:
    jtl.clock.advance(30 * 60)
    response = caller.call("POST", "/clients/connect", {"pin": jtl.announcement["connect_pin"]})
    assert response.status_code == 422
    assert "errors" not in response.json()


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "CLIENT.CONNECT.PIN.REQUIRED"),
        ({"pin": 5}, "CLIENT.CONNECT.PIN.STRING"),
        ({"pin": "x" * 256}, "CLIENT.CONNECT.PIN.MAX:255"),
    ],
)
def test_a_pin_obeys_its_field_rules(caller: Caller, body: dict[str, object], code: str) -> None:
    response = caller.call("POST", "/clients/connect", body)
    assert [error["code"] for error in response.json()["errors"]] == [code]


def test_disconnecting_destroys_the_credentials(jtl: RunningSimulator, caller: Caller) -> None:
    response = caller.call("POST", "/clients/disconnect")
    assert (response.status_code, response.content) == (204, b"")
    assert caller.call("GET", "/vouchers").status_code == 401
    assert _token(jtl).json() == {"error": "invalid_client"}
