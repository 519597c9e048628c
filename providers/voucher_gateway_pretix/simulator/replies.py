"""Replies that are the same for several calls, and which replies the vendor repeats for a key."""

from __future__ import annotations

from typing import Final

from voucher_gateway.simulator import Reply, Request
from voucher_gateway_pretix.simulator.fields import HTML


def _html_page(title: str) -> bytes:
    return f"<!DOCTYPE html><html><head><title>{title}</title></head></html>".encode()


BAD_GATEWAY: Final = _html_page("Bad Gateway")
INTERNAL_ERROR: Final = _html_page("Internal Server Error")
"""The pages of the web server."""
BUSY: Final = {"detail": "Concurrent request with idempotency key."}
RETRY: Final = (("Retry-After", "5"),)
_FORGOTTEN: Final = frozenset({409, 429, 500, 503})
_TAKEN: Final = {
    "en": "This code is taken here, or by an issuer that is accepted.",
    "de": "Dieser Code ist schon vergeben, hier oder bei einem akzeptierten Aussteller.",
}
"""The texts follow the language of the request. One language beside English is enough to show that."""


def page_not_found() -> Reply:
    """Return the 404 to a path that is not a call."""
    return Reply(404, _html_page("Not found"), HTML)


def server_error(status: int) -> Reply:
    """Return the page of an error of the server."""
    return Reply(status, _html_page("Server Error"), HTML)


def key_is_busy() -> Reply:
    """Return the reply to a key that belongs to a request that is still carried out."""
    return Reply(409, BUSY, RETRY)


def is_repeated(reply: Reply) -> bool:
    """Return whether the vendor keeps a reply, and repeats it for its key."""
    return reply.status not in _FORGOTTEN


def give(reply: Reply, _: Request) -> Reply:
    """Return this reply, whatever the request."""
    return reply


def taken_message(request: Request) -> str:
    """Return what the vendor says of a code that is taken, in the language of the request."""
    return _TAKEN["de" if request.headers.get("Accept-Language", "").startswith("de") else "en"]
