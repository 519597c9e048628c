"""Whoever wants to know of a changing request is told right before it leaves, or keeps it from leaving."""

from __future__ import annotations

from datetime import timedelta
from email.utils import formatdate
from typing import TYPE_CHECKING

import pytest

from voucher_gateway.provider_api import (
    AuthenticationFailed,
    ClientCredentials,
    HttpClient,
    Intent,
    InvalidRequest,
    OperationInProgress,
    Path,
    Request,
    Response,
)
from voucher_gateway.request_hooks import use_before_send_hook
from voucher_gateway.setting_types import SecretSource

if TYPE_CHECKING:
    from tests.http.conftest import Answer, Asked, ClientOf, Serve, Server

LOOK = Request(method="GET", path=Path.of("/jars"))
CHARGE = Request(method="POST", path=Path.of("/charges"), json={"amount": "10.53"})


class Notary:
    """Notes what was known of a server at each time that it was told of a request."""

    def __init__(self, server: Server) -> None:
        self.noted: list[list[str]] = []
        self.intents: list[Intent] = []
        self._server = server

    def before_send(self, intent: Intent) -> None:
        self.intents.append(intent)
        self.noted.append([asked.target for asked in self._server.heard])


class Forbidding:
    def before_send(self, intent: Intent) -> None:
        raise OperationInProgress("another worker has taken over")


def sign_in(client: HttpClient, server: Server) -> HttpClient:
    client.auth = ClientCredentials(
        client_id="till-1", client_secret=SecretSource.of("a-secret"), post=client.post_form(f"{server.url}/token")
    )
    return client


def test_each_sending_is_told_right_before_it(serve: Serve, client_of: ClientOf, intent: Intent) -> None:
    statuses = iter([429, 401])

    def each(asked: Asked) -> Answer:
        if asked.target == "/token":
            return 200, '{"access_token": "t"}'
        return next(statuses, 200), "{}", {"Retry-After": "0"}

    server = serve(each=each)
    notary = Notary(server)
    with use_before_send_hook(notary):
        sign_in(client_of(server, tries=3), server).change(CHARGE, intent, Response.json)
    assert notary.noted == [
        ["/token"],
        ["/token", "/charges"],
        ["/token", "/charges", "/charges", "/token"],
    ]
    assert notary.intents == [intent] * 3


def test_a_read_is_not_told(serve: Serve, client_of: ClientOf) -> None:
    server = serve()
    notary = Notary(server)
    with use_before_send_hook(notary):
        client_of(server).read(LOOK, Response.json)
    assert notary.noted == []


def test_what_is_never_sent_is_not_told(serve: Serve, client_of: ClientOf, intent: Intent) -> None:
    server = serve(each=lambda _: (401, "{}"))
    notary = Notary(server)
    client = sign_in(client_of(server), server)
    with use_before_send_hook(notary):
        with pytest.raises(AuthenticationFailed):
            client.change(CHARGE, intent, Response.json)
        with pytest.raises(InvalidRequest):
            client.change(Request(method="POST", path=Path.of("/a"), json={"a": "\ud800"}), intent, Response.json)
    assert notary.noted == []


def test_a_witness_can_keep_a_request_from_leaving(serve: Serve, client_of: ClientOf, intent: Intent) -> None:
    server = serve()
    with use_before_send_hook(Forbidding()), pytest.raises(OperationInProgress):
        client_of(server).change(CHARGE, intent, Response.json)
    assert server.visits == []


def test_logging_in_shows_whether_the_vendor_takes_the_credentials(serve: Serve, client_of: ClientOf) -> None:
    server = serve(each=lambda _: (200, '{"access_token": "t"}'))
    client_of(server).log_in()  # nothing to do without credentials
    assert server.heard == []
    sign_in(client_of(server), server).log_in()
    assert [asked.target for asked in server.heard] == ["/token"]

    refusing = serve(each=lambda _: (400, '{"error": "invalid_client"}'))
    with pytest.raises(AuthenticationFailed) as refused:
        sign_in(client_of(refusing), refusing).log_in()
    assert refused.value.account == "shop"


def test_the_vendors_clock_is_compared_with_ours(serve: Serve, client_of: ClientOf) -> None:
    dates = iter([None, formatdate(4_000_000_000, usegmt=True), "no date"])

    def each(_: Asked) -> Answer:
        date = next(dates)
        return 200, "{}", {} if date is None else {"Date": date}

    client = client_of(serve(each=each))
    skews = []
    for _ in range(3):
        client.read(LOOK, Response.json)
        skews.append(client.clock_skew)
    unknown, ahead, kept = skews
    assert unknown is None
    assert ahead is not None
    assert ahead > timedelta(days=365)
    assert kept == ahead
