"""Renews, in a forked child, what the child must not share with its parent.

A child inherits sockets and database connections that still belong to its parent, locks that a thread of the parent may
have held, and the name by which other processes know its parent. Python calls hooks (`os.register_at_fork`) when it
forks itself. A server that forks in C does not call them unless it is configured to; uWSGI is not by default. So each
use of such an object compares the process id first, which takes less than a microsecond.
"""

from __future__ import annotations

import itertools
import os
import threading
import weakref
from collections.abc import Callable
from typing import Final, Protocol

from voucher_gateway.process.log_locks import hold_log_handlers, release_log_handlers
from voucher_gateway.process.loggers import get_logger

log: Final = get_logger("voucher_gateway.fork_safety")


class Renewable(Protocol):
    """An object that holds something of its process."""

    def renew_after_fork(self) -> None:
        """Forget what belongs to the parent. Send nothing to other systems, and take no lock that the parent held."""
        ...


_functions: Final[list[Callable[[], None]]] = []
_objects: Final[dict[int, weakref.ref[Renewable]]] = {}
_numbers: Final = itertools.count()
_process = os.getpid()
# One lock for each process: in a child, a lock that a thread of the parent held would stay locked.
_locks: Final[dict[int, threading.RLock]] = {}
_renewing = 0


def call_after_fork(renew: Callable[[], None]) -> None:
    """Call a function once in each child that uses the library: before the registered objects, in this order."""
    _functions.append(renew)


def register(renewable: Renewable) -> None:
    """Renew an object in each child that uses the library, for as long as the object lives.

    The object calls `renew_if_forked` before each use of what it holds.
    """
    number = next(_numbers)

    def forget(_: object) -> None:
        _objects.pop(number, None)

    _objects[number] = weakref.ref(renewable, forget)


def is_forked() -> bool:
    """Whether this process was forked and has renewed nothing yet."""
    return os.getpid() != _process


def renew_if_forked() -> None:
    """Renew everything that was registered, if this is a child that has not done so."""
    if os.getpid() != _process:
        _renew()


def _renew() -> None:
    global _process, _renewing
    process = os.getpid()
    with _locks.setdefault(process, threading.RLock()):
        # A renewal may use an object that was renewed before it.
        if process in (_process, _renewing):
            return
        _renewing = process
        try:
            for renew in _functions:
                _try(renew)
            for reference in list(_objects.values()):
                renewable = reference()
                if renewable is not None:
                    _try(renewable.renew_after_fork)
            parent, _process = _process, process
            _locks.clear()
        finally:
            _renewing = 0
    log.debug("renewed %d objects of process %d for its child %d", len(_objects), parent, process)


def _try(renew: Callable[[], None]) -> None:
    try:
        renew()
    except Exception:  # the others must be renewed even if one fails
        log.exception("after a fork, an object of the parent process could not be renewed")


def _after_fork_in_child() -> None:
    release_log_handlers()
    renew_if_forked()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=hold_log_handlers, after_in_parent=release_log_handlers, after_in_child=_after_fork_in_child
    )
