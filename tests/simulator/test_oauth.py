"""The token server of the kit: RFC 6749, section 4.4, and nothing that no client may rely on."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from werkzeug.datastructures import Headers

from voucher_gateway.simulator import Login, Refused, Reply, Request, TokenServer, VirtualClock

FORM = "application/x-www-form-urlencoded"
LOGINS = {"till": Login("s3cret", ("read", "spend")), "bare": Login("other")}
GOOD = {"grant_type": "client_credentials", "client_id": "till", "client_secret": "s3cret"}


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(datetime(2030, 1, 1, tzinfo=UTC))


@pytest.fixture
def server(clock: VirtualClock) -> TokenServer:
    count = itertools.count(1)
    return TokenServer(clock.now, LOGINS.get, lifetime_s=600, draw=lambda: f"token-{next(count)}")


def asking(content_type: str = FORM, body: bytes | None = None, /, **fields: str) -> Request:
    text = urlencode(fields).encode() if body is None else body
    return Request("POST", "/oauth/token", headers=Headers({"Content-Type": content_type}), body=text)


def granted(server: TokenServer, **more: str) -> Any:
    reply: Reply = server.grant(asking(**GOOD, **more))
    assert reply.status == 200
    return reply.body


def bearing(text: str, scheme: str = "Bearer") -> Request:
    return Request("GET", "/", headers=Headers({"Authorization": f"{scheme} {text}"}))


def refusal(server: TokenServer, request: Request) -> tuple[int, Any]:
    with pytest.raises(Refused) as refused:
        server.grant(request)
    assert dict(refused.value.reply.headers)["Cache-Control"] == "no-store"
    return refused.value.reply.status, refused.value.reply.body


def test_a_token_is_granted_for_the_right_secret_and_known_again(server: TokenServer) -> None:
    assert granted(server) == {"access_token": "token-1", "token_type": "Bearer", "expires_in": 600}
    token = server.of(bearing("token-1", "bEaReR"))
    assert token is not None
    assert (token.client_id, token.scopes) == ("till", frozenset({"read", "spend"}))


def test_scopes_that_are_asked_for_are_granted_and_told(server: TokenServer) -> None:
    assert granted(server, scope="read")["scope"] == "read"
    token = server.of(bearing("token-1"))
    assert token is not None
    assert token.scopes == {"read"}


def test_a_token_ends_by_the_virtual_clock(server: TokenServer, clock: VirtualClock) -> None:
    granted(server)
    clock.advance(590)
    assert server.of(bearing("token-1")) is not None
    clock.advance(10)
    assert server.of(bearing("token-1")) is None


def test_a_standing_token_does_not(server: TokenServer, clock: VirtualClock) -> None:
    text = server.long_lived_token("till", ("read",))
    clock.advance(timedelta(days=3000).total_seconds())
    token = server.of(bearing(text))
    assert token is not None
    assert token.scopes == {"read"}


def test_tokens_end_when_they_are_expired_or_their_client_is_revoked(server: TokenServer) -> None:
    texts = [granted(server)["access_token"], server.long_lived_token("bare")]
    server.revoke("till")
    assert [server.of(bearing(text)) is None for text in texts] == [True, False]
    server.expire()
    assert server.of(bearing(texts[1])) is None


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (asking("application/json", b"{}"), (400, "invalid_request")),
        (asking(FORM, b"\xff\xfe"), (400, "invalid_request")),
        (asking(grant_type="client_credentials"), (400, "invalid_request")),
        (asking(FORM, urlencode([*GOOD.items(), ("client_id", "bare")]).encode()), (400, "invalid_request")),
        (asking(**{**GOOD, "grant_type": "password"}), (400, "unsupported_grant_type")),
        (asking(**{**GOOD, "client_id": "nobody"}), (401, "invalid_client")),
        (asking(**{**GOOD, "client_secret": "S3CRET"}), (401, "invalid_client")),
        (asking(**{**GOOD, "client_secret": "größe"}), (401, "invalid_client")),
        (asking(**GOOD, scope="read everything"), (400, "invalid_scope")),
    ],
)
def test_anything_else_is_refused_as_the_standard_says(
    server: TokenServer, request_: Request, expected: tuple[int, str]
) -> None:
    status, body = refusal(server, request_)
    assert (status, body) == (expected[0], {"error": expected[1]})


def test_a_vendors_own_rule_of_the_form_is_asked_too(clock: VirtualClock) -> None:
    server = TokenServer(clock.now, LOGINS.get, form_rule=lambda form: "audience" in form)
    assert refusal(server, asking(**GOOD)) == (400, {"error": "invalid_request"})
    assert server.grant(asking(**GOOD, audience="us")).status == 200


@pytest.mark.parametrize(
    "request_", [Request("GET", "/"), bearing("unknown"), bearing("token-1", "Basic"), bearing("")]
)
def test_what_bears_no_good_token_has_none(server: TokenServer, request_: Request) -> None:
    granted(server)
    assert server.of(request_) is None


def test_a_login_and_a_secret_do_not_show() -> None:
    assert "s3cret" not in repr(LOGINS)
