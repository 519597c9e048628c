"""Turns: the legs of a payment prepare their requests one after the other, and wait for the vendor at the same time.

Threads of Python that compute at the same time hold each other up: two legs that prepare their requests together both
send them late. In turns the first request leaves early, and the second one while the vendor works on the first.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from sqlalchemy.engine import Connection

from voucher_gateway.journal.fence import use_fence

_MAX_WAIT_S: Final = 0.02
"""A leg that waits for something else while it prepares its request, such as an access token, holds up no other leg."""


class Turns:
    """The turns of the legs that run at the same time. A turn ends when the journal records the request of its leg."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    @contextmanager
    def take(self) -> Iterator[None]:
        """Wait for a turn, for a short time at most, and end it at the end of the block at the latest."""
        turn = _Turn(self._lock)
        try:
            with use_fence(turn):
                yield
        finally:
            turn.end()


class _Turn:
    def __init__(self, lock: threading.Lock) -> None:
        self._lock = lock
        self._is_held = lock.acquire(timeout=_MAX_WAIT_S)

    def check(self, connection: Connection) -> None:  # noqa: ARG002 - as every fence
        """End the turn: the request is being recorded, and is sent then."""
        self.end()

    def end(self) -> None:
        """End the turn, if it has not ended."""
        if self._is_held:
            self._is_held = False
            self._lock.release()
