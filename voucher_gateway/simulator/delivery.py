"""How replies leave through the socket: as they should, or as a fault wants it."""

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
    """The reply was dealt with on the socket, which is of no use any more: nothing else may be sent."""


def encode_head(status: int, headers: Sequence[tuple[str, str]]) -> bytes:
    """The status line and the headers of an HTTP/1.1 reply, up to and with the empty line."""
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Unknown"
    lines = [f"HTTP/1.1 {status} {phrase}", *(f"{name}: {value}" for name, value in headers), "", ""]
    return "\r\n".join(lines).encode("latin-1", "replace")


@frozen
class Outgoing:
    """A reply on its way out, in the hands of a fault.

    Attributes:
        socket: the server's end of the outgoing.
        closing: set when the simulator closes, which ends every wait.
        head: the status line and headers that are due.
        body: the body that is due.
    """

    socket: socket.socket
    closing: threading.Event
    head: bytes
    body: bytes

    def send(self, data: bytes) -> None:
        """Sends all of it.

        Raises:
            ConnectionError: when the client has gone.
        """
        self.socket.sendall(data)

    def pause(self, seconds: float) -> None:
        """Waits in real time.

        Raises:
            ConnectionGone: when the simulator closes meanwhile.
        """
        if self.closing.wait(seconds):
            raise ConnectionGone

    def wait_for_client_to_leave(self) -> None:
        """Returns when the client has closed its end.

        Raises:
            ConnectionGone: when the simulator closes meanwhile.
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
        """Closes with a TCP reset, past the `shutdown` of the server, which would send a FIN first."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        os.close(self.socket.detach())


def drop(_: Outgoing) -> None:
    """Sends nothing and closes."""
    raise ConnectionGone


def reset(outgoing: Outgoing) -> None:
    """Sends nothing but a TCP reset."""
    outgoing.reset()
    raise ConnectionGone


def hang(outgoing: Outgoing) -> None:
    """Sends nothing and waits until the client leaves."""
    outgoing.wait_for_client_to_leave()
    raise ConnectionGone


@frozen
class Drip:
    """Sends the body, and the head too if asked, a byte at a time with a pause before each."""

    interval_s: float
    head_too: bool = False

    def __call__(self, outgoing: Outgoing) -> None:
        """Sends slowly and closes."""
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
    """Sends the head, which promises the whole body, and half of the body."""
    outgoing.send(outgoing.head + outgoing.body[: len(outgoing.body) // 2])
    raise ConnectionGone


@frozen
class Flood:
    """Sends a body of blanks of that many bytes, whatever the reply was."""

    size: int

    def __call__(self, outgoing: Outgoing) -> None:
        """Sends until the client leaves, the simulator closes or all is sent."""
        headers = [("Content-Type", "application/json"), ("Content-Length", str(self.size))]
        outgoing.send(encode_head(200, headers))
        left = self.size
        while left > 0 and not outgoing.closing.is_set():
            outgoing.send(_BLOCK[:left])
            left -= len(_BLOCK)
        raise ConnectionGone
