"""Connections are kept and used again, but never one of which we cannot be sure."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path as File
from typing import TYPE_CHECKING

import pytest

from voucher_gateway.provider_api import (
    ClientCredentials,
    HttpClient,
    Intent,
    OutcomeUnknown,
    Path,
    Request,
    Response,
    VoucherGatewayError,
)
from voucher_gateway.setting_types import SecretSource

if TYPE_CHECKING:
    from tests.http.conftest import Answer, Asked, ClientOf, Serve, Visit

CHARGE = Request(method="POST", path=Path.of("/charges"), json={"amount": "10.53"})


def look(name: str = "best") -> Request:
    return Request(method="GET", path=Path.of("/jars/{name}", name=name))


def echo(asked: Asked) -> Answer:
    return 200, f'"{asked.target}"'


def read_or_refused(client: HttpClient) -> None:
    with suppress(VoucherGatewayError):
        client.read(look(), lambda reply: reply.body)


ANSWERS: dict[str, Callable[[Visit], None]] = {
    "a success": lambda visit: visit.answer(),
    "an empty success": lambda visit: visit.answer(200, ""),
    "no content": lambda visit: visit.send(b"HTTP/1.1 204 No Content\r\n\r\n"),
    "not modified": lambda visit: visit.send(b"HTTP/1.1 304 Not Modified\r\n\r\n"),
    "a refusal": lambda visit: visit.answer(404, '{"code": "JAR.NOT_FOUND"}'),
    "a server error": lambda visit: visit.answer(500, "<html>"),
    "chunks": lambda visit: visit.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"),
    "a hint before": lambda visit: visit.send(
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
    ),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_a_connection_is_used_again_after(name: str, serve: Serve, client_of: ClientOf) -> None:
    def play(visit: Visit) -> None:
        while visit.asked():
            ANSWERS[name](visit)

    server = serve(play)
    client = client_of(server)
    for _ in range(3):
        read_or_refused(client)
    assert (len(server.heard), len(server.visits)) == (3, 1)


def test_as_many_connections_are_kept_as_there_are_workers(serve: Serve, client_of: ClientOf) -> None:
    together = threading.Barrier(6)

    def wait_for_all(asked: Asked) -> Answer:
        together.wait(5)
        return echo(asked)

    server = serve(each=wait_for_all)
    client = client_of(server, workers=6, read_timeout_s=5, total_timeout_s=5)
    with ThreadPoolExecutor(6) as pool:
        for _ in range(3):
            list(pool.map(lambda _: client.read(look(), Response.json), range(6)))
    assert (len(server.heard), len(server.visits)) == (18, 6)


def test_a_closed_client_starts_again(serve: Serve, client_of: ClientOf) -> None:
    server = serve(each=echo)
    client = client_of(server)
    client.read(look(), Response.json)
    client.close()
    assert client.read(look("worst"), Response.json) == "/jars/worst"
    assert len(server.visits) == 2


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("how", ["it hung up", "it reset the connection"])
def test_a_charge_is_made_on_a_fresh_connection_when_the_idle_one_is_seen_to_be_dead(
    how: str, tls: bool, serve: Serve, client_of: ClientOf, certificate: File, intent: Intent
) -> None:
    read, gone = threading.Event(), threading.Event()

    def play(visit: Visit) -> None:
        visit.asked()
        visit.answer()
        if not gone.is_set():
            read.wait(5)
            visit.reset() if how == "it reset the connection" else visit.end()
            gone.set()
        visit.silence()

    server = serve(play, tls=tls)
    client = client_of(server, ca_bundle=str(certificate))
    client.read(look(), Response.json)
    read.set()
    assert gone.wait(5)
    time.sleep(0.02)  # until it has crossed the loopback

    assert client.change(CHARGE, intent, Response.json) == {"ok": True}
    assert (len(server.heard), len(server.visits)) == (2, 2)


def test_a_charge_on_a_kept_connection_that_then_breaks_is_unknown_and_not_sent_again(
    serve: Serve, client_of: ClientOf, intent: Intent
) -> None:
    def play(visit: Visit) -> None:
        visit.asked()
        visit.answer()
        visit.asked()

    server = serve(play)
    client = client_of(server, tries=3)
    client.read(look(), Response.json)
    with pytest.raises(OutcomeUnknown, match="the connection broke before a complete answer"):
        client.change(CHARGE, intent, Response.json)
    assert (len(server.heard), len(server.visits)) == (2, 1)


@pytest.mark.parametrize("pause_s", [0, 0.05])
def test_what_a_server_says_unasked_is_no_answer_to_the_next_request(
    pause_s: float, serve: Serve, client_of: ClientOf
) -> None:
    forged = b'HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n"forged"'

    def play(visit: Visit) -> None:
        while asked := visit.asked():
            answer = b'HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"%b"' % (
                len(asked.target) + 2,
                asked.target.encode(),
            )
            if pause_s:
                visit.send(answer)
                time.sleep(pause_s / 2)
                visit.send(forged)
            else:
                visit.send(answer + forged)

    client = client_of(serve(play))
    for name in ("a", "b", "c"):
        assert client.read(look(name), Response.json) == f"/jars/{name}"
        time.sleep(pause_s)


def test_an_answer_is_dropped_with_its_connection_when_its_reader_was_not_there_in_time(
    serve: Serve, client_of: ClientOf, intent: Intent
) -> None:
    late = threading.Event()

    def play(visit: Visit) -> None:
        while asked := visit.asked():
            if asked.method == "POST":
                late.wait(5)
            visit.answer(*echo(asked))

    server = serve(play)
    client = client_of(server, read_timeout_s=0.2)
    with pytest.raises(OutcomeUnknown):
        client.change(CHARGE, intent, Response.json)
    late.set()
    assert client.read(look(), Response.json) == "/jars/best"
    assert len(server.visits) == 2


def interrupted(call: Callable[[], object], when: threading.Event) -> None:
    """Make a call and press Ctrl-C a moment after `when`."""

    def press() -> None:
        when.wait(5)
        time.sleep(0.1)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    pressing = threading.Thread(target=press)
    pressing.start()
    with pytest.raises(KeyboardInterrupt):
        call()
    pressing.join()


@pytest.mark.parametrize("beginning", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n"])
def test_after_ctrl_c_the_connection_is_not_used_again(beginning: bytes, serve: Serve, client_of: ClientOf) -> None:
    waiting, pressed = threading.Event(), threading.Event()

    def play(visit: Visit) -> None:
        while asked := visit.asked():
            if asked.target == "/jars/late":
                visit.send(beginning)
                waiting.set()
                pressed.wait(5)
                visit.send(b'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n"late"'.removeprefix(beginning))
            else:
                visit.answer(*echo(asked))

    server = serve(play)
    client = client_of(server, read_timeout_s=5, total_timeout_s=5)
    client.read(look("first"), Response.json)
    interrupted(lambda: client.read(look("late"), Response.json), waiting)
    pressed.set()
    assert client.read(look("next"), Response.json) == "/jars/next"
    assert len(server.visits) == 2


def test_after_ctrl_c_while_a_token_is_fetched_the_next_call_fetches_one(serve: Serve, client_of: ClientOf) -> None:
    waiting = threading.Event()

    def play(visit: Visit) -> None:
        while asked := visit.asked():
            if asked.target == "/token" and not waiting.is_set():
                waiting.set()
                visit.silence()
            visit.answer(200, '{"access_token": "t", "token_type": "bearer"}')

    server = serve(play)
    client = client_of(server, read_timeout_s=5, total_timeout_s=5)
    client.auth = ClientCredentials(
        client_id="till-1", client_secret=SecretSource.of("a-secret"), post=client.post_form(f"{server.url}/token")
    )
    interrupted(lambda: client.read(look(), Response.json), waiting)
    client.read(look(), Response.json)
    assert [asked.target for asked in server.heard] == ["/token", "/token", "/jars/best"]
