"""One request and its reply on a connection of urllib3, without the layers of requests and http.client between.

Those layers are two thirds of the CPU time of a request. They stay for whatever is not plain: a request through a
proxy, or with a URL or a header that they would change or refuse; and a reply that is chunked, compressed, interim,
folded or otherwise not a status line, headers and a known number of bytes. Such a reply is read by http.client from its
first byte. Pools, connections, TLS and time-outs are the same on both ways.
"""

from __future__ import annotations

import errno
import http.client
import re
import ssl
from collections.abc import Iterable, Iterator, Mapping
from types import FunctionType
from typing import Any, Final, TypeGuard

import requests.adapters
import urllib3
from urllib3.connectionpool import HTTPConnectionPool
from urllib3.exceptions import IncompleteRead, ProtocolError

from voucher_gateway.http.deadlines import DeadlineAdapter
from voucher_gateway.http.messages import EncodedRequest
from voucher_gateway.http.request_deadline import RequestDeadline

# urllib3 would write every other target differently.
_TARGET: Final = re.compile(
    r"/(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-F]{2})*(?:\?(?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-F]{2})*)?"
)
_PLAIN_HEAD: Final = re.compile(
    rb"HTTP/1\.1 ([2-5][0-9][0-9])(?: [\t -~]*)?\r\n((?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t -~]*\r\n)*)\r\n"
)
_FOLD: Final = re.compile(r"[ \t]*\r?\n[ \t]+")
_DIGITS: Final = re.compile("[0-9]{1,15}")
_MAX_HEADERS: Final = 100
_PIECE_BYTES: Final = 64 * 1024
_WITHOUT_BODY: Final = frozenset({http.client.NO_CONTENT, http.client.NOT_MODIFIED})
_WITHOUT_LENGTH: Final = frozenset({"GET", "DELETE", "OPTIONS"})
_WITH_LENGTH: Final = frozenset({"POST", "PUT", "PATCH"})


class TooLarge(Exception):
    """The body of a reply is larger than allowed."""


class ReplyHeaders(Mapping[str, str]):
    """The headers of a reply, by name in any case. A header that comes more than once has its values in one text."""

    def __init__(self, headers: Iterable[tuple[str, str]]) -> None:
        self._values = values_by_name(headers)

    @classmethod
    def of(cls, values: dict[str, str]) -> ReplyHeaders:
        """Return the headers of a table that `values_by_name` made."""
        headers = cls(())
        headers._values = values
        return headers

    def __getitem__(self, name: str) -> str:
        return self._values[name.lower()]

    def get(self, name: str, default: Any = None) -> Any:
        """Return the value of a header, or the default."""
        return self._values.get(name.lower(), default)

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


def values_by_name(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the values of headers by their names in small letters."""
    values: dict[str, str] = {}
    for name, value in headers:
        key = name.lower()
        values[key] = f"{values[key]}, {value}" if key in values else value
    return values


class PlainReply:
    """A reply that was read whole.

    Attributes:
        status: the HTTP status.
        headers: its headers.
        body: the bytes, decompressed.
    """

    __slots__ = ("body", "headers", "status")

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body


def can_send_directly(adapter: object) -> TypeGuard[DeadlineAdapter]:
    """Whether an adapter of requests is ours, and no library for tests or tracing has replaced what it does."""
    return (
        type(adapter) is DeadlineAdapter
        and DeadlineAdapter.send is _ADAPTER_SEND
        and HTTPConnectionPool.urlopen is _URLOPEN
    )


def _original(function: Any, module: Any) -> object:
    """Return a function of a module; an object that equals nothing if it was replaced before we were imported."""
    is_original = isinstance(function, FunctionType) and function.__code__.co_filename == module.__file__
    return function if is_original else object()


_ADAPTER_SEND: Final = _original(DeadlineAdapter.send, requests.adapters)
_URLOPEN: Final = _original(HTTPConnectionPool.urlopen, urllib3.connectionpool)


def host_header(pool: Any) -> str | None:
    """Return the Host header of all requests of a pool; None for a host that http.client would have to encode."""
    host: str = pool.host
    port: int | None = pool.port
    if not host.isascii() or "%" in host:
        return None
    text = f"[{host.strip('[]')}]" if ":" in host else host
    return text if port == pool.ConnectionCls.default_port else f"{text}:{port}"


def encode_head(request: EncodedRequest, target: str, host: str) -> bytes | None:
    """Return request line and headers as http.client sends them; None if it would refuse or change them."""
    if not _TARGET.fullmatch(target):
        return None
    if request.body is None and request.method not in _WITH_LENGTH | _WITHOUT_LENGTH:
        return None
    lines = [f"{request.method} {target} HTTP/1.1", f"Host: {host}"]
    if request.body is None and request.method in _WITH_LENGTH:
        lines.append("Content-Length: 0")
    lines += [f"{name}: {value}" for name, value in request.headers.items()]
    if request.body is not None:
        lines.append(f"Content-Length: {len(request.body)}")
    lines += ["", ""]
    head = "\r\n".join(lines)
    is_plain = head.isascii() and head.count("\n") == head.count("\r") == len(lines) - 1
    return head.encode("ascii") if is_plain and "\0" not in head else None


def exchange(
    pool: Any, method: str, head: bytes, body: bytes | None, timing: RequestDeadline, *, max_bytes: int
) -> PlainReply:
    """Send a request and read its reply.

    Raises:
        TooLarge: if the body is larger than allowed.
        Exception: an error of the system, of ssl, of http.client or of urllib3. The caller closes the connection.
    """
    connection = pool._get_conn()
    timing.hold(pool, connection)
    try:
        if connection.is_closed:
            connection.connect()
        pool._validate_conn(connection)  # warns of a certificate that is not verified
        sock = connection.sock
        _set_timeout(sock, timing)
        timing.sent = True
        try:
            sock.sendall(head if body is None else head + body)
        except BrokenPipeError:
            pass  # the vendor may have answered before it closed the connection
        except OSError as error:
            if error.errno not in (errno.EPROTOTYPE, errno.ECONNRESET):
                raise
        return read_reply(connection, method, timing, max_bytes)
    except (TimeoutError, ssl.SSLError, ConnectionError):
        raise
    except OSError as error:
        raise ProtocolError("Connection aborted.", error) from error


def read_reply(connection: Any, method: str, timing: RequestDeadline, max_bytes: int) -> PlainReply:
    """Read the reply to a request that was sent on a connection."""
    sock = connection.sock
    begin = _receive(sock, _PIECE_BYTES, timing)
    plain = _parse_plain_head(begin)
    if plain is None:
        return read_by_library(connection, method, begin, timing, max_bytes)
    status, headers, length, at = plain
    pieces = [begin[at : at + length]]
    size = len(pieces[0])
    while size < length and size <= max_bytes:
        piece = _receive(sock, min(_PIECE_BYTES, length - size), timing)
        if not piece:
            raise IncompleteRead(size, length - size)
        pieces.append(piece)
        size += len(piece)
    if size > max_bytes:
        raise TooLarge
    connection.has_plain_end = len(begin) <= at + length
    return PlainReply(status, headers, pieces[0] if len(pieces) == 1 else b"".join(pieces))


def _receive(sock: Any, count: int, timing: RequestDeadline) -> bytes:
    _set_timeout(sock, timing)
    received: bytes = sock.recv(count)
    return received


def _set_timeout(sock: Any, timing: RequestDeadline) -> None:
    seconds = timing.wait(timing.read_s)
    if seconds != sock.gettimeout():  # to set it is a call of the system
        sock.settimeout(seconds)


def _parse_plain_head(begin: bytes) -> tuple[int, ReplyHeaders, int, int] | None:
    """Return the status, the headers, the length of the body and where it begins; None if the reply is not plain."""
    match = _PLAIN_HEAD.match(begin)
    if match is None:
        return None
    status = int(match[1])
    lines = match[2].decode("ascii").split("\r\n")[:-1]
    pairs = [line.split(":", 1) for line in lines]
    headers = values_by_name([(name, value.lstrip(" \t")) for name, value in pairs])
    length = headers.get("content-length", "").rstrip(" \t")
    if (
        len(lines) > _MAX_HEADERS
        or status in _WITHOUT_BODY
        or not _DIGITS.fullmatch(length)
        or headers.get("transfer-encoding") is not None
        or headers.get("content-encoding") is not None
        or headers.get("connection", "keep-alive").lower() != "keep-alive"
    ):
        return None
    return status, ReplyHeaders.of(headers), int(length), match.end()


def read_by_library(connection: Any, method: str, begin: bytes, timing: RequestDeadline, max_bytes: int) -> PlainReply:
    """Read a reply, of which the first bytes have been received, by http.client and urllib3."""
    reply = connection.new_reply(connection.sock, method=method, received=begin)
    reply.begin()
    if reply.will_close:
        connection.close()
    response = urllib3.HTTPResponse(
        body=reply,
        headers=urllib3.HTTPHeaderDict((name, _FOLD.sub(" ", value)) for name, value in reply.msg.items()),
        status=reply.status,
        version=reply.version,
        reason=reply.reason,
        preload_content=False,
        decode_content=False,
        original_response=reply,
        enforce_content_length=True,
        request_method=method,
    )
    try:
        body = read_body(response, timing, max_bytes)
    except BaseException:
        response.close()
        raise
    return PlainReply(reply.status, ReplyHeaders(iter(response.headers.items())), body)


def read_body(raw: Any, timing: RequestDeadline, max_bytes: int) -> bytes:
    """Return a body, read and decompressed piece by piece, with a limit of its size and of its time."""
    # urllib3 takes quadratic time to unpack a piece that consists of many small gzip members, so a piece is small.
    pieces: list[bytes] = []
    size = 0
    while piece := raw.read(min(_PIECE_BYTES, max_bytes + 1 - size), decode_content=True):
        size += len(piece)
        if size > max_bytes:
            raise TooLarge
        pieces.append(piece)
        timing.wait(timing.read_s)  # raises DeadlineExceeded if the total is used up
    return b"".join(pieces)
