"""What a forked child must not share with its parent is renewed before the child uses it.

A child inherits sockets and database connections that are still its parent's, locks that a thread of the parent may
have held, and the name by which other processes know its parent. Python calls hooks (`os.register_at_fork`) for a fork
of its own. A server that forks in C calls none of them unless it is told to: uWSGI does not by default. So each use of
such an object compares the id of the process first, which costs less than a microsecond.
"""

from __future__ import annotations

import itertools
import logging
import os
import threading
import weakref
from collections.abc import Callable
from typing import Final, Protocol

log: Final = logging.getLogger(__name__)


class Renewable(Protocol):
    """An object that holds something of its process."""

    def renew_after_fork(self) -> None:
        """Forget what is the parent's, without a word to anybody outside, and take no lock that it held."""
        ...


_functions: Final[list[Callable[[], None]]] = []
_objects: Final[dict[int, weakref.ref[Renewable]]] = {}
_numbers: Final = itertools.count()
_process = os.getpid()
# One lock for each process: in a child, a lock that a thread of the parent held would stay locked.
_locks: Final[dict[int, threading.RLock]] = {}
_renewing = 0


def call_after_fork(renew: Callable[[], None]) -> None:
    """Have a function called once in each child that uses the library. Functions come before objects, in this order."""
    _functions.append(renew)


def register(renewable: Renewable) -> None:
    """Have an object renewed in each child that uses the library, for as long as the object lives.

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
        # A renewal may itself use what was renewed before it.
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
            _process = process
            _locks.clear()
        finally:
            _renewing = 0


def _try(renew: Callable[[], None]) -> None:
    try:
        renew()
    except Exception:  # one that fails must not keep the others from being renewed
        log.exception("after a fork, something of the parent process could not be renewed")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=renew_if_forked)
