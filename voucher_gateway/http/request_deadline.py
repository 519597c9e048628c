"""The total deadline of one request, which its thread's sockets keep, and whether a byte of it may have left."""

from __future__ import annotations

import threading
import time
from typing import Any

import attrs


class DeadlineExceeded(TimeoutError):
    """The total deadline is over."""


@attrs.define
class RequestDeadline:
    """The deadline and the state of one request, and a ``with`` block that sends it.

    Attributes:
        deadline: when it must be over, by ``time.monotonic``.
        connect_s: how long making the connection may take, in seconds.
        read_s: how long one wait for bytes may take, in seconds.
        sent: whether a byte of the request itself may have left this machine: None before one of our connections has
            it, False while the connection is being made.
    """

    deadline: float
    connect_s: float
    read_s: float
    sent: bool | None = None
    _held: list[tuple[Any, Any]] = attrs.field(factory=list, init=False)

    def __enter__(self) -> None:
        """Make the sockets of this thread keep this deadline; an error in the block closes the connection."""
        _thread.timing = self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        _thread.timing = None
        self.give_back(reply_was_read=kind is None)

    def wait(self, at_most: float) -> float:
        """Return how long the next wait on the socket may take.

        Raises:
            DeadlineExceeded: if the total is used up.
        """
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise DeadlineExceeded
        return min(left, at_most)

    def hold(self, pool: Any, connection: Any) -> None:
        """Keep a connection that urllib3 returns, until it is known whether its reply was read without an error."""
        self._held.append((pool, connection))

    def give_back(self, *, reply_was_read: bool) -> None:
        """Return the held connections to their pools, and close those that must not be used again."""
        while self._held:
            pool, connection = self._held.pop()
            if not (reply_was_read and connection.can_be_used_again()):
                connection.close()
            pool._put_conn(connection)


_thread = threading.local()


def current_deadline() -> RequestDeadline | None:
    """Return the deadline of the request that this thread sends; None outside of a request."""
    return getattr(_thread, "timing", None)
