"""Each request leaves a line in a named logger, with its template and never with a code."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from tests.support.waits import FIRST_WAIT_S
from voucher_gateway.http import retry
from voucher_gateway.provider_api import BearerKey, ClientCredentials, Path, ProviderUnavailable, Request
from voucher_gateway.setting_types import SecretSource

if TYPE_CHECKING:
    from tests.http.conftest import Answer, Asked, ClientOf, Serve

CODE = "GIFT-SECRET-1234"
LOOK_UP = Request(method="GET", path=Path.of("/codes/{code}", code=CODE))


def lines(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    records = [record for record in caplog.records if record.name.startswith("voucher_gateway.http")]
    return [(record.levelname, record.getMessage()) for record in records]


def test_a_reply_leaves_a_line_with_the_template_and_the_status(
    serve: Serve, client_of: ClientOf, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server = serve(lambda visit: visit.answer(200))
    client_of(server).read(LOOK_UP, lambda reply: reply.status)
    assert lines(caplog) == [("DEBUG", "shop: GET /codes/{code}: HTTP 200")]
    assert CODE not in caplog.text


def test_a_lost_reply_leaves_a_line_at_debug(
    serve: Serve, client_of: ClientOf, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server = serve(lambda visit: visit.reset())
    with pytest.raises(ProviderUnavailable):
        client_of(server, tries=1).read(LOOK_UP, lambda reply: reply.status)
    assert [(level, text.partition(": GET")[2][:14]) for level, text in lines(caplog)] == [("DEBUG", " /codes/{code}")]
    assert CODE not in caplog.text


def answers(*replies: tuple[int, str]) -> Callable[[Asked], Answer]:
    """Return these replies in turn."""
    remaining = iter(replies)
    return lambda _: next(remaining)


def test_a_repeated_request_leaves_a_line_with_the_reason_and_the_wait(
    serve: Serve, client_of: ClientOf, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retry, "FIRST_WAIT_S", FIRST_WAIT_S)
    caplog.set_level(logging.DEBUG)
    server = serve(each=answers((503, ""), (200, "{}")))
    client_of(server, tries=2).read(LOOK_UP, lambda reply: reply.status)
    level, line = lines(caplog)[1]
    assert level == "DEBUG"
    assert re.fullmatch(r"GET /codes/\{code\}: answered with HTTP 503; attempt 2 follows in 0\.[12][0-9] s", line)
    assert CODE not in caplog.text


def test_a_token_and_its_renewal_leave_lines_without_it(
    serve: Serve, client_of: ClientOf, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    first, second = '{"access_token": "TOKEN-1", "expires_in": 600}', '{"access_token": "TOKEN-2"}'
    server = serve(each=answers((200, first), (401, "{}"), (200, second), (200, "{}")))
    client = client_of(server)
    client.auth = ClientCredentials(
        client_id="till-1", client_secret=SecretSource.of("CLIENT-SECRET"), post=client.post_form(f"{server.url}/token")
    )
    client.read(LOOK_UP, lambda reply: reply.status)
    assert lines(caplog) == [
        ("DEBUG", "got an access token, to be renewed in 540 s"),
        ("DEBUG", "shop: GET /codes/{code}: HTTP 401"),
        ("DEBUG", "got an access token, to be renewed in inf s"),
        ("DEBUG", "shop: GET /codes/{code}: HTTP 401, so it is sent again with other credentials"),
        ("DEBUG", "shop: GET /codes/{code}: HTTP 200"),
    ]
    assert not any(secret in caplog.text for secret in ("TOKEN-", "CLIENT-SECRET", CODE))


@pytest.mark.parametrize(("key", "result"), [("KEY-1", "not changed"), ("KEY-2", "changed")])
def test_a_refused_key_that_is_read_again_leaves_a_line_without_it(
    key: str, result: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    keys = iter(["KEY-1", key])
    auth = BearerKey(SecretSource.of(lambda: next(keys)))
    auth.renew(auth.header(0), 0)
    assert lines(caplog) == [("DEBUG", f"read the refused key again: it has {result}")]
    assert "KEY-" not in caplog.text
