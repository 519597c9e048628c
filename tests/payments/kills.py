"""Ends the work of a gateway at a point, as if its process were killed there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from voucher_gateway import Gateway


class Killed(BaseException):
    """The process was killed."""


class KillPoints:
    """Counts the points of a gateway's work, and ends it at one of them. Nothing is written after that.

    A point is right before a transaction that writes, and right after its commit. So every request lies between two
    points: that after the commit that announces it, and that before the commit that records it.

    Args:
        gateway: the gateway. It cannot be used after the kill.
        at: the number of the point, from 0; None to count only.
    """

    def __init__(self, gateway: Gateway, at: int | None = None) -> None:
        assert gateway.journal is not None
        database: Any = gateway.journal.database
        self.count = 0
        self._at = at
        self._is_dead = False
        self._write, self._read = database.write, database.read
        database.write = self._counted_write
        database.read = self._checked_read

    def note(self) -> None:
        """Pass a point.

        Raises:
            Killed: if it is the one, or if the process is dead.
        """
        if self._is_dead or self.count == self._at:
            self._is_dead = True
            raise Killed
        self.count += 1

    @contextmanager
    def _counted_write(self, **options: Any) -> Iterator[Any]:
        self.note()
        with self._write(**options) as connection:
            yield connection
        self.note()

    def _checked_read(self, **options: Any) -> AbstractContextManager[Any]:
        if self._is_dead:
            raise Killed
        read: AbstractContextManager[Any] = self._read(**options)
        return read
