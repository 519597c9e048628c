"""Constant headers, secret headers and the headers of one request reach the vendor, and nothing else can be set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pytest

from tests.support.forked_child import run_in_child
from voucher_gateway.provider_api import (
    AuthenticationFailed,
    BearerKey,
    Code,
    ConfigurationError,
    HttpClient,
    HttpSettings,
    Intent,
    InvalidRequest,
    Path,
    Request,
    Response,
)
from voucher_gateway.setting_types import SecretSource

if TYPE_CHECKING:
    from tests.http.conftest import Answer, Asked, ClientOf, Serve

LOOK = Request(method="GET", path=Path.of("/jars"))
CHARGE = Request(method="POST", path=Path.of("/charges"), json={})


def test_constant_headers_are_sent_with_every_request(serve: Serve, client_of: ClientOf, intent: Intent) -> None:
    server = serve()
    client = client_of(server, client={"headers": {"Square-Version": "2026-09-16", "accept": "application/x-cards"}})
    client.read(LOOK, Response.json)
    client.change(CHARGE, intent, Response.json)
    assert [asked.headers["square-version"] for asked in server.heard] == ["2026-09-16"] * 2
    assert {asked.headers["accept"] for asked in server.heard} == {"application/x-cards"}


def test_a_pair_of_secret_headers_is_sent_beside_the_authorization(serve: Serve, client_of: ClientOf) -> None:
    server = serve()
    pair = {"X-VTEX-API-AppKey": SecretSource.of("the-key"), "X-VTEX-API-AppToken": SecretSource.of("the-token")}
    client = client_of(server, client={"secret_headers": pair})
    client.auth = BearerKey(SecretSource.of("a-key"), scheme="Token")
    client.read(LOOK, Response.json)
    client.read(Request(method="GET", path=Path.of("/open"), anonymous=True), Response.json)
    first, second = (asked.headers for asked in server.heard)
    names = ("x-vtex-api-appkey", "x-vtex-api-apptoken", "authorization")
    assert [first.get(name) for name in names] == ["the-key", "the-token", "Token a-key"]
    assert [second.get(name) for name in names] == [None, None, None]


def test_a_refused_secret_header_is_read_again_once(serve: Serve, client_of: ClientOf, intent: Intent) -> None:
    def each(asked: Asked) -> Answer:
        return (200, "{}") if asked.headers["x-key"] == "after" else (401, "{}")

    server, keys = serve(each=each), iter(["before", "after"])
    client = client_of(server, client={"secret_headers": {"X-Key": SecretSource.of(lambda: next(keys))}})
    client.change(CHARGE, intent, Response.json)
    assert [asked.headers["x-key"] for asked in server.heard] == ["before", "after"]


def test_a_secret_header_that_has_not_changed_is_not_tried_again(serve: Serve, client_of: ClientOf) -> None:
    server = serve(each=lambda _: (401, "{}"))
    client = client_of(server, client={"secret_headers": {"X-Key": SecretSource.of("same")}})
    with pytest.raises(AuthenticationFailed):
        client.read(LOOK, Response.json)
    assert len(server.heard) == 1


def test_a_child_sends_the_headers_of_its_parent(serve: Serve, client_of: ClientOf) -> None:
    server = serve()
    client = client_of(
        server, client={"headers": {"Square-Version": "1"}, "secret_headers": {"X-Key": SecretSource.of("k")}}
    )
    client.read(LOOK, Response.json)
    assert run_in_child(lambda: client.read(LOOK, Response.json)) == "{'ok': True}"
    assert [(asked.headers["square-version"], asked.headers["x-key"]) for asked in server.heard] == [("1", "k")] * 2


def test_a_request_has_headers_that_may_be_masked(serve: Serve, client_of: ClientOf) -> None:
    server = serve()
    request = Request(method="GET", path=Path.of("/jars"), headers={"REST-Range": "0-9", "X-Code": Code("SPRING")})
    assert "SPRING" not in repr(request)
    client_of(server).read(request, Response.json)
    assert (server.heard[0].headers["rest-range"], server.heard[0].headers["x-code"]) == ("0-9", "SPRING")


@pytest.mark.parametrize("value", ["", "a\r\nX-Other: b", "Müller", " padded", "a\0b"])
def test_a_value_that_could_begin_another_header_is_refused(
    value: str, serve: Serve, client_of: ClientOf, intent: Intent
) -> None:
    server = serve()
    client = client_of(server)
    with pytest.raises(InvalidRequest):
        client.change(Request(method="POST", path=Path.of("/a"), headers={"X-Key": value}), intent, Response.json)
    with pytest.raises(ValueError, match="X-Key"):
        client_of(server, client={"headers": {"X-Key": value}})
    assert server.heard == []


def test_a_secret_that_is_no_header_is_a_mistake_in_the_configuration(serve: Serve, client_of: ClientOf) -> None:
    server = serve()
    client = client_of(server, client={"secret_headers": {"X-Key": SecretSource.of("Grüße")}})
    with pytest.raises(ConfigurationError, match="the secret of the header X-Key must be visible ASCII text"):
        client.read(LOOK, Response.json)
    assert server.heard == []


@pytest.mark.parametrize(
    "names", [{"Authorization": "x"}, {"HOST": "x"}, {"a b": "x"}, {"X": "1", "x": "2"}, {"": "x"}]
)
def test_headers_of_the_client_itself_cannot_be_replaced(names: Mapping[str, str]) -> None:
    settings = HttpSettings(base_url="https://vouchers.example")
    with pytest.raises(ValueError, match="header"):
        HttpClient("shop", settings, explain=lambda _: None, headers=names)
    with pytest.raises(ValueError, match="header"):
        HttpClient(
            "shop",
            settings,
            explain=lambda _: None,
            secret_headers={name: SecretSource.of(value) for name, value in names.items()},
        )
