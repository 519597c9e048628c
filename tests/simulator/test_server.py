"""The server behaves like a vendor's: HTTP/1.1, kept connections, the vendor's own errors, and silence."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    import requests

    from voucher_gateway.simulator import RunningSimulator

    Talk = Callable[[RunningSimulator, bytes], bytes]

START = datetime(2026, 11, 20, 12, 0, 0, tzinfo=UTC)


def _post(headers: str, body: bytes = b"") -> bytes:
    return f"POST /jars/a HTTP/1.1\r\nHost: x\r\n{headers}\r\n".encode() + body


def _split(answer: bytes) -> tuple[int, http.client.HTTPMessage, bytes]:
    head, _, body = answer.partition(b"\r\n\r\n")
    status_line, _, fields = head.partition(b"\r\n")
    headers = http.client.HTTPMessage()
    for line in fields.decode().split("\r\n"):
        headers.add_header(*line.split(": ", 1))
    return int(status_line.split()[1]), headers, body


def test_a_connection_serves_many_requests(jar: RunningSimulator) -> None:
    parts = urlsplit(jar.announcement["base_url"])
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=5)
    connection.connect()
    own_port = connection.sock.getsockname()[1]
    for number in range(3):
        connection.request("POST", "/jars/a", json.dumps({"amount": number}))
        assert connection.getresponse().read() == b'{"name":"a","amount":%d}' % number
        assert connection.sock.getsockname()[1] == own_port
    connection.close()


def test_every_reply_carries_the_virtual_date(
    start_jar: Callable[..., RunningSimulator], session: requests.Session, talk: Talk
) -> None:
    jar = start_jar(start=START)
    jar.clock.advance(86_400)
    base = jar.announcement["base_url"]
    replies = [session.get(base + "/jars"), session.get(base + "/none"), session.delete(base + "/jars/a")]
    dates = [reply.headers["Date"] for reply in replies] + [_split(talk(jar, b"nonsense\r\n\r\n"))[1]["Date"]]
    assert all(date.startswith("Sat, 21 Nov 2026 12:00:") for date in dates)


def test_bodies_are_json_with_their_length_and_no_content_has_neither(
    jar: RunningSimulator, session: requests.Session
) -> None:
    text = session.get(jar.announcement["base_url"] + "/text")
    assert (text.content, text.headers["Content-Type"]) == (b'"plain text as JSON"', "application/json")
    assert text.headers["Content-Length"] == "20"
    nothing = session.delete(jar.announcement["base_url"] + "/jars/a")
    assert (nothing.status_code, nothing.content) == (204, b"")
    assert "Content-Type" not in nothing.headers


def test_head_is_answered_without_a_body(jar: RunningSimulator, talk: Talk) -> None:
    status, _, body = _split(talk(jar, b"HEAD /jars HTTP/1.1\r\nHost: x\r\n\r\n"))
    assert (status, body) == (405, b"")


def test_chunked_bodies_are_read(jar: RunningSimulator, talk: Talk) -> None:
    chunks = b'4;ext=1\r\n{"am\r\nA\r\nount": 12}\r\n0\r\nTrailer: x\r\n\r\n'
    status, _, body = _split(talk(jar, _post("Transfer-Encoding: chunked\r\n", chunks)))
    assert (status, json.loads(body)) == (201, {"name": "a", "amount": 12})
    assert jar.requests[-1].body == b'{"amount": 12}'


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (_post("Transfer-Encoding: chunked\r\n", b"zz\r\n"), 400),
        (_post("Transfer-Encoding: chunked\r\n", b"-1\r\n"), 400),
        (_post("Transfer-Encoding: chunked\r\n", b"2\r\nabc\r\n0\r\n\r\n"), 400),
        (_post("Transfer-Encoding: chunked\r\n", b"0\r\n" + b"T: x\r\n" * 200), 400),
        (_post("Transfer-Encoding: chunked\r\n", b"FFFFFF\r\n"), 413),
        (_post("Transfer-Encoding: gzip\r\n"), 400),
        (_post("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", b"0\r\n\r\n"), 400),
        (_post("Content-Length: abc\r\n"), 400),
        (_post("Content-Length: -1\r\n"), 400),
        (_post("Content-Length: ²\r\n"), 400),
        (_post("Content-Length: 2\r\nContent-Length: 3\r\n", b"abc"), 400),
        (_post("Content-Length: 2000000\r\n"), 413),
        (b"GET\r\n\r\n", 400),
        (b"GET /jars HTTP/9.9\r\n\r\n", 505),
        (b"GET /jars XYZ\r\n\r\n", 400),
        (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"GET /jars HTTP/1.1\r\nX: " + b"a" * 70_000 + b"\r\n\r\n", 431),
        (b"GET /jars HTTP/1.1\r\n" + b"X: y\r\n" * 200 + b"\r\n", 431),
        (b"\x16\x03\x01\x02\x00 hello over TLS\r\n\r\n", 400),
    ],
)
def test_what_is_no_proper_request_gets_the_vendors_error(
    jar: RunningSimulator, talk: Talk, request_: bytes, status: int
) -> None:
    answered, headers, body = _split(talk(jar, request_))
    assert answered == status
    assert set(json.loads(body)) == {"oops"}
    assert headers["Connection"] == "close"
    assert jar.ledger() == []


@pytest.mark.parametrize(
    "header", [b"Host: \xff[::", b"X: \xff\xfe", b"X:", b"Content-Type: \xff", b"X: a\r\n b", b"Cookie: \x01"]
)
def test_odd_headers_do_no_harm(jar: RunningSimulator, talk: Talk, header: bytes) -> None:
    request = b"GET /jars HTTP/1.1\r\n" + header + b"\r\n\r\n"
    assert _split(talk(jar, request))[0] == 200


def test_a_body_that_never_arrives_does_nothing(jar: RunningSimulator, talk: Talk) -> None:
    assert talk(jar, _post("Content-Length: 20\r\n", b'{"amount": 1}')) == b""
    assert jar.ledger() == []
    assert jar.requests == []


def test_a_large_upload_sees_the_refusal_rather_than_a_reset(jar: RunningSimulator, talk: Talk) -> None:
    status, _, body = _split(talk(jar, _post("Content-Length: 8000000\r\n", b"x" * 8_000_000)))
    assert (status, json.loads(body)) == (413, {"oops": "The body is too large."})


def test_expect_100_continue_is_honoured(jar: RunningSimulator) -> None:
    parts = urlsplit(jar.announcement["base_url"])
    with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=5) as connection:
        connection.sendall(_post("Expect: 100-continue\r\nContent-Length: 13\r\nConnection: close\r\n"))
        assert connection.recv(1000).startswith(b"HTTP/1.1 100 ")
        connection.sendall(b'{"amount": 1}')
        assert connection.recv(1000).startswith(b"HTTP/1.1 201 ")


def test_http_1_0_clients_are_answered_and_left(jar: RunningSimulator, talk: Talk) -> None:
    status, headers, _ = _split(talk(jar, b"GET /jars HTTP/1.0\r\n\r\n"))
    assert (status, headers["Connection"]) == (200, "close")


def test_a_mistake_of_a_handler_is_the_vendors_500_and_is_kept_for_tests(
    jar: RunningSimulator, session: requests.Session, caplog: pytest.LogCaptureFixture
) -> None:
    reply = session.post(jar.announcement["base_url"] + "/mistake")
    assert (reply.status_code, reply.json()) == (500, {"oops": "The simulator made a mistake."})
    assert [crash.splitlines()[-1] for crash in jar.crashes] == ["ZeroDivisionError: the kit's tests want this"]


def test_the_server_says_nothing(
    jar: RunningSimulator,
    session: requests.Session,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    talk: Talk,
) -> None:
    session.get(jar.announcement["base_url"] + "/jars/secret-code")
    talk(jar, b"nonsense\r\n\r\n")
    parts = urlsplit(jar.announcement["base_url"])
    connection = socket.create_connection((parts.hostname or "", parts.port or 0), timeout=5)
    jar.inject("slow", delay_s=0.05)
    connection.sendall(b"GET /jars HTTP/1.1\r\nHost: x\r\n\r\n")
    connection.close()
    time.sleep(0.1)
    assert tuple(capfd.readouterr()) == ("", "")
    assert [record for record in caplog.records if record.name.startswith(("werkzeug", "voucher_gateway"))] == []


def test_requests_of_many_threads_leave_an_exact_ledger(jar: RunningSimulator, session: requests.Session) -> None:
    def add() -> None:
        parts = urlsplit(jar.announcement["base_url"])
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=5)
        for _ in range(25):
            connection.request("POST", "/jars/a", '{"amount": 1}')
            assert connection.getresponse().read()
        connection.close()

    threads = [threading.Thread(target=add) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert jar.ledger() == [{"id": "a", "remaining": "200"}]
    assert len(jar.requests) == 200


def test_latency_delays_each_answer(start_jar: Callable[..., RunningSimulator], session: requests.Session) -> None:
    jar = start_jar(latency_ms=60)
    before = time.monotonic()
    session.get(jar.announcement["base_url"] + "/jars")
    assert time.monotonic() - before >= 0.06
