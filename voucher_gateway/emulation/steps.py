"""What emulations take their steps through, and the locks that they hold meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol, TypeVar

from voucher_gateway import fork_safety
from voucher_gateway.models.requests import NewVoucher

R = TypeVar("R")


class StepRunner(Protocol):
    """What an emulation takes its steps through."""

    def run(self, name: str, send: Callable[[str], R], *, decisive: bool = True) -> R:
        """Make one changing request.

        Args:
            name: the step's name, unique within the operation.
            send: makes it, given the reference that the vendor is to see.
            decisive: whether the success of this request is that of the operation; a reservation that a redemption
                begins with moves nothing.
        """
        ...

    def lock(self, host: str, voucher_id: str) -> AbstractContextManager[None]:
        """Keep everybody who knows of this lock off the voucher."""
        ...

    def with_generated_id(self, new: NewVoucher) -> NewVoucher:
        """Choose the id or code of a voucher that is to be issued, where that lets it be found again."""
        ...


class KeyedLocks:
    """A lock for each voucher, among the threads of one process. Unused locks cost nothing."""

    def __init__(self) -> None:
        self.renew_after_fork()
        fork_safety.register(self)

    def renew_after_fork(self) -> None:
        """Make new locks: one that another thread of the parent held would stay locked for ever."""
        self._guard = threading.Lock()
        self._locks: dict[tuple[str, str], tuple[threading.Lock, int]] = {}

    @contextmanager
    def hold(self, host: str, voucher_id: str) -> Iterator[None]:
        """Hold the voucher's lock."""
        fork_safety.renew_if_forked()
        key = (host, voucher_id)
        with self._guard:
            lock, users = self._locks.get(key, (threading.Lock(), 0))
            self._locks[key] = (lock, users + 1)
        try:
            with lock:
                yield
        finally:
            with self._guard:
                _, users = self._locks.get(key, (lock, 1))  # gone in a process that was forked off in the block
                if users == 1:
                    self._locks.pop(key, None)
                else:
                    self._locks[key] = (lock, users - 1)
