"""Lets no thread write a log line while the process forks.

A handler for a file writes through a buffer that has its own lock, in C. Python gives a forked child new locks for
the handlers, but not for such buffers (CPython 3.11 to 3.13). If another thread writes a line while the process forks,
the buffer stays locked in the child, and the child waits for ever when it logs to the same file. So a fork waits until
the lines of other threads are written, and no line begins before the fork is over.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final

LOG_WAIT_S: Final = 5.0
"""How long a fork waits for the log lines of other threads, in seconds."""

_held: Final[dict[int, list[Any]]] = {}


def hold_log_handlers() -> None:
    """Wait until no other thread writes a log line, and let none begin until `release_log_handlers`.

    If a line is not written in time, nothing is held, and the fork goes on.
    """
    held = _held[threading.get_ident()] = []
    deadline = time.monotonic() + LOG_WAIT_S
    busy = _acquire_all(held)
    # A thread may write a line with one lock and need another one for it. So this thread holds no lock while it waits.
    while busy is not None and busy.acquire(timeout=max(0.0, deadline - time.monotonic())):
        held.append(busy)
        busy = _acquire_all(held)


def release_log_handlers() -> None:
    """Let all threads write log lines again. Call it in the parent and in the child."""
    _release(_held.pop(threading.get_ident(), []))


def _acquire_all(held: list[Any]) -> Any:
    """Acquire all locks without waiting and add them to `held`. If one is busy, release all and return that one."""
    for lock in _locks():
        if any(lock is other for other in held):
            continue
        if not lock.acquire(blocking=False):
            _release(held)
            return lock
        held.append(lock)
    return None


def _release(held: list[Any]) -> None:
    while held:
        with suppress(RuntimeError):  # in a child, `logging` has made it new
            held.pop().release()


def _locks() -> Iterator[Any]:
    """Yield the locks of all handlers of all loggers, and the lock of `logging` itself.

    A fork acquires the latter without a time limit. A thread that configures `logging` holds it and waits for handlers,
    so whoever holds handlers must have it, too.
    """
    logging_lock = getattr(logging, "_lock", None)  # it has no public name
    if logging_lock is None:
        return
    yield logging_lock
    handlers: list[logging.Handler | None] = [logging.lastResort]
    for logger in [logging.getLogger(), *list(logging.Logger.manager.loggerDict.values())]:
        handlers += getattr(logger, "handlers", ())  # the place of a logger that was never asked for has none
    for handler in handlers:
        lock = getattr(handler, "lock", None)
        if lock is not None:
            yield lock
