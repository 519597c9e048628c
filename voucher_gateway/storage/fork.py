"""What a forked child must not share with its parent.

*SQLite*: it notes once for each file and process which locks are held. A child that inherits an open connection
believes that it holds the parent's locks, for as long as it lives and through every connection of its own; the others,
who see that nobody holds them, take the log from under it, and what it commits is lost. So no connection is carried
over a fork: turns are kept waiting, and the connections closed, from right before a fork until right after. Where a
fork in C runs no hooks, the child closes what it inherited before it opens anything.

*PostgreSQL*: a session ends with the last copy of its socket. A child that kept one would keep a killed parent's
transaction alive, and with it the locks.
"""

from __future__ import annotations

import gc
import os
import queue
import threading
import time
import weakref
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from voucher_gateway.fork_safety import call_after_fork
from voucher_gateway.storage.inherited import close_inherited

if TYPE_CHECKING:
    from voucher_gateway.storage.connections import ConnectionToken, SharedConnection

PATIENCE_S: Final = 5.0
"""How long a fork waits for the turns that are under way; less than a turn waits for another."""

_guard = threading.RLock()
_files: weakref.WeakSet[SharedConnection] = weakref.WeakSet()
_sessions: weakref.WeakSet[Any] = weakref.WeakSet()
_resting: dict[int, list[tuple[SharedConnection, ConnectionToken]]] = {}
_torn: set[str] = set()
_inherited: list[object] = []


def track_sqlite(shared: SharedConnection) -> None:
    """Let no fork carry over this connection to an SQLite file."""
    with _guard:
        _files.add(shared)


def track_session(connection: Any) -> None:
    """Let no child keep the socket of this connection of psycopg's."""
    _sessions.add(connection)


def was_forked_mid_transaction(path: str) -> bool:
    """Whether this process was forked in the midst of a turn at an SQLite file, and can never use it."""
    return path in _torn


def _before() -> None:
    resting = _resting[threading.get_ident()] = []
    deadline = time.monotonic() + PATIENCE_S
    if not _guard.acquire(timeout=2 * PATIENCE_S):  # another thread forks at the same time, and waits too
        return
    for shared in list(_files):
        with suppress(queue.Empty):
            if not shared.is_mine:
                resting.append((shared, shared.free.get(timeout=max(0.0, deadline - time.monotonic()))))
                shared.drop()
    if any(shared.failed for shared in list(_files)):
        gc.collect()
        for shared in list(_files):
            shared.failed = False


def _after_in_parent() -> None:
    for shared, right in _resting.pop(threading.get_ident(), ()):
        shared.free.put(right)
    with suppress(RuntimeError):  # it could not be had
        _guard.release()


def _renew_in_child() -> None:
    global _guard
    for rested in list(_resting.values()):
        for shared, right in rested:
            shared.free.put(right)
    _resting.clear()
    _guard = threading.RLock()
    files = list(_files)
    # What is neither free nor closed belongs to a thread that is not here.
    _torn.update(shared.path for shared in files if shared.free.empty())
    _torn.update(close_inherited([shared for shared in files if shared.is_connected and shared.path not in _torn]))
    for shared in files:
        if shared.free.empty() or shared.is_connected:
            shared.torn = True
            _torn.add(shared.path)
            _inherited.append(shared)  # to close the connection would meddle with the parent's
    _end_copies()


def _end_copies() -> None:
    """Put nothing in the place of each inherited socket.

    Not only closed, as its number could then be that of another file while somebody still writes to it.
    """
    nothing = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    for connection in list(_sessions):
        with suppress(Exception):  # it is closed already
            os.dup2(nothing, connection.fileno(), inheritable=False)
            _inherited.append(connection)
    _sessions.clear()
    os.close(nothing)


call_after_fork(_renew_in_child)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_after_in_parent)
