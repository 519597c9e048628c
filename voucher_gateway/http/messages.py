"""A request before it is sent, and its reply."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any, Final
from urllib.parse import quote

import attrs

from voucher_gateway.errors import InvalidRequest
from voucher_gateway.http.headers import reveal_headers
from voucher_gateway.http.urls import PLACEHOLDER, register_template
from voucher_gateway.masking import Masked
from voucher_gateway.wire.json import decode, encode

_REQUEST_ID_HEADERS: Final = ("x-request-id", "x-correlation-id", "request-id", "cf-ray")


@attrs.frozen
class Path:
    """A path below the vendor's base URL, with every part percent-encoded.

    Attributes:
        template: for example ``/vouchers/{id}``. Messages show the template, because a part may be a code.
        encoded: the path that is sent.
    """

    template: str
    encoded: str = attrs.field(repr=False)

    @classmethod
    def of(cls, template: str, /, **parts: str | Masked) -> Path:
        """Fill a template.

        Raises:
            InvalidRequest: if a part is empty, ``.`` or ``..`` (which are steps of a path in any encoding) or is
                not encodable.
        """
        register_template(template)
        pieces = PLACEHOLDER.split(template)  # every second one is a name
        pieces[1::2] = [_encode(name, parts[name]) for name in pieces[1::2]]
        return cls(template, "".join(pieces))


def _encode(name: str, part: str | Masked) -> str:
    if not isinstance(part, str | Masked):
        raise TypeError(f"{name} is a str, not {type(part).__name__}")
    if _plain(part) in ("", ".", ".."):
        raise InvalidRequest(f"{name} must not be empty, '.' or '..'", field=name, rule="not empty, not '.', not '..'")
    encoded = _percent_encode(part)
    if encoded is None:
        raise InvalidRequest(f"{name} is not valid Unicode text", field=name, rule="valid Unicode")
    return encoded


def _plain(text: str | Masked) -> str:
    return text.reveal() if isinstance(text, Masked) else text


def _percent_encode(text: str | Masked) -> str | None:
    # The error holds the whole text, so it must not become the context of ours.
    try:
        return quote(_plain(text), safe="")
    except UnicodeEncodeError:
        return None


@attrs.frozen(kw_only=True)
class Request:
    """One request to a vendor.

    Attributes:
        method: the HTTP method.
        path: below the base URL.
        query: names and values; masked values are revealed only when sent.
        json: the body, sent as JSON; None for no body. Masked values at any depth are revealed only when sent.
        anonymous: whether it is sent without credentials.
        returns_page: whether the reply is a page of a list, which may be larger than a reply about one object.
        headers: headers of this request alone, such as a vendor key; masked values are revealed only when sent.
    """

    method: str
    path: Path
    query: Sequence[tuple[str, str | Masked]] = attrs.field(default=(), repr=False)
    json: Mapping[str, Any] | None = attrs.field(default=None, repr=False)
    anonymous: bool = False
    returns_page: bool = False
    headers: Mapping[str, str | Masked] = attrs.field(factory=dict, repr=False)

    @property
    def safe_text(self) -> str:
        """The request without its parts, for messages."""
        return f"{self.method} {self.path.template}"

    def target(self) -> str:
        """Return path and query, encoded.

        Raises:
            InvalidRequest: if a text of the query is not valid Unicode.
        """
        if not self.query:
            return self.path.encoded
        encoded = _encode_query(self.query)
        if encoded is None:
            raise InvalidRequest("a filter is not valid Unicode text", field="query", rule="valid Unicode")
        return f"{self.path.encoded}?{encoded}"

    def body(self) -> bytes | None:
        """Return the JSON body.

        Raises:
            InvalidRequest: if a text is not valid Unicode.
        """
        if self.json is None:
            return None
        return encode(_reveal(self.json))

    def encode(self, base_url: str) -> EncodedRequest:
        """Return the request in the form in which it is sent, without the headers that every request has.

        Raises:
            InvalidRequest: if a text is not valid Unicode, or the value of a header is not ASCII.
        """
        headers = reveal_headers(self.headers)
        return EncodedRequest(self.method, url=base_url + self.target(), body=self.body(), headers=headers)


@lru_cache(maxsize=16)  # the replies of one second have the same date
def _parse_date(text: str) -> datetime | None:
    try:
        at = parsedate_to_datetime(text)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _reveal(value: object) -> object:
    """Return a JSON value with the plain text of each masked one in it."""
    if isinstance(value, str):
        return value
    if isinstance(value, Masked):
        return value.reveal()
    if isinstance(value, Mapping):
        return {name: _reveal(member) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [_reveal(member) for member in value]
    return value


def _encode_query(query: Sequence[tuple[str, str | Masked]]) -> str | None:
    """Return the query as it is sent; None if a text is not valid Unicode."""
    pairs = [(_percent_encode(name), _percent_encode(value)) for name, value in query]
    if any(None in pair for pair in pairs):
        return None
    return "&".join(f"{name}={value}" for name, value in pairs)


@attrs.frozen
class EncodedRequest:
    """A request in the form in which it is sent. Its repr shows neither URL, nor headers, nor body.

    Attributes:
        method: the HTTP method.
        url: encoded; it is sent as it is.
        body: the body; None for no body.
        headers: all headers but the length.
    """

    method: str
    url: str = attrs.field(repr=False, kw_only=True)
    body: bytes | None = attrs.field(repr=False, kw_only=True)
    headers: Mapping[str, str] = attrs.field(repr=False, kw_only=True, factory=dict)


@attrs.frozen(kw_only=True, eq=False)
class Response:
    """A complete reply.

    Attributes:
        status: the HTTP status.
        headers: by name, in any case.
        body: the bytes, decompressed.
        max_values: the highest number of JSON values in the body; None for no limit.
    """

    status: int
    headers: Mapping[str, str] = attrs.field(repr=False)
    body: bytes = attrs.field(repr=False)
    max_values: int | None = attrs.field(default=None, repr=False)

    @property
    def ok(self) -> bool:
        """Whether the status is a success."""
        return 200 <= self.status <= 299

    @property
    def date(self) -> datetime | None:
        """The vendor's clock at its reply, from the Date header; None if it has none that can be read."""
        text = self.headers.get("date")
        return None if text is None else _parse_date(text)

    @property
    def request_id(self) -> str | None:
        """The vendor's id of the request, if it names one."""
        for name in _REQUEST_ID_HEADERS:
            value: str | None = self.headers.get(name)
            if value:
                return value[:128]
        return None

    def json(self) -> Any:
        """Return the body as strict JSON, with exact numbers.

        Raises:
            MalformedResponse: if it is not JSON, or has more values than allowed.
        """
        return decode(self.body, max_values=self.max_values)
