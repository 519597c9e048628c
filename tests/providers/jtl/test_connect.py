"""Swapping a PIN of the Admin UI for a login."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from voucher_gateway.provider_api import (
    ConfigurationError,
    Declined,
    InvalidRequest,
    Money,
    NewVoucher,
    OutcomeUnknown,
    Pin,
    ProviderUnavailable,
    Secret,
    SecretSource,
)
from voucher_gateway_jtl import PRODUCTION, JtlProvider

if TYPE_CHECKING:
    import responses

    from voucher_gateway.simulator import RunningSimulator

    MakeAdapter = Callable[..., JtlProvider]

LOST = ["commit-then-drop", "commit-then-reset", "truncate", "html", "empty", "not-json", "error-after-commit", "nan"]


def _connect(running: RunningSimulator, pin: str | None = None) -> dict[str, str | Secret]:
    return JtlProvider.connect(running.announcement["base_url"], pin or running.announcement["connect_pin"])


def test_a_pin_gives_a_login_that_works(jtl: RunningSimulator, make_adapter: MakeAdapter) -> None:
    login = _connect(jtl)
    assert set(login) == {"client_id", "client_secret"}
    client_id, secret = login["client_id"], login["client_secret"]
    assert isinstance(secret, Secret)
    shop = make_adapter(jtl, client_id=client_id, client_secret=SecretSource.of(secret))
    assert shop.issue(NewVoucher(initial=Money(1, "EUR")), reference="r").raw is not None
    assert shop.login == client_id != jtl.announcement["client_id"]


def test_the_secret_does_not_show(jtl: RunningSimulator) -> None:
    login = _connect(jtl)
    secret = login["client_secret"]
    assert isinstance(secret, Secret)
    assert secret.reveal() not in f"{login} {login!r}"


def test_the_request_carries_the_pin_and_no_credentials(jtl: RunningSimulator) -> None:
    _connect(jtl)
    (request,) = jtl.requests
    assert (request.method, request.path, request.query) == ("POST", "/v1/clients/connect", "")
    assert json.loads(request.body) == {"pin": jtl.announcement["connect_pin"]}
    assert request.header("Authorization") is None


def test_a_pin_works_once(jtl: RunningSimulator) -> None:
    _connect(jtl)
    with pytest.raises(Declined) as caught:
        _connect(jtl)
    assert (caught.value.operation, caught.value.http_status) == ("connect", 422)


def test_a_pin_ends_after_half_an_hour(jtl: RunningSimulator) -> None:
    jtl.clock.advance(30 * 60)
    with pytest.raises(Declined):
        _connect(jtl)


def test_a_wrong_pin_is_declined(jtl: RunningSimulator) -> None:
    with pytest.raises(Declined):
        _connect(jtl, "WRONG1")
    assert _connect(jtl)["client_id"]


@pytest.mark.parametrize("pin", ["", "x" * 256, "\ud83c"])
def test_what_cannot_be_a_pin_is_not_sent(vendor: responses.RequestsMock, pin: str) -> None:
    for given in (pin, Pin(pin)):
        with pytest.raises(InvalidRequest) as caught:
            JtlProvider.connect(PRODUCTION, given)
        assert caught.value.field == "pin"
    assert len(vendor.calls) == 0


def test_a_pin_is_sent_over_https_only(vendor: responses.RequestsMock) -> None:
    with pytest.raises(ConfigurationError):
        JtlProvider.connect("http://vouchers.api.jtl-software.com/v1", "123456")
    assert len(vendor.calls) == 0


@pytest.mark.parametrize("fault", LOST)
def test_a_lost_answer_leaves_open_whether_the_pin_is_used_up(jtl: RunningSimulator, fault: str) -> None:
    jtl.inject(fault, "POST /v1/clients/connect")
    with pytest.raises(OutcomeUnknown) as caught:
        _connect(jtl)
    ticket = caught.value.ticket
    assert (ticket.verb, ticket.provider) == ("connect", "jtl")
    assert jtl.announcement["base_url"].removeprefix("http://").startswith(ticket.host)
    assert jtl.announcement["connect_pin"] not in ticket.to_json() + str(caught.value)
    # It was used up: nothing was sent a second time, and a second time is refused.
    assert len(jtl.requests) == 1
    with pytest.raises(Declined):
        _connect(jtl)


def test_a_vendor_that_is_not_there_has_not_used_the_pin(jtl: RunningSimulator) -> None:
    with pytest.raises(ProviderUnavailable):
        JtlProvider.connect("http://127.0.0.1:9/v1", "123456")


@pytest.mark.parametrize(
    "answer", [{"id": "c"}, {"secret": "s"}, {"id": 7, "secret": "s"}, {"id": "c", "secret": None}]
)
def test_a_login_without_both_parts_is_none(vendor: responses.RequestsMock, answer: dict[str, object]) -> None:
    vendor.post(f"{PRODUCTION}/clients/connect", json=answer)
    with pytest.raises(OutcomeUnknown):
        JtlProvider.connect(PRODUCTION, "123456")


def test_a_login_may_come_with_all_that_the_vendor_documents(vendor: responses.RequestsMock) -> None:
    answer = {
        "id": "c",
        "client_group_id": "g",
        "name": "Till 7",
        "secret": "s",
        "scopes": ["can_use", "can_manage"],
        "connected_at": None,
        "created_at": "2026-01-01T00:00:00+00:00",
        "type": "pos",
    }
    vendor.post(f"{PRODUCTION}/clients/connect", json=answer, status=201)
    assert JtlProvider.connect(PRODUCTION, Pin("123456")) == {"client_id": "c", "client_secret": Secret("s")}
