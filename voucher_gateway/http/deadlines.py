"""Connections and replies that keep the total deadline of a request.

The library requests waits for each byte with the full time-out, so a server that sends its headers slowly could hold a
call for hours. Here each wait on the socket is cut to the rest of the total time, in the thread that makes the call. No
watchdog thread is needed, and nothing survives a fork.

A connection goes back to its pool only after the caller has read the reply to its proper end and nothing is left on
the connection. Otherwise the rest of one reply would be read as the reply to the next request.
"""

from __future__ import annotations

import http
import http.client
import io
import logging
import queue
import re
import socket
import time
import weakref
from typing import Any, Final

import attrs
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.util.wait import wait_for_read

from voucher_gateway.http.request_deadline import RequestDeadline, current_deadline
from voucher_gateway.http.resolver import look_up
from voucher_gateway.process.fork_safety import call_after_fork

# A time-out of zero would mean "do not wait", and raise another error.
_MOMENT_S: Final = 0.001


# --- one reply, read to its end ---


class _DeadlineReader(io.RawIOBase):
    """Reads a socket, and never waits beyond the deadline of the request.

    Attributes:
        ended: whether the other side has closed the connection.
        muted: whether it must not read from the socket again.

    Args:
        sock: the socket.
        timing: the deadline.
        received: the first bytes of the reply, which were read from the socket before.
    """

    def __init__(self, sock: Any, timing: RequestDeadline | None, received: bytes = b"") -> None:
        self.ended = False
        self.muted = False
        self._sock = sock
        self._raw = sock.makefile("rb", buffering=0)
        self._timing = timing
        self._received = received

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self.muted:
            return None
        if self._received:
            piece, self._received = self._received[: len(buffer)], self._received[len(buffer) :]
            buffer[: len(piece)] = piece
            return len(piece)
        if self._timing is not None:
            self._sock.settimeout(self._timing.wait(self._timing.read_s))
        count: int | None = self._raw.readinto(buffer)
        self.ended = count == 0
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class _ReplyReader(io.BufferedReader):
    """Reads one reply from the socket.

    Attributes:
        has_leftovers: whether bytes were read beyond the end of the reply; known once it is closed.
    """

    has_leftovers = False

    def close(self) -> None:
        if not self.closed:
            reader: Any = self.raw
            reader.muted = True  # so that peek reads only the buffer
            self.has_leftovers = bool(self.peek(1))
        super().close()


@attrs.frozen
class _DeadlineSocket:
    """The part of a socket that http.client uses: it makes the file from which the reply is read."""

    sock: Any
    timing: RequestDeadline | None
    received: bytes

    def makefile(self, mode: str) -> _ReplyReader:  # noqa: ARG002 - http.client's signature
        return _ReplyReader(_DeadlineReader(self.sock, self.timing, self.received))


class DeadlineResponse(http.client.HTTPResponse):
    """A reply that is read before its deadline, and that knows whether it ended correctly."""

    chunked: bool

    def __init__(
        self, sock: Any, timing: RequestDeadline | None, *args: Any, received: bytes = b"", **named: Any
    ) -> None:
        super().__init__(_DeadlineSocket(sock, timing, received), *args, **named)  # type: ignore[arg-type]  # only makefile is used
        self._reader: Any = self.fp

    def begin(self) -> None:
        """Read the status line and the headers of the reply, and skip the interim replies before it."""
        super().begin()
        # http.client itself skips 100 only. RFC 9110, section 15.2: a client must be able to skip every interim reply.
        while self.status in _INTERIM and not self._reader.raw.ended:
            self.headers = self.msg = None  # type: ignore[assignment]  # or `begin` would do nothing
            super().begin()
        if self._reader.raw.ended:  # http.client takes a connection that breaks within the headers for their end
            raise http.client.IncompleteRead(b"")
        if self.status in _WITHOUT_BODY:
            self.chunked = False  # http.client would wait for the chunks
        if self._has_odd_framing():
            self.will_close = True  # makes http.client close the connection after this reply

    @property
    def is_complete(self) -> bool:
        """Whether the reply was read exactly to its end."""
        return self.isclosed() and not self._reader.has_leftovers

    def _has_odd_framing(self) -> bool:
        """Whether the two sides may disagree about where the reply ends."""
        length, coding = self.headers.get("content-length"), self.headers.get("transfer-encoding")
        if self.status in _WITHOUT_BODY:
            return self.status < 200 or coding is not None or (length is not None and length.strip() != "0")
        if coding is not None:
            return length is not None or coding.strip().lower() != "chunked"
        return length is not None and not _DIGITS.fullmatch(length.strip())


_INTERIM: Final = frozenset(range(100, 200)) - {http.HTTPStatus.SWITCHING_PROTOCOLS}
_WITHOUT_BODY: Final = frozenset(
    {http.HTTPStatus.SWITCHING_PROTOCOLS, http.HTTPStatus.NO_CONTENT, http.HTTPStatus.NOT_MODIFIED}
)
_DIGITS: Final = re.compile("[0-9]+")


# --- connections ---


class _DeadlineConnection:
    """The difference of both kinds of connection from urllib3's.

    Attributes:
        has_plain_end: whether the last reply was read without http.client, and exactly to its end.
    """

    has_plain_end = False

    # If this is set for all connections, http.client prints whole requests, codes and tokens included.
    debuglevel = 0
    sock: Any
    port: Any
    timeout: Any
    close: Any
    _dns_host: str
    _connecting = False
    _reply: DeadlineResponse | None = None

    def new_reply(self, sock: Any, *args: Any, **named: Any) -> DeadlineResponse:
        """Return a reply that is not read yet. `can_be_used_again` asks it how it ended."""
        self._reply = DeadlineResponse(sock, current_deadline(), *args, **named)
        return self._reply

    response_class: Any = new_reply

    def can_be_used_again(self) -> bool:
        """Return whether the last reply was read exactly to its end, and no more bytes arrived."""
        reply, self._reply = self._reply, None
        is_complete, self.has_plain_end = self.has_plain_end, False
        if self.sock is None or not (is_complete or (reply is not None and reply.is_complete)):
            return False
        # urllib3 looks at the socket before each request too, but not at what TLS has decrypted already.
        return not getattr(self.sock, "pending", int)() and not wait_for_read(self.sock, 0.0)

    def connect(self) -> None:
        timing = current_deadline()
        if timing is not None:
            self.timeout = timing.wait(timing.connect_s)
            timing.sent = False
        self._connecting = True
        try:
            super().connect()  # type: ignore[misc]  # mixed into urllib3's connections
        finally:
            self._connecting = False

    def _new_conn(self) -> Any:
        """Connect to the first address that accepts, within one time-out for all addresses and for TLS after it.

        urllib3 gives the full time-out to each address of the host, and again to the handshake.
        """
        if current_deadline() is None:
            return super()._new_conn()  # type: ignore[misc]  # mixed into urllib3's connections
        end = time.monotonic() + self.timeout
        name = self._dns_host
        failed: Exception | None = None
        try:
            for address in _addresses(name, self.port, self, end):
                self._dns_host, self.timeout = address, end - time.monotonic()
                if self.timeout <= 0:
                    break
                try:
                    sock = super()._new_conn()  # type: ignore[misc]  # see above
                except (ConnectTimeoutError, NewConnectionError) as error:
                    failed = error
                else:
                    sock.settimeout(max(_MOMENT_S, end - time.monotonic()))
                    return sock
            raise failed or TimeoutError  # the look-up of the name took all of it
        finally:
            self._dns_host = name
            failed = None  # its traceback leads back to this frame

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        timing = current_deadline()
        # A CONNECT to a proxy goes through here too, but is not our request yet.
        if timing is not None and not self._connecting:
            self.sock.settimeout(timing.wait(timing.read_s))
            timing.sent = True
        super().send(data)  # type: ignore[misc]  # see above


def _addresses(name: str, port: int, connection: Any, end: float) -> list[str]:
    try:
        return look_up(name.strip("[]"), port)
    except socket.gaierror as error:
        if time.monotonic() >= end:  # the name server is silent, as a vendor can be
            raise TimeoutError from error
        raise NameResolutionError(name, connection, error) from error


class _DeadlineHTTPConnection(_DeadlineConnection, HTTPConnection):
    pass


class _DeadlineHTTPSConnection(_DeadlineConnection, HTTPSConnection):
    pass


class ForkSafePoolQueue:
    """The idle connections of a pool, the last one first. A forked child leaves them to its parent.

    It has what urllib3 uses of `queue.LifoQueue`, without a lock: each step is one of a list. A lock that a thread of
    the parent held would stay locked in a child. Our pools never wait for a connection.
    """

    def __init__(self, maxsize: int = 0) -> None:
        self.maxsize = maxsize
        self._idle: list[Any] = []
        _pool_queues.add(self)

    def get(self, block: bool = True, timeout: float | None = None) -> Any:  # noqa: ARG002 - urllib3's signature
        """Return the connection that was put last, and remove it; None stands for one that is not made yet.

        Raises:
            queue.Empty: if there is none.
        """
        try:
            return self._idle.pop()
        except IndexError:
            raise queue.Empty from None

    def put(self, connection: Any, block: bool = True) -> None:  # noqa: ARG002 - urllib3's signature
        """Add a connection.

        Raises:
            queue.Full: if there are as many as the pool may have.
        """
        if len(self._idle) >= self.maxsize:
            raise queue.Full
        self._idle.append(connection)

    def qsize(self) -> int:
        """Return how many there are."""
        return len(self._idle)

    def clear_after_fork(self) -> None:
        """Forget the connections without closing them."""
        self._idle = []


_pool_queues: Final[weakref.WeakSet[ForkSafePoolQueue]] = weakref.WeakSet()


def _forget_idle_connections() -> None:
    for pool_queue in list(_pool_queues):
        pool_queue.clear_after_fork()


call_after_fork(_forget_idle_connections)


class _DeadlinePool:
    """The difference of both kinds of pool from urllib3's."""

    def _put_conn(self, connection: Any) -> None:
        timing = current_deadline()
        if timing is None or connection is None:
            super()._put_conn(connection)  # type: ignore[misc]  # mixed into urllib3's pools
        else:
            timing.hold(self, connection)


class _DeadlineHTTPPool(_DeadlinePool, HTTPConnectionPool):
    ConnectionCls = _DeadlineHTTPConnection
    QueueCls: Any = ForkSafePoolQueue


class _DeadlineHTTPSPool(_DeadlinePool, HTTPSConnectionPool):
    ConnectionCls = _DeadlineHTTPSConnection
    QueueCls: Any = ForkSafePoolQueue


_POOLS: Final = {"http": _DeadlineHTTPPool, "https": _DeadlineHTTPSPool}


class DeadlineAdapter(HTTPAdapter):
    """An adapter for requests whose connections keep the deadline of their thread."""

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        """Make the pools of our classes."""
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: Any, **options: Any) -> Any:
        """Make the pools behind a proxy of our classes."""
        manager = super().proxy_manager_for(proxy, **options)
        manager.pool_classes_by_scheme = _POOLS
        return manager


class _HideUrllib3Debug(logging.Filter):
    """Drops urllib3's log records of our requests: they contain paths and queries, and so codes."""

    def filter(self, record: logging.LogRecord) -> bool:  # noqa: ARG002 - the thread shows whose record it is
        return current_deadline() is None


for _name in ("connectionpool", "connection", "poolmanager", "response", "util.retry"):
    logging.getLogger(f"urllib3.{_name}").addFilter(_HideUrllib3Debug())
