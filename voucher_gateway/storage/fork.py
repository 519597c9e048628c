"""Keeps database connections from being shared between a parent process and a forked child.

*SQLite* tracks file locks per process in memory. A forked child with an inherited connection believes it holds locks
that it does not; other processes may then reset the write-ahead log, and the child's commits are lost. So no connection
is open during a fork: from right before it until right after, transactions wait and connections are closed. A fork in C
runs no hooks. After such a fork the child closes what it inherited before it opens anything.

To close an inherited connection is dangerous: SQLite then tries for an exclusive lock, and whoever gets that moves the
log into the file and deletes the log by its name, which may be another log by then. So the child first takes a lock of
an open file description. The exclusive lock never passes that, not even in the same process.

*PostgreSQL* ends a session when the last copy of its socket is closed. A child that kept a copy would keep a killed
parent's transaction alive, and with it the locks.
"""

from __future__ import annotations

import fcntl
import gc
import os
import struct
import threading
import time
import weakref
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final, Protocol

from voucher_gateway.process.fork_safety import call_after_fork
from voucher_gateway.storage.files import is_path_descriptor

FORK_WAIT_S: Final = 5.0
"""How long a fork waits for transactions, in seconds: less than a transaction waits for another."""


class SqliteConnection(Protocol):
    """The connection of this process to an SQLite file: `voucher_gateway.storage.connections.SharedConnection`."""

    path: str
    had_error: bool
    forked_mid_transaction: bool

    @property
    def is_mine(self) -> bool:
        """Whether the calling thread is in a transaction."""
        ...

    @property
    def is_connected(self) -> bool:
        """Whether there is a connection."""
        ...

    @property
    def is_in_use(self) -> bool:
        """Whether a thread is in a transaction, or the connection is paused."""
        ...

    def pause(self, timeout_s: float) -> bool:
        """Close the connection and keep threads from using it; False if a transaction does not end in time."""
        ...

    def resume(self) -> None:
        """Let threads use the database again."""
        ...

    def drop(self) -> None:
        """Close the connection."""
        ...


_guard = threading.RLock()
_connections: weakref.WeakSet[SqliteConnection] = weakref.WeakSet()
_sessions: weakref.WeakSet[Any] = weakref.WeakSet()
_paused: dict[int, list[SqliteConnection]] = {}
_unusable_paths: set[str] = set()
_inherited: list[object] = []


def track_sqlite(connection: SqliteConnection) -> None:
    """Close a connection to an SQLite file before each fork."""
    with _guard:
        _connections.add(connection)


def track_session(connection: Any) -> None:
    """Close the copy of the socket of a connection of psycopg's in each child."""
    _sessions.add(connection)


def was_forked_mid_transaction(path: str) -> bool:
    """Whether this process was forked during a transaction at an SQLite file, and can never use that file."""
    return path in _unusable_paths


def _before_fork() -> None:
    paused = _paused[threading.get_ident()] = []
    deadline = time.monotonic() + FORK_WAIT_S
    if not _guard.acquire(timeout=2 * FORK_WAIT_S):  # another thread forks at the same time, and waits too
        return
    connections = list(_connections)
    others = [connection for connection in connections if not connection.is_mine]
    paused += [connection for connection in others if connection.pause(deadline - time.monotonic())]
    if any(connection.had_error for connection in connections):
        gc.collect()
        for connection in connections:
            connection.had_error = False


def _after_fork_in_parent() -> None:
    for connection in _paused.pop(threading.get_ident(), ()):
        connection.resume()
    with suppress(RuntimeError):  # `_before_fork` did not get it
        _guard.release()


def _after_fork_in_child() -> None:
    global _guard
    for paused in list(_paused.values()):
        for connection in paused:
            connection.resume()
    _paused.clear()
    _guard = threading.RLock()
    connections = list(_connections)
    # A connection that is still in use belongs to a thread that does not exist in the child.
    _unusable_paths.update(connection.path for connection in connections if connection.is_in_use)
    idle = [connection for connection in connections if connection.path not in _unusable_paths]
    _unusable_paths.update(_close_inherited([connection for connection in idle if connection.is_connected]))
    for connection in connections:
        if connection.is_in_use or connection.is_connected:
            connection.forked_mid_transaction = True
            _unusable_paths.add(connection.path)
            _inherited.append(connection)  # kept: closing the connection would change the parent's locks
    _replace_inherited_sockets()


def _replace_inherited_sockets() -> None:
    """Replace each inherited socket by ``/dev/null``.

    If it were only closed, its number could become another file's while something still writes to it.
    """
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    for connection in list(_sessions):
        with suppress(Exception):  # it is closed already
            os.dup2(null, connection.fileno(), inheritable=False)
            _inherited.append(connection)
    _sessions.clear()
    os.close(null)


# --- inherited connections to SQLite files ---

# The bytes that SQLite locks (its os.h): readers share a range, a last user takes it all.
_SHARED_FIRST: Final = 0x40000000 + 2
_SHARED_SIZE: Final = 510
_LOCK_WAIT_S: Final = 5.0
_POLL_S: Final = 0.005
_OPEN_FILES: Final = "/proc/self/fd"


def _close_inherited(connections: Sequence[SqliteConnection]) -> set[str]:
    """Close connections that are not in a transaction, and return the paths of files that may still be open.

    The parent keeps its locks, and no log is moved or deleted.
    """
    guards: dict[str, int] = {}
    paths = {connection.path for connection in connections}
    try:
        for path in paths:
            if (guard := _lock_out_exclusive(path)) is not None:
                guards[path] = guard
        for connection in connections:
            if connection.path in guards:
                connection.drop()
        if any(map(_is_open_besides, guards.values())):
            gc.collect()  # the error of a failed transaction may keep a cursor alive, and with it a closed connection
        return {path for path in paths if path not in guards or _is_open_besides(guards[path])}
    finally:
        # SQLite has no lock in this process that this could end: all that it tracked is forgotten.
        for guard in guards.values():
            os.close(guard)


def _lock_out_exclusive(path: str) -> int | None:
    """Return a descriptor whose lock keeps everybody from the exclusive lock of a file; None if that is impossible."""
    if not hasattr(fcntl, "F_OFD_SETLK"):
        return None
    try:
        guard = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    shared_lock = struct.pack("hhqqi", fcntl.F_RDLCK, os.SEEK_SET, _SHARED_FIRST, _SHARED_SIZE, 0)
    deadline = time.monotonic() + _LOCK_WAIT_S
    while True:
        try:
            fcntl.fcntl(guard, fcntl.F_OFD_SETLK, shared_lock)
        except OSError:  # a last user of the file holds the exclusive lock now
            if time.monotonic() >= deadline:
                os.close(guard)
                return None
            time.sleep(_POLL_S)
        else:
            return guard


def _is_open_besides(guard: int) -> bool:
    """Whether this process has the guarded file open by another descriptor, too."""
    guarded = os.fstat(guard)
    try:
        numbers = [int(name) for name in os.listdir(_OPEN_FILES)]
    except OSError:
        return True  # it cannot be known
    others = (number for number in numbers if number != guard and not is_path_descriptor(number))
    return any(_is_descriptor_of(number, guarded) for number in others)


def _is_descriptor_of(number: int, file: os.stat_result) -> bool:
    try:
        return os.path.samestat(os.fstat(number), file)
    except OSError:
        return False


call_after_fork(_after_fork_in_child)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent)
