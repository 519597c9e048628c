"""Each request leaves a line in a named logger, with its template and never with a code."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from voucher_gateway.provider_api import Path, ProviderUnavailable, Request

if TYPE_CHECKING:
    from tests.http.conftest import ClientOf, Serve

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


def test_a_lost_reply_leaves_a_line_at_info(
    serve: Serve, client_of: ClientOf, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    server = serve(lambda visit: visit.reset())
    with pytest.raises(ProviderUnavailable):
        client_of(server, tries=1).read(LOOK_UP, lambda reply: reply.status)
    assert [(level, text.partition(": GET")[2][:14]) for level, text in lines(caplog)] == [("INFO", " /codes/{code}")]
    assert CODE not in caplog.text
