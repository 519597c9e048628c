"""What fails while the connection is being made surely did nothing, for reads and for changes alike."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path as File
from typing import TYPE_CHECKING

import pytest
import requests

from voucher_gateway.provider_api import (
    ConfigurationError,
    HttpClient,
    Intent,
    NotExecuted,
    Path,
    ProviderUnavailable,
    Request,
    Response,
)

if TYPE_CHECKING:
    from tests.http.conftest import ClientOf, Serve, Visit

LOOK = Request(method="GET", path=Path.of("/jars"))
CHARGE = Request(method="POST", path=Path.of("/charges"), json={"amount": "10.53"})

Send = Callable[[HttpClient], object]


@pytest.fixture(params=["read", "change"])
def send(request: pytest.FixtureRequest, intent: Intent) -> Send:
    if request.param == "read":
        return lambda client: client.read(LOOK, Response.json)
    return lambda client: client.change(CHARGE, intent, Response.json)


def unavailable(send: Send, client: HttpClient) -> str:
    """The reason why a call surely was not executed."""
    with pytest.raises(ProviderUnavailable) as failed:
        send(client)
    assert failed.value.outcome == "not_executed"
    assert failed.value.retry_safe
    return failed.value.message.partition(": ")[2]


@pytest.fixture
def refused_port() -> Iterator[int]:
    """A port that is bound, so that nobody else takes it, but that nobody listens on."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


@pytest.fixture
def full_port() -> Iterator[Callable[[str], int]]:
    """Listens on a host of 127.0.0.0/8 with a full queue: further connections are neither made nor refused."""
    with ExitStack() as stack:

        def listen(host: str, port: int = 0) -> int:
            listening = stack.enter_context(socket.socket())
            listening.bind((host, port))
            listening.listen(0)
            for _ in range(4):
                waiting = stack.enter_context(socket.socket())
                waiting.setblocking(False)
                waiting.connect_ex(listening.getsockname())
            taken: int = listening.getsockname()[1]
            return taken

        yield listen


def test_a_name_that_does_not_resolve(send: Send, client_of: ClientOf) -> None:
    assert unavailable(send, client_of("https://vouchers.invalid")) == "the host name could not be resolved"


def test_a_port_where_nobody_listens(send: Send, client_of: ClientOf, refused_port: int) -> None:
    assert unavailable(send, client_of(f"http://127.0.0.1:{refused_port}")) == "the connection could not be made"


def test_a_connection_that_is_not_made_in_time(
    send: Send, client_of: ClientOf, full_port: Callable[[str], int], stopwatch: Callable[[], float]
) -> None:
    client = client_of(f"http://127.0.0.1:{full_port('127.0.0.1')}", connect_timeout_s=0.2, total_timeout_s=30)
    assert unavailable(send, client) == "no connection within the time allowed"
    assert 0.2 <= stopwatch() < 15


def test_the_addresses_of_a_host_share_one_connect_time_out(
    send: Send,
    client_of: ClientOf,
    full_port: Callable[..., int],
    monkeypatch: pytest.MonkeyPatch,
    stopwatch: Callable[[], float],
) -> None:
    port = full_port("127.0.0.1")
    hosts = ["127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4"]
    for host in hosts[1:]:
        full_port(host, port)
    resolve_to(monkeypatch, hosts, port)

    client = client_of(f"http://localhost:{port}", connect_timeout_s=1, total_timeout_s=30)
    assert unavailable(send, client) == "no connection within the time allowed"
    assert stopwatch() < 3.5  # each for itself would take 4 seconds


def test_a_connection_that_takes_long_leaves_less_time_for_the_handshake(
    client_of: ClientOf, stopwatch: Callable[[], float]
) -> None:
    with ExitStack() as stack:
        listening = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listening.getsockname())

        def make_room() -> None:
            time.sleep(0.2)
            for _ in range(4):
                with suppress(OSError):
                    stack.enter_context(listening.accept()[0])

        accepting = threading.Thread(target=make_room, daemon=True)
        accepting.start()
        # The system knocks again after a second.
        client = client_of(f"https://127.0.0.1:{listening.getsockname()[1]}", connect_timeout_s=2.8, total_timeout_s=9)
        unavailable(lambda client: client.read(LOOK, Response.json), client)
        listening.shutdown(socket.SHUT_RDWR)
        accepting.join()
    assert 2.8 <= stopwatch() < 3.7  # a handshake with a time-out of its own would end after 3.8 seconds


def test_a_host_is_reached_at_the_first_of_its_addresses_that_takes_us(
    send: Send, client_of: ClientOf, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve(host="127.0.0.2")
    resolve_to(monkeypatch, ["127.0.0.1", "127.0.0.2"], server.port)

    assert send(client_of(f"http://localhost:{server.port}")) == {"ok": True}
    assert server.heard[0].headers["host"] == f"localhost:{server.port}"


def resolve_to(monkeypatch: pytest.MonkeyPatch, hosts: list[str], port: int) -> None:
    """Give localhost these addresses; no real name on loopback has more than one everywhere."""
    found = {host: socket.getaddrinfo(host, port, socket.AF_INET, socket.SOCK_STREAM) for host in hosts}
    found["localhost"] = [one for addresses in found.values() for one in addresses]
    monkeypatch.setattr(socket, "getaddrinfo", lambda name, *_: found[name])


def test_a_server_that_does_not_speak_tls(send: Send, client_of: ClientOf, serve: Serve) -> None:
    server = serve(lambda visit: visit.send(b"HTTP/1.1 400 Bad Request\r\n\r\n"))
    assert unavailable(send, client_of(f"https://127.0.0.1:{server.port}")) == "the TLS handshake failed"


def test_a_certificate_that_nobody_trusts(send: Send, client_of: ClientOf, serve: Serve) -> None:
    server = serve(tls=True)
    assert unavailable(send, client_of(server)) == "the TLS handshake failed"
    assert not server.heard


def test_a_trusted_certificate_of_another_host(
    send: Send, client_of: ClientOf, serve: Serve, certificate: File
) -> None:
    server = serve(tls=True)
    client = client_of(f"https://localhost:{server.port}", ca_bundle=str(certificate))
    assert unavailable(send, client) == "the TLS handshake failed"
    assert not server.heard


def test_a_certificate_of_the_configured_bundle_is_trusted(
    send: Send, client_of: ClientOf, serve: Serve, certificate: File
) -> None:
    assert send(client_of(serve(tls=True), ca_bundle=str(certificate))) == {"ok": True}


def test_a_server_that_hangs_up_in_the_tls_handshake(send: Send, client_of: ClientOf, serve: Serve) -> None:
    def hang_up(visit: Visit) -> None:
        visit.sock.recv(1)

    assert unavailable(send, client_of(f"https://127.0.0.1:{serve(hang_up).port}")) in (
        "the TLS handshake failed",
        "the connection could not be made",  # if it came as a RST
    )


def test_a_tls_handshake_that_never_gets_on(
    send: Send, client_of: ClientOf, serve: Serve, stopwatch: Callable[[], float]
) -> None:
    server = serve(lambda visit: visit.silence())
    client = client_of(f"https://127.0.0.1:{server.port}", connect_timeout_s=0.3, total_timeout_s=30)
    assert unavailable(send, client) == "no connection within the time allowed"
    assert 0.3 <= stopwatch() < 15


def test_a_tls_handshake_that_drips(
    send: Send, client_of: ClientOf, serve: Serve, stopwatch: Callable[[], float]
) -> None:
    # The head of a TLS record of 8192 bytes, and then they come one by one.
    server = serve(lambda visit: visit.drip(b"\x16\x03\x03\x20\x00" + b"\x02" + bytes(200)))
    client = client_of(f"https://127.0.0.1:{server.port}", connect_timeout_s=0.3, total_timeout_s=30)
    assert unavailable(send, client) == "no connection within the time allowed"
    assert 0.3 <= stopwatch() < 15


def test_time_that_is_used_up_before_sending(send: Send, client_of: ClientOf, serve: Serve) -> None:
    server = serve()
    client = client_of(server, total_timeout_s=1e-9)
    assert unavailable(send, client) == "the time allowed was over before it could be sent"
    assert not server.heard


def test_a_trust_store_that_does_not_exist_is_a_mistake_in_the_config(
    send: Send, client_of: ClientOf, serve: Serve, tmp_path: File
) -> None:
    client = client_of(serve(tls=True), ca_bundle=str(tmp_path / "gone.pem"))
    with pytest.raises(ConfigurationError, match="trusted certificates") as refused:
        send(client)
    assert refused.value.account == "shop"
    assert "gone.pem" not in str(refused.value)


def test_a_trust_store_of_rubbish_trusts_nobody(send: Send, client_of: ClientOf, serve: Serve, tmp_path: File) -> None:
    bundle = tmp_path / "rubbish.pem"
    bundle.write_text("rubbish")
    server = serve(tls=True)
    with pytest.raises(NotExecuted):
        send(client_of(server, ca_bundle=str(bundle)))
    assert not server.heard


def test_the_error_that_a_caller_is_handling_says_nothing_about_our_own(
    intent: Intent, client_of: ClientOf, serve: Serve
) -> None:
    """A shop that turns to us in its handler for another vendor's failure must not get that vendor's verdict."""
    server = serve(lambda visit: visit.silence())
    client = client_of(f"https://127.0.0.1:{server.port}", connect_timeout_s=0.1)
    try:
        raise requests.exceptions.SSLError("of somebody else")
    except requests.exceptions.SSLError:
        reason = unavailable(lambda client: client.change(CHARGE, intent, Response.json), client)
    assert reason == "no connection within the time allowed"


def test_making_a_connection_never_takes_longer_than_the_whole_call_may(
    send: Send, client_of: ClientOf, full_port: Callable[[str], int]
) -> None:
    client = client_of(f"http://127.0.0.1:{full_port('127.0.0.1')}", connect_timeout_s=30, total_timeout_s=0.3)
    began = time.monotonic()
    unavailable(send, client)
    assert time.monotonic() - began < 15
