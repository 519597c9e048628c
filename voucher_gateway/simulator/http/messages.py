"""Requests, replies, and the record of what arrived at a simulated vendor."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from attrs import evolve, field, frozen
from werkzeug.datastructures import Headers, MultiDict

from voucher_gateway.simulator.http.strict_json import read_json, write_json

if TYPE_CHECKING:
    from datetime import datetime

    from voucher_gateway.simulator.http.socket_writer import Outgoing

Delivery = Callable[["Outgoing"], None]
"""Sends a reply in an unusual way and raises `ConnectionGone` or `ReplySent`; see `socket_writer`.

One that returns has only sent something before the reply, which then leaves as usual.
"""


@frozen
class Request:
    """A request as it arrived.

    Attributes:
        method: in capitals.
        raw_path: still percent-encoded, exactly as sent.
        raw_query: the text after the question mark, exactly as sent.
        headers: the headers; look-ups ignore case.
        body: the bytes after any chunked coding was undone.
        parts: the decoded path parts that the route names.
    """

    method: str
    raw_path: str
    raw_query: str = ""
    headers: Headers = field(factory=Headers)
    body: bytes = field(default=b"", repr=False)
    parts: Mapping[str, str] = field(factory=dict)

    @property
    def query(self) -> MultiDict[str, str]:
        """The decoded query in its order.

        Raises:
            ValueError: when it is not percent-encoded UTF-8 or has more than a thousand fields.
        """
        return MultiDict(_fields(self.raw_query))

    def form(self) -> MultiDict[str, str]:
        """Return the decoded form of an `application/x-www-form-urlencoded` body.

        Raises:
            ValueError: as for `query`.
        """
        return MultiDict(_fields(self.body.decode("utf-8")))

    @property
    def content_type(self) -> str:
        """The media type without its parameters, in lower case; empty when none was sent."""
        return self.headers.get("Content-Type", "").partition(";")[0].strip().lower()

    def json(self) -> object:
        """Return the body as strict JSON, with `Decimal` for fractions.

        Raises:
            InvalidJson: if the body is not strict JSON; see `read_json`.
        """
        return read_json(self.body)


@frozen
class Reply:
    """A reply of the vendor.

    Attributes:
        status: the HTTP status.
        body: bytes go out as they are; anything else is written as JSON (a text is a JSON string), after the
            simulator's lock is released, so that it must not share parts with the ledger.
        headers: further headers; Date, Content-Length and a missing Content-Type are added on the way out.
        delivery: how a fault sends the reply; by default it is sent whole and at once.
    """

    status: int
    body: object = b""
    headers: tuple[tuple[str, str], ...] = ()
    delivery: Delivery | None = None

    def payload(self) -> bytes:
        """Return the bytes of the body."""
        return self.body if isinstance(self.body, bytes) else write_json(self.body)

    def with_header(self, name: str, value: str) -> Reply:
        """Return the same reply with one header set, in place of any of that name."""
        others = tuple(item for item in self.headers if item[0].lower() != name.lower())
        return evolve(self, headers=(*others, (name, value)))

    def all_headers(self, date: str) -> list[tuple[str, str]]:
        """Return every header apart from Content-Length, which the delivery decides."""
        names = {name.lower() for name, _ in self.headers}
        headers = [] if "date" in names else [("Date", date)]
        headers.extend(self.headers)
        if "content-type" not in names and self.body != b"":
            media_type = "application/octet-stream" if isinstance(self.body, bytes) else "application/json"
            headers.append(("Content-Type", media_type))
        return headers


class Refused(Exception):
    """Raised in a handler to answer with this reply at once."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(f"the simulated vendor answers {reply.status}")
        self.reply = reply


@frozen
class RecordedRequest:
    """A request as it arrived at a simulator, for tests. It holds secrets and codes.

    Attributes:
        at: the time of its arrival by the virtual clock.
        method: in capitals.
        path: still percent-encoded, exactly as sent.
        query: the text after the question mark, exactly as sent.
        headers: in their order.
        body: after any chunked coding was undone.
        status: the status that was sent; None before that, and if a fault sent nothing.
        faults: the names of the faults that this request met.
    """

    at: datetime
    method: str
    path: str
    query: str
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    body: bytes = field(repr=False)
    status: int | None = None
    faults: tuple[str, ...] = ()

    def json(self) -> object:
        """Return the body as strict JSON.

        Raises:
            InvalidJson: if the body is not strict JSON.
        """
        return read_json(self.body)

    def header(self, name: str) -> str | None:
        """Return the first header of that name, whatever its case."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


def _fields(text: str) -> list[tuple[str, str]]:
    return parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=1000)
