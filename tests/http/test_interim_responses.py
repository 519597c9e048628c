"""Interim answers are skipped, and what is left on a connection never becomes the answer to another call."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path as File
from typing import TYPE_CHECKING

import pytest

from voucher_gateway.provider_api import Intent, OutcomeUnknown, Path, ProviderUnavailable, Request, Response

if TYPE_CHECKING:
    from tests.http.conftest import Asked, ClientOf, Serve, Visit

CHARGE = Request(method="POST", path=Path.of("/charges"), json={"amount": "10.53"})

HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n"
PROCESSING = b"HTTP/1.1 102 Processing\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
UNKNOWN_INTERIM = b"HTTP/1.1 199 Soon\r\nContent-Length: 5\r\n\r\n"

INTERIM = {
    "103": HINTS,
    "102": PROCESSING,
    "100": CONTINUE,
    "an unknown one": UNKNOWN_INTERIM,
    "several": HINTS + PROCESSING + CONTINUE + HINTS,
}


def look(name: str) -> Request:
    return Request(method="GET", path=Path.of("/jars/{name}", name=name))


def echo(asked: Asked, status: str = "200 OK") -> bytes:
    body = f'"{asked.target}"'
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


@pytest.mark.parametrize("delay_s", [0, 0.1])
@pytest.mark.parametrize("name", INTERIM)
def test_interim_answers_are_skipped(name: str, delay_s: float, serve: Serve, client_of: ClientOf) -> None:
    def play(visit: Visit) -> None:
        while asked := visit.asked():
            visit.send(INTERIM[name])
            time.sleep(delay_s)
            visit.send(echo(asked))

    server = serve(play)
    client = client_of(server)
    assert [client.read(look(jar), Response.json) for jar in "ab"] == ["/jars/a", "/jars/b"]
    assert len(server.visits) == 1


@pytest.mark.parametrize("interim", [HINTS, PROCESSING], ids=["103", "102"])
def test_the_late_answer_to_one_charge_is_never_the_answer_to_the_next(
    interim: bytes, serve: Serve, client_of: ClientOf, intent: Intent
) -> None:
    late = threading.Event()

    def play(visit: Visit) -> None:
        while asked := visit.asked():
            if asked.method == "POST":
                visit.send(interim)
                late.wait(30)
            visit.send(echo(asked))

    client = client_of(serve(play), read_timeout_s=1)
    with pytest.raises(OutcomeUnknown, match="no complete answer within the time allowed"):
        client.change(CHARGE, intent, Response.json)
    late.set()
    assert client.read(look("b"), Response.json) == "/jars/b"


def test_interim_answers_do_not_extend_the_total_time(
    serve: Serve, client_of: ClientOf, intent: Intent, stopwatch: Callable[[], float]
) -> None:
    def play(visit: Visit) -> None:
        visit.asked()
        while not visit.server_is_closing(0.02):
            visit.send(HINTS)

    with pytest.raises(OutcomeUnknown) as left_open:
        client_of(serve(play), total_timeout_s=1).change(CHARGE, intent, Response.json)
    assert left_open.value.ticket.reason == "no complete answer within the time allowed"
    assert stopwatch() < 15


@pytest.mark.parametrize("cut", [HINTS, HINTS[:-2], HINTS[:20]], ids=["after it", "in its headers", "in its status"])
def test_a_connection_that_ends_with_an_interim_answer_broke_off(
    cut: bytes, serve: Serve, client_of: ClientOf, intent: Intent
) -> None:
    def play(visit: Visit) -> None:
        visit.asked()
        visit.send(cut)

    with pytest.raises(OutcomeUnknown, match="the connection broke before a complete answer"):
        client_of(serve(play)).change(CHARGE, intent, Response.json)


def test_another_protocol_is_an_error_and_ends_the_connection(
    serve: Serve, client_of: ClientOf, intent: Intent
) -> None:
    def play(visit: Visit) -> None:
        while asked := visit.asked():
            if asked.method == "POST":
                visit.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n")
            else:
                visit.send(echo(asked))

    server = serve(play)
    client = client_of(server)
    with pytest.raises(OutcomeUnknown, match="HTTP 101"):
        client.change(CHARGE, intent, Response.json)
    assert client.read(look("b"), Response.json) == "/jars/b"
    assert len(server.visits) == 2


LEFTOVER = b'HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n"forged"'

ODD: dict[str, bytes] = {
    "a 204 with a length": b"HTTP/1.1 204 No Content\r\nContent-Length: 12\r\n\r\n",
    "a 204 with a length and its body": b'HTTP/1.1 204 No Content\r\nContent-Length: 12\r\n\r\n"No Content"',
    "a 204 with chunks": b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n",
    "a 304 with a length": b"HTTP/1.1 304 Not Modified\r\nContent-Length: 12\r\n\r\n",
    "a success and a second answer": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}" + LEFTOVER,
    "a success and a blank line": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}\r\n",
    "chunks and a second answer": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
    + LEFTOVER,
    "no content and a second answer": b"HTTP/1.1 204 No Content\r\n\r\n" + LEFTOVER,
    "a length and chunks at once": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
    ),
    "a length with a sign": b"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\n{}",
    "another transfer coding": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: identity\r\n\r\n{}",
    "a body that is not the gzip that it says": (
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}"
    ),
    "a body beyond the limit": b"HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n" + b" " * 2000,
}


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("name", ODD)
def test_a_connection_is_closed_after(
    name: str, tls: bool, serve: Serve, client_of: ClientOf, certificate: File, intent: Intent
) -> None:
    def play(visit: Visit) -> None:
        while asked := visit.asked():
            visit.send(ODD[name] if asked.method == "POST" else echo(asked))

    server = serve(play, tls=tls)
    client = client_of(server, max_reply_bytes=1000, ca_bundle=str(certificate))
    assert client.read(look("a"), Response.json) == "/jars/a"
    with suppress(OutcomeUnknown):
        client.change(CHARGE, intent, lambda reply: reply.body)
    for jar in "bcd":
        assert client.read(look(jar), Response.json) == f"/jars/{jar}"
    assert len(server.visits) == 2


@pytest.mark.parametrize("pause_s", [0, 0.001, 0.05])
def test_a_204_with_a_body_harms_no_later_charge(
    pause_s: float, serve: Serve, client_of: ClientOf, intent: Intent
) -> None:
    def play(visit: Visit) -> None:
        while asked := visit.asked():
            if asked.method == "DELETE":
                visit.send(b"HTTP/1.1 204 No Content\r\nContent-Length: 12\r\n\r\n")
                time.sleep(pause_s)
                visit.send(b'"No Content"')
            else:
                visit.send(echo(asked))

    client = client_of(serve(play))
    for _ in range(5):
        deletion = Request(method="DELETE", path=Path.of("/jars/best"))
        assert client.change(deletion, intent, lambda reply: reply.status) == 204
        assert client.change(CHARGE, intent, Response.json) == "/charges"


def test_what_came_while_the_connection_was_idle_ends_it(serve: Serve, client_of: ClientOf) -> None:
    sent = threading.Event()

    def play(visit: Visit) -> None:
        while asked := visit.asked():
            visit.send(echo(asked))
            if asked.target == "/jars/a":
                time.sleep(0.05)
                visit.send(LEFTOVER)
                sent.set()

    server = serve(play)
    client = client_of(server)
    assert client.read(look("a"), Response.json) == "/jars/a"
    assert sent.wait(5)
    time.sleep(0.02)  # until it has crossed the loopback
    assert client.read(look("b"), Response.json) == "/jars/b"
    assert len(server.visits) == 2


def test_a_read_that_ran_out_of_time_after_an_interim_answer_is_unavailable(serve: Serve, client_of: ClientOf) -> None:
    def play(visit: Visit) -> None:
        visit.asked()
        visit.stall(HINTS)

    with pytest.raises(ProviderUnavailable, match="no complete answer within the time allowed"):
        client_of(serve(play), read_timeout_s=0.4).read(look("a"), Response.json)
