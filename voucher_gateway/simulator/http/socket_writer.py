"""Replies sent through the socket in unusual ways, for faults."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from attrs import frozen

if TYPE_CHECKING:
    import threading

_POLL_S: Final = 0.02
_BLOCK: Final = b" " * 65536
_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)  # SO_LINGER on, for no time at all


class ConnectionGone(ConnectionError):
    """The connection cannot be used any more: nothing else may be sent."""


class ReplySent(Exception):
    """The reply was sent whole, and the connection stays open for the next request."""


def encode_head(status: int, headers: Sequence[tuple[str, str]]) -> bytes:
    """Return the status line and the headers of an HTTP/1.1 reply, up to and with the empty line."""
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Unknown"
    lines = [f"HTTP/1.1 {status} {phrase}", *(f"{name}: {value}" for name, value in headers), "", ""]
    return "\r\n".join(lines).encode("latin-1", "replace")


@frozen
class Outgoing:
    """A reply that a fault sends.

    Attributes:
        socket: the server's end of the outgoing.
        closing: set when the simulator closes, which ends every wait.
        status: the status that is due.
        headers: the headers that are due, apart from Content-Length and Connection.
        body: the body that is due.
    """

    socket: socket.socket
    closing: threading.Event
    status: int
    headers: Sequence[tuple[str, str]]
    body: bytes

    @property
    def head(self) -> bytes:
        """The status line and headers of a reply after which the connection is closed."""
        return self._head(("Connection", "close"))

    @property
    def open_head(self) -> bytes:
        """The status line and headers of a reply after which the connection stays open."""
        return self._head()

    def _head(self, *more: tuple[str, str]) -> bytes:
        return encode_head(self.status, [*self.headers, ("Content-Length", str(len(self.body))), *more])

    def send(self, data: bytes) -> None:
        """Send all bytes.

        Raises:
            ConnectionError: when the client has gone.
        """
        self.socket.sendall(data)

    def pause(self, seconds: float) -> None:
        """Wait in real time.

        Raises:
            ConnectionGone: if the simulator closes during the wait.
        """
        if self.closing.wait(seconds):
            raise ConnectionGone

    def wait_for_client_to_leave(self) -> None:
        """Return when the client has closed its end.

        Raises:
            ConnectionGone: if the simulator closes during the wait.
        """
        self.socket.settimeout(_POLL_S)
        while not self.closing.is_set():
            try:
                if not self.socket.recv(4096):
                    return
            except TimeoutError:
                continue
            except OSError:
                return
        raise ConnectionGone

    def reset(self) -> None:
        """Close with a TCP reset. The `shutdown` of the server would send a FIN first."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        os.close(self.socket.detach())


def drop(_: Outgoing) -> None:
    """Send nothing and close."""
    raise ConnectionGone


def reset(outgoing: Outgoing) -> None:
    """Send only a TCP reset."""
    outgoing.reset()
    raise ConnectionGone


def hang(outgoing: Outgoing) -> None:
    """Send nothing and wait until the client leaves."""
    outgoing.wait_for_client_to_leave()
    raise ConnectionGone


@frozen
class Drip:
    """Sends the body, and on request the head, a byte at a time with a pause before each byte."""

    interval_s: float
    head_too: bool = False

    def __call__(self, outgoing: Outgoing) -> None:
        """Send slowly and close."""
        slowly = outgoing.body
        if self.head_too:
            slowly = outgoing.head + outgoing.body
        else:
            outgoing.send(outgoing.head)
        for position in range(len(slowly)):
            outgoing.pause(self.interval_s)
            outgoing.send(slowly[position : position + 1])
        raise ConnectionGone


def truncate(outgoing: Outgoing) -> None:
    """Send the head, which promises the whole body, and half of the body."""
    outgoing.send(outgoing.head + outgoing.body[: len(outgoing.body) // 2])
    raise ConnectionGone


@frozen
class Flood:
    """Sends a body of this number of blanks instead of the reply's."""

    size: int

    def __call__(self, outgoing: Outgoing) -> None:
        """Send until the client leaves, the simulator closes, or the body ends."""
        headers = [("Content-Type", "application/json"), ("Content-Length", str(self.size))]
        outgoing.send(encode_head(200, headers))
        left = self.size
        while left > 0 and not outgoing.closing.is_set():
            outgoing.send(_BLOCK[:left])
            left -= len(_BLOCK)
        raise ConnectionGone


@frozen
class Interim:
    """Sends an interim reply, waits, and leaves the reply itself to the server."""

    status: int
    delay_s: float

    def __call__(self, outgoing: Outgoing) -> None:
        """Send the interim reply only."""
        outgoing.send(encode_head(self.status, [("Link", "</style.css>; rel=preload; as=style")]))
        outgoing.pause(self.delay_s)


@frozen
class LateBody:
    """Sends the head, waits, and sends the body; the connection stays open."""

    delay_s: float

    def __call__(self, outgoing: Outgoing) -> None:
        """Send the reply in two pieces."""
        outgoing.send(outgoing.open_head)
        outgoing.pause(self.delay_s)
        outgoing.send(outgoing.body)
        raise ReplySent


def send_twice(outgoing: Outgoing) -> None:
    """Send the whole reply twice in one piece; the connection stays open."""
    outgoing.send(2 * (outgoing.open_head + outgoing.body))
    raise ReplySent
