"""A server of raw sockets on loopback, which answers as badly as a test wants, and clients that speak to it."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path as File
from typing import Any

import attrs
import pytest
import trustme

from voucher_gateway.http.outcome_table import REFUSALS
from voucher_gateway.provider_api import (
    HttpClient,
    HttpSettings,
    Intent,
    MalformedResponse,
    Money,
    Rejected,
    Response,
    VoucherGatewayError,
)

CLEANED = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NETRC")


@attrs.frozen
class Asked:
    """One request as it arrived. The target is as it was on the wire."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


Answer = tuple[int, str] | tuple[int, str, Mapping[str, str]]


class Visit:
    """One connection that a client has made."""

    def __init__(self, server: Server, sock: socket.socket) -> None:
        self._server = server
        self.sock = sock
        self._reader = sock.makefile("rb")

    def asked(self) -> Asked | None:
        """Wait for a request; None if the client has gone."""
        first = self._reader.readline()
        if not first:
            return None
        method, _, rest = first.decode("latin-1").partition(" ")
        headers = {}
        while line := self._reader.readline().decode("latin-1").strip():
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        asked = Asked(
            method, rest.rpartition(" ")[0], headers, self._reader.read(int(headers.get("content-length", 0)))
        )
        self._server.heard.append(asked)
        return asked

    def answer(self, status: int = 200, body: str = '{"ok": true}', headers: Mapping[str, str] | None = None) -> None:
        """Answer properly."""
        given = {"Content-Type": "application/json", "Content-Length": str(len(body.encode())), **(headers or {})}
        head = "".join(f"{name}: {value}\r\n" for name, value in given.items())
        self.send(f"HTTP/1.1 {status} As It Is\r\n{head}\r\n{body}".encode())

    def send(self, raw: bytes) -> None:
        """Send just this."""
        self.sock.sendall(raw)

    def drip(self, raw: bytes, every_s: float = 0.05) -> None:
        """Send a byte at a time."""
        for byte in raw:
            self.send(bytes([byte]))
            if self._server.closing.wait(every_s):
                return

    def reset(self) -> None:
        """Break the connection off with a RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.end()

    def end(self) -> None:
        """Close the connection."""
        self._reader.close()
        self.sock.close()

    def stall(self, raw: bytes) -> None:
        """Send this, and then nothing for a while."""
        self.send(raw)
        self.silence()

    def silence(self, seconds: float = 30) -> None:
        """Do nothing for a while."""
        self._server.closing.wait(seconds)

    def server_is_closing(self, within_s: float) -> bool:
        """Wait, and return whether the test is over by then."""
        return self._server.closing.wait(within_s)


Script = Callable[[Visit], None]


class Server:
    """Lets a script play on every connection, each in a separate thread.

    Attributes:
        heard: the requests that arrived whole.
        visits: the connections, in order.
        host, port, url: where it is to be found.
    """

    def __init__(self, script: Script, listening: socket.socket, *, tls: ssl.SSLContext | None = None) -> None:
        self.heard: list[Asked] = []
        self.visits: list[Visit] = []
        self.closing = threading.Event()
        self.mistakes: list[Exception] = []
        self._script = script
        self._tls = tls
        self._listening = listening
        self._threads = [threading.Thread(target=self._serve, name="test server", daemon=True)]
        self.host, self.port = listening.getsockname()
        self.url = f"{'https' if tls else 'http'}://{self.host}:{self.port}"
        self._threads[0].start()

    def _serve(self) -> None:
        while not self.closing.is_set():
            try:
                sock, _ = self._listening.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._receive, args=(sock,), name="test visit", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _receive(self, sock: socket.socket) -> None:
        with ExitStack() as stack:
            stack.callback(sock.close)
            # A client that goes away in the middle is what most of these tests are about.
            stack.enter_context(suppress(OSError))
            if self._tls is not None:
                sock = stack.enter_context(self._tls.wrap_socket(sock, server_side=True))
            visit = Visit(self, sock)
            stack.callback(visit.end)
            self.visits.append(visit)
            try:
                self._script(visit)
            except OSError:
                raise
            except Exception as mistake:  # noqa: BLE001 - told at the end of the test, not in this thread
                self.mistakes.append(mistake)

    def close(self) -> None:
        """Stop, and raise what went wrong in a script."""
        self.closing.set()
        # A close alone does not wake a thread that waits in accept or recv.
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for visit in list(self.visits):
            with suppress(OSError):
                visit.sock.shutdown(socket.SHUT_RDWR)
        for thread in list(self._threads):
            thread.join(5)
        for mistake in self.mistakes:
            raise mistake


def each_time(answer: Callable[[Asked], Answer]) -> Script:
    """Return a script that answers every request of a connection."""

    def play(visit: Visit) -> None:
        while asked := visit.asked():
            visit.answer(*answer(asked))

    return play


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in CLEANED:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


Serve = Callable[..., Server]


@pytest.fixture
def serve(request: pytest.FixtureRequest) -> Iterator[Serve]:
    """Start servers: with a raw script, or with `each`, a function from request to status, body and headers."""
    with ExitStack() as stack:

        def start(
            script: Script | None = None,
            *,
            each: Callable[[Asked], Answer] = lambda _: (200, '{"ok": true}'),
            tls: bool = False,
            host: str = "127.0.0.1",
            on: socket.socket | None = None,
        ) -> Server:
            context = None
            if tls:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(request.getfixturevalue("certificate"))
            server = Server(script or each_time(each), on or socket.create_server((host, 0)), tls=context)
            stack.callback(server.close)
            return server

        yield start


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> File:
    """A file with a key, its certificate for the hosts of these tests and that of its maker, made for each run."""
    file = tmp_path_factory.mktemp("tls") / "loopback.pem"
    maker = trustme.CA()
    maker.issue_cert("127.0.0.1", "127.0.0.3", "vouchers.example").private_key_and_cert_chain_pem.write_to_path(
        str(file)
    )
    maker.cert_pem.write_to_path(str(file), append=True)
    return file


def explain(reply: Response) -> Rejected | None:
    """This vendor refuses with an object that has a code."""
    try:
        body = reply.json()
    except MalformedResponse:
        return None
    if not isinstance(body, dict) or "code" not in body:
        return None
    return Rejected("the vendor refuses", vendor_code=body["code"])


ClientOf = Callable[..., HttpClient]


@pytest.fixture
def client_of() -> Iterator[ClientOf]:
    """Make clients of a server or URL that try once, and wait for a busy machine, unless told otherwise."""
    with ExitStack() as stack:

        def make(
            where: Server | str,
            *,
            explain: Callable[[Response], VoucherGatewayError | None] = explain,
            refusals: frozenset[int] = REFUSALS,
            client: Mapping[str, Any] | None = None,
            **settings: Any,
        ) -> HttpClient:
            url = where if isinstance(where, str) else where.url
            patience = {"connect_timeout_s": 5, "read_timeout_s": 5, "total_timeout_s": 10, "tries": 1}
            configured = HttpSettings(base_url=url, **{**patience, **settings})
            made = HttpClient("shop", configured, explain=explain, refusals=refusals, **(client or {}))
            stack.callback(made.close)
            return made

        yield make


@pytest.fixture
def intent() -> Intent:
    return Intent(
        account="shop",
        provider="jar",
        host="127.0.0.1",
        verb="redeem",
        reference="1001-a",
        money=Money("10.53", "EUR"),
    )


@pytest.fixture
def stopwatch() -> Callable[[], float]:
    """Tells the seconds since the test began."""
    began = time.monotonic()
    return lambda: time.monotonic() - began
