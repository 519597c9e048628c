"""Reads one reply from a socket: before its deadline, after interim replies, and exactly to its end."""

from __future__ import annotations

import http
import http.client
import io
import re
from typing import Any, Final, Protocol

import attrs


class ReadTimer(Protocol):
    """Says how long one wait for bytes may take; `deadlines.RequestDeadline` is one.

    Attributes:
        read_s: how long at most, in seconds.
    """

    read_s: float

    def wait(self, at_most: float) -> float:
        """Return how long the next wait may take; raise if the total time is used up."""


class _DeadlineReader(io.RawIOBase):
    """Reads a socket, and never waits beyond the deadline of the request.

    Attributes:
        ended: whether the other side has closed the connection.
        muted: whether it must not read from the socket again.
    """

    def __init__(self, sock: Any, timing: ReadTimer | None) -> None:
        self.ended = False
        self.muted = False
        self._sock = sock
        self._raw = sock.makefile("rb", buffering=0)
        self._timing = timing

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self.muted:
            return None
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
    timing: ReadTimer | None

    def makefile(self, mode: str) -> _ReplyReader:  # noqa: ARG002 - http.client's signature
        return _ReplyReader(_DeadlineReader(self.sock, self.timing))


class DeadlineResponse(http.client.HTTPResponse):
    """A reply that is read before its deadline, and that knows whether it ended correctly."""

    chunked: bool

    def __init__(self, sock: Any, timing: ReadTimer | None, *args: Any, **named: Any) -> None:
        super().__init__(_DeadlineSocket(sock, timing), *args, **named)  # type: ignore[arg-type]  # only makefile is used
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
