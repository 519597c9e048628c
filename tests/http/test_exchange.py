"""A request is sent and its reply is read without requests and http.client, and the bytes are the same."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import attrs
import pytest
import requests
import responses
from hypothesis import given, settings
from hypothesis import strategies as st
from urllib3 import HTTPConnectionPool

from tests.support.examples import examples
from voucher_gateway.http import transport
from voucher_gateway.http.deadlines import DeadlineAdapter, _DeadlineHTTPConnection
from voucher_gateway.http.exchange import (
    PlainReply,
    TooLarge,
    encode_head,
    host_header,
    read_by_library,
    read_reply,
)
from voucher_gateway.http.messages import EncodedRequest
from voucher_gateway.http.request_deadline import RequestDeadline
from voucher_gateway.http.transport import _failure
from voucher_gateway.provider_api import Path, Request, Response

if TYPE_CHECKING:
    from tests.http.conftest import ClientOf, Serve, Visit

LOOK = Request(method="GET", path=Path.of("/jars/{id}", id="ä b"))
LIMIT = 4096

REPLIES = {
    "plain": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
    "without a reason": b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\n{}",
    "empty": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "refused": b"HTTP/1.1 422 No\r\nContent-Length: 2\r\nX-Request-Id: 7\r\n\r\n{}",
    "with a header twice": b"HTTP/1.1 200 OK\r\nA: 1\r\nContent-Length: 2\r\na: 2\r\n\r\n{}",
    "with bytes after its end": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}HTTP/1.1 200 OK\r\n",
    "with two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "with a wrong length": b"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\n{}",
    "with a long length": b"HTTP/1.1 200 OK\r\nContent-Length: 000000000000000000002\r\n\r\n{}",
    "shorter than it says": b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}",
    "without a length": b"HTTP/1.1 200 OK\r\n\r\n{}",
    "chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "chunked and with a length": b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"2\r\n{}\r\n0\r\n\r\n",
    "deflated wrongly": b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}",
    "the last one": b"HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 2\r\n\r\n{}",
    "kept alive": b"HTTP/1.1 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 2\r\n\r\n{}",
    "of HTTP/1.0": b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}",
    "of HTTP/1.0 and kept alive": b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\n{}",
    "of no HTTP": b"HTTP/2 200 OK\r\nContent-Length: 2\r\n\r\n{}",
    "interim": b"HTTP/1.1 103 Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
    "204 with a body": b"HTTP/1.1 204 None\r\nContent-Length: 2\r\n\r\n{}",
    "304": b"HTTP/1.1 304 Same\r\nContent-Length: 0\r\n\r\n",
    "folded": b"HTTP/1.1 200 OK\r\nA: 1\r\n 2\r\nContent-Length: 2\r\n\r\n{}",
    "with bare line feeds": b"HTTP/1.1 200 OK\nContent-Length: 2\n\n{}",
    "with a header without a colon": b"HTTP/1.1 200 OK\r\nA\r\nContent-Length: 2\r\n\r\n{}",
    "with a space before the colon": b"HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\n{}",
    "with spaces": b"HTTP/1.1 200 OK\r\nContent-Length: \t 2 \t\r\n\r\n{}",
    "with an umlaut": b"HTTP/1.1 200 OK\r\nA: \xe4\r\nContent-Length: 2\r\n\r\n{}",
    "with many headers": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n" + 100 * b"A: 1\r\n" + b"\r\n{}",
    "too large": b"HTTP/1.1 200 OK\r\nContent-Length: 4097\r\n\r\n" + 4097 * b"x",
    "as large as allowed": b"HTTP/1.1 200 OK\r\nContent-Length: 4096\r\n\r\n" + 4096 * b"x",
    "of a status of two digits": b"HTTP/1.1 20 OK\r\nContent-Length: 2\r\n\r\n{}",
    "of status 600": b"HTTP/1.1 600 OK\r\nContent-Length: 2\r\n\r\n{}",
    "nothing": b"",
    "half a line": b"HTTP/1.1 20",
    "half a header": b"HTTP/1.1 200 OK\r\nConte",
}


@attrs.frozen
class Reading:
    """What became of a reply.

    Attributes:
        status: the status; None where it could not be read.
        body: the body.
        headers: the headers.
        failure: why it could not be read.
        can_be_used_again: whether the connection may have another request.
    """

    status: int | None
    body: bytes
    headers: dict[str, str]
    failure: str
    can_be_used_again: bool


def reading_of(
    pieces: Sequence[bytes], read: Callable[[Any, RequestDeadline], PlainReply], *, is_closed: bool = False
) -> Reading:
    """Read a reply that arrives in pieces, with nothing after it. A reply without an end is the end of the connection.

    The reader waits for more until its time is over, unless the server closes the connection behind the reply.

    The pieces wait for the reader where that is possible, so that none arrives together with the next one.
    """
    ours, theirs = socket.socketpair()
    connection: Any = _DeadlineHTTPConnection("jars.example", 80)
    connection.sock = ours
    timing = RequestDeadline(time.monotonic() + 0.2, 5, 5)

    def send() -> None:
        for piece in pieces:
            theirs.sendall(piece)
            time.sleep(0.001 if len(pieces) > 1 else 0)
        if is_closed:
            theirs.shutdown(socket.SHUT_WR)

    sender = threading.Thread(target=send)
    sender.start()
    try:
        with timing:
            try:
                reply = read(connection, timing)
            except TooLarge:
                return Reading(None, b"", {}, "too large", can_be_used_again=False)
            except Exception as error:  # noqa: BLE001 - its reason is compared
                return Reading(None, b"", {}, _failure(error, besides=None).value, can_be_used_again=False)
            sender.join()
            headers = {name.lower(): value for name, value in reply.headers.items()}
            return Reading(reply.status, reply.body, headers, "", connection.can_be_used_again())
    finally:
        sender.join()
        ours.close()
        theirs.close()


def directly(connection: Any, timing: RequestDeadline) -> PlainReply:
    return read_reply(connection, "GET", timing, LIMIT)


def by_library(connection: Any, timing: RequestDeadline) -> PlainReply:
    return read_by_library(connection, "GET", b"", timing, LIMIT)


@pytest.mark.parametrize("reply", REPLIES.values(), ids=REPLIES)
def test_a_reply_is_read_as_http_client_reads_it(reply: bytes) -> None:
    assert reading_of([reply], directly) == reading_of([reply], by_library)


@pytest.mark.parametrize(
    "name", ["plain", "kept alive", "as large as allowed", "chunked", "interim", "with bytes after its end"]
)
@pytest.mark.parametrize("at", [1, 12, 17, 30, 38, 40])
def test_a_reply_in_pieces_is_read_as_a_whole_one(name: str, at: int) -> None:
    reply = REPLIES[name]
    assert reading_of([reply[:at], reply[at:]], directly).body == reading_of([reply], by_library).body


NAMES = st.sampled_from(
    ["Content-Length", "content-length", "Transfer-Encoding", "Connection", "Content-Encoding", "A", "a b", ""]
)
VALUES = st.sampled_from(
    ["2", " 2 ", "3", "0", "2, 2", "chunked", "close", "Keep-Alive", "identity", "gzip", "", "x", "\xe4", "\0", "2\r"]
)
LINES = st.tuples(
    NAMES, st.sampled_from([": ", ":", " : ", ""]), VALUES, st.sampled_from(["\r\n", "\r\n", "\n", "\r\n "])
)


FIRST_LINES = st.sampled_from(
    ["HTTP/1.1 200 OK", "HTTP/1.1 404", "HTTP/1.1 204 X", "HTTP/1.0 200 OK", "HTTP/1.1  200 OK", "HTTP/1.1 2000"]
)
REPLY = st.builds(
    lambda first, lines, body: f"{first}\r\n{''.join(map(''.join, lines))}\r\n{body}".encode("latin-1"),
    FIRST_LINES,
    st.lists(LINES, max_size=4),
    st.sampled_from(["{}", "", "{}{}", "2\r\n{}\r\n0\r\n\r\n"]),
)


@given(REPLY)
@settings(max_examples=60)
def test_any_reply_before_the_connection_is_closed_is_read_as_http_client_reads_it(reply: bytes) -> None:
    assert reading_of([reply], directly, is_closed=True) == reading_of([reply], by_library, is_closed=True)


@given(REPLY)
@settings(max_examples=examples(60))  # many of them have no end, and take the whole time
def test_any_reply_on_an_open_connection_is_read_as_http_client_reads_it(reply: bytes) -> None:
    assert reading_of([reply], directly) == reading_of([reply], by_library)


def test_a_folded_header_is_one_line() -> None:
    assert reading_of([REPLIES["folded"]], directly).headers["a"] == "1 2"


# --- what is sent ---


def test_the_bytes_of_a_request_are_those_that_requests_would_send(
    serve: Serve, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    received: list[bytes] = []

    def script(visit: Visit) -> None:
        request = b""
        while piece := visit.sock.recv(1 << 16):
            request += piece
            head, end, body = request.partition(b"\r\n\r\n")
            length = re.search(rb"Content-Length: (\d+)", head)
            if end and len(body) == int(length[1] if length else 0):
                received.append(request)
                request = b""
                visit.answer()

    sent = []
    for is_direct in (True, False):
        if not is_direct:
            monkeypatch.setattr(transport, "can_send_directly", lambda adapter: False)
        server = serve(script)
        client = client_of(server)
        client.read(LOOK, Response.json)
        client.read(Request(method="POST", path=Path.of("/jars"), json={"a": "ä"}), Response.json)
        client.read(Request(method="POST", path=Path.of("/jars")), Response.json)
        client.read(Request(method="DELETE", path=Path.of("/jars")), Response.json)
        sent.append(b"|".join(received).replace(server.url.removeprefix("http://").encode(), b"HOST"))
        received.clear()
    assert sent[0] == sent[1]


@pytest.mark.parametrize(
    ("target", "headers"),
    [
        ("/a b", {}),
        ("/a#b", {}),
        ("/%ff", {}),
        ("", {}),
        ("/ä", {}),
        ("/a", {"A": "1\r\nB: 2"}),
        ("/a", {"A": "1\n"}),
        ("/a", {"A": "\r"}),
        ("/a", {"A": "ä"}),
        ("/a", {"A": "\0"}),
    ],
    ids=repr,
)
def test_what_http_client_would_change_or_refuse_is_left_to_it(target: str, headers: dict[str, str]) -> None:
    request = EncodedRequest("GET", url=f"https://jars.example{target}", body=None, headers=headers)
    assert encode_head(request, target, "jars.example") is None


@pytest.mark.parametrize(
    ("url", "header"),
    [
        ("https://jars.example/v1", "jars.example"),
        ("https://jars.example:443/v1", "jars.example"),
        ("https://jars.example:8443/v1", "jars.example:8443"),
        ("http://jars.example/v1", "jars.example"),
        ("http://127.0.0.1:80/v1", "127.0.0.1"),
        ("http://[::1]:8080/v1", "[::1]:8080"),
        ("https://[::1]/v1", "[::1]"),
    ],
)
def test_the_host_is_named_with_a_port_that_is_not_the_usual_one(url: str, header: str) -> None:
    pool = DeadlineAdapter().get_connection_with_tls_context(requests.Request("GET", url).prepare(), True)
    assert host_header(pool) == header


# --- who sends it ---


def test_a_library_that_replaces_the_adapter_for_a_test_is_met_before_and_after_real_requests(
    serve: Serve, client_of: ClientOf
) -> None:
    server = serve(each=lambda asked: (200, '"real"'))
    client = client_of(server)
    answers = [client.read(LOOK, Response.json)]
    with responses.RequestsMock() as mocked:
        mocked.get(f"{server.url}/jars/%C3%A4%20b", json="mocked")
        answers.append(client.read(LOOK, Response.json))
    answers.append(client.read(LOOK, Response.json))
    assert answers == ["real", "mocked", "real"]


def test_a_request_whose_urlopen_is_wrapped_goes_through_the_wrapper(
    serve: Serve, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    urlopen, seen = HTTPConnectionPool.urlopen, []

    def wrapper(pool: Any, *args: Any, **named: Any) -> Any:
        seen.append(named["method"])
        return urlopen(pool, *args, **named)

    monkeypatch.setattr(HTTPConnectionPool, "urlopen", wrapper)
    client_of(serve(each=lambda asked: (200, "1"))).read(LOOK, Response.json)
    assert seen == ["GET"]
