"""One request on the wire: how long it may still take, and whether a byte of it may have left.

requests alone waits for every byte anew, so a server that drips its headers could hold a call for hours. Here each
wait on the socket is cut to what is left of the total, in the thread that makes the call: no watchdog thread is needed,
and nothing survives a fork.

A connection goes back to its pool only after the caller has read the reply to its proper end and nothing is left on
the connection. Otherwise the rest of one reply would be read as the reply to the next request.
"""

from __future__ import annotations

import logging
import queue
import socket
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import attrs
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.util.connection import allowed_gai_family
from urllib3.util.wait import wait_for_read

from voucher_gateway.fork_safety import call_after_fork
from voucher_gateway.http.replies import TimedResponse


class DeadlineExceeded(TimeoutError):
    """The total deadline is over."""


@attrs.define
class RequestDeadline:
    """The state of one request.

    Attributes:
        deadline: when it must be over, by ``time.monotonic``.
        connect_s: how long making the connection may take, in seconds.
        read_s: how long one wait for bytes may take, in seconds.
        sent: whether a byte of the request itself may have left this machine: None before a connection of ours took it,
            False while the connection is being made.
    """

    deadline: float
    connect_s: float
    read_s: float
    sent: bool | None = None
    _held: list[tuple[_TimedPool, _Timed]] = attrs.field(factory=list, init=False)

    def wait(self, at_most: float) -> float:
        """Return how long the next wait on the socket may take.

        Raises:
            DeadlineExceeded: if the total is used up.
        """
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise DeadlineExceeded
        return min(left, at_most)

    def hold(self, pool: _TimedPool, connection: _Timed) -> None:
        """Keep a connection that urllib3 gives back, until it is known whether its reply was read without an error."""
        self._held.append((pool, connection))

    def give_back(self, *, reply_was_read: bool) -> None:
        """Give the held connections back to their pools, and close those that must not be used again."""
        while self._held:
            pool, connection = self._held.pop()
            if not (reply_was_read and connection.can_be_used_again()):
                connection.close()
            pool._put_conn(connection)


# A wait of zero would mean "do not wait", which is an error of another kind.
_MOMENT_S: Final = 0.001

_here = threading.local()


@contextmanager
def request_deadline(exchange: RequestDeadline) -> Iterator[None]:
    """Make `exchange` the one that this thread's sockets obey; an error inside closes the connection."""
    _here.exchange = exchange
    reply_was_read = False
    try:
        yield
        reply_was_read = True
    finally:
        _here.exchange = None
        exchange.give_back(reply_was_read=reply_was_read)


def _exchange() -> RequestDeadline | None:
    return getattr(_here, "exchange", None)


class _Timed:
    """What both kinds of connection do differently from urllib3's."""

    # http.client prints whole requests, codes and tokens included, when somebody sets this for all connections.
    debuglevel = 0
    sock: Any
    port: Any
    timeout: Any
    close: Any
    _dns_host: str
    _connecting = False
    _reply: TimedResponse | None = None

    def _new_reply(self, sock: Any, *args: Any, **named: Any) -> TimedResponse:
        self._reply = TimedResponse(sock, _exchange(), *args, **named)
        return self._reply

    response_class: Any = _new_reply

    def can_be_used_again(self) -> bool:
        """Whether the last reply was read to its proper end, and nothing more has arrived."""
        reply, self._reply = self._reply, None
        if self.sock is None or reply is None or not reply.ended_properly:
            return False
        # urllib3 looks at the socket before each request too, but not at what TLS has decrypted already.
        return not getattr(self.sock, "pending", int)() and not wait_for_read(self.sock, 0.0)

    def connect(self) -> None:
        exchange = _exchange()
        if exchange is not None:
            self.timeout = exchange.wait(exchange.connect_s)
            exchange.sent = False
        self._connecting = True
        try:
            super().connect()  # type: ignore[misc]  # mixed into urllib3's connections
        finally:
            self._connecting = False

    def _new_conn(self) -> Any:
        """Connect to the first address that takes us, within one time-out for all of them and for TLS after it.

        urllib3 grants the whole of it to each address of the host, and once more to the handshake.
        """
        if _exchange() is None:
            return super()._new_conn()  # type: ignore[misc]  # mixed into urllib3's connections
        by = time.monotonic() + self.timeout
        name = self._dns_host
        failed: Exception | None = None
        try:
            for address in _addresses(name, self.port, self):
                self._dns_host, self.timeout = address, by - time.monotonic()
                if self.timeout <= 0:
                    break
                try:
                    sock = super()._new_conn()  # type: ignore[misc]  # see above
                except (ConnectTimeoutError, NewConnectionError) as error:
                    failed = error
                else:
                    sock.settimeout(max(_MOMENT_S, by - time.monotonic()))
                    return sock
            raise failed or DeadlineExceeded
        finally:
            self._dns_host = name
            failed = None  # its traceback leads back to this frame

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        exchange = _exchange()
        # A CONNECT to a proxy goes through here too, but is not our request yet.
        if exchange is not None and not self._connecting:
            self.sock.settimeout(exchange.wait(exchange.read_s))
            exchange.sent = True
        super().send(data)  # type: ignore[misc]  # see above


def _addresses(name: str, port: int, connection: Any) -> list[str]:
    try:
        addresses = socket.getaddrinfo(name.strip("[]"), port, allowed_gai_family(), socket.SOCK_STREAM)
    except socket.gaierror as error:
        raise NameResolutionError(name, connection, error) from error
    return [str(where[0]) for *_, where in addresses]


class _TimedHTTPConnection(_Timed, HTTPConnection):
    pass


class _TimedHTTPSConnection(_Timed, HTTPSConnection):
    pass


class _Idle(queue.LifoQueue[Any]):
    """The idle connections of a pool. A forked child leaves them to its parent.

    It must not even take the queue's lock to close them: if a thread of the parent held it, it stays locked for ever.
    """

    def __init__(self, maxsize: int = 0) -> None:
        super().__init__(maxsize)
        _all_idle.add(self)

    def forget(self) -> None:
        super().__init__(self.maxsize)


_all_idle: Final[weakref.WeakSet[_Idle]] = weakref.WeakSet()


def _forget_idle_connections() -> None:
    for idle in list(_all_idle):
        idle.forget()


call_after_fork(_forget_idle_connections)


class _TimedPool:
    """What both kinds of pool do differently from urllib3's."""

    def _put_conn(self, connection: Any) -> None:
        exchange = _exchange()
        if exchange is None or connection is None:
            super()._put_conn(connection)  # type: ignore[misc]  # mixed into urllib3's pools
        else:
            exchange.hold(self, connection)


class _TimedHTTPPool(_TimedPool, HTTPConnectionPool):
    ConnectionCls = _TimedHTTPConnection
    QueueCls = _Idle


class _TimedHTTPSPool(_TimedPool, HTTPSConnectionPool):
    ConnectionCls = _TimedHTTPSConnection
    QueueCls = _Idle


_POOLS: Final = {"http": _TimedHTTPPool, "https": _TimedHTTPSPool}


class DeadlineAdapter(HTTPAdapter):
    """requests' transport over connections that obey the exchange of their thread."""

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        """Make the pools, of our kind."""
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: Any, **options: Any) -> Any:
        """Make the pools behind a proxy, of our kind."""
        manager = super().proxy_manager_for(proxy, **options)
        manager.pool_classes_by_scheme = _POOLS
        return manager


class _NotOurs(logging.Filter):
    """Drops urllib3's lines about our requests: they show paths and queries, and so codes."""

    def filter(self, record: logging.LogRecord) -> bool:  # noqa: ARG002 - the thread says whose line it is
        return _exchange() is None


for _name in ("connectionpool", "connection", "poolmanager", "response", "util.retry"):
    logging.getLogger(f"urllib3.{_name}").addFilter(_NotOurs())
