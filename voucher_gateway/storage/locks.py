"""Locks that the system frees when the process that holds them ends, for any reason.

A time-out cannot distinguish a dead worker from a slow one. A lock that ends with the process can. For SQLite it is a
byte lock in a file, for PostgreSQL an advisory lock of a session.
"""

from __future__ import annotations

import abc
import fcntl
import hashlib
import os
import secrets
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from voucher_gateway.errors import DatabaseUnavailable, OperationInProgress
from voucher_gateway.limits.call_deadline import moment_within, seconds_within
from voucher_gateway.process.fork_safety import call_after_fork, renew_if_forked
from voucher_gateway.process.loggers import get_logger
from voucher_gateway.storage.connections import database_errors
from voucher_gateway.storage.waits import SHORTEST_WAIT_S, limit_statements, longest_statement_s

log: Final = get_logger("voucher_gateway.storage")

_POLL_S: Final = 0.01
# A session that is lost unnoticed for that long endangers nothing: what its operations write is checked by epoch.
_RECHECK_S: Final = 5.0
_OWNERS: Final = 0
_NAMES: Final = 1 << 61
_MASK: Final = _NAMES - 1
_TRANSACTIONS: Final = 1 << 62
_CLOSED: Final = -1


class Locks(abc.ABC):
    """The locks of one process."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._naming = threading.Lock()
        self._owner: str | None = None
        self._threads: dict[int, tuple[threading.Lock, int]] = {}
        self._work: Counter[str] = Counter()

    @contextmanager
    def mark_active(self, operation_id: str) -> Iterator[None]:
        """Note that a thread of this process works on an operation."""
        with self._guard:
            self._work[operation_id] += 1
        try:
            yield
        finally:
            with self._guard:
                self._work[operation_id] -= 1
                if not self._work[operation_id]:
                    del self._work[operation_id]

    def is_active_here(self, operation_id: str) -> bool:
        """Whether a thread of this process works on an operation."""
        with self._guard:
            return operation_id in self._work

    def owner(self) -> str:
        """Return the name of this process. Its lock is held for as long as the process lives."""
        with hold_in_time(self._naming):
            if self._owner is None or not self._still_held(_number_of(self._owner)):
                name = secrets.token_hex(8)
                if not self._try(_number_of(name)):
                    raise DatabaseUnavailable("could not acquire the process lock; try again")
                self._owner = name
            return self._owner

    def alive(self, owner: str) -> bool:
        """Whether the process of this name still lives; True for this process itself."""
        with hold_in_time(self._naming):
            return owner == self._owner or not self._is_free(_number_of(owner))

    def hold(self, name: str, *, wait_s: float) -> AbstractContextManager[None]:
        """Hold the lock of a name against all other threads, processes and (PostgreSQL) machines.

        Raises:
            OperationInProgress: if it cannot be acquired in that time, or before the call's deadline.
        """
        return _HeldLock(self, _NAMES + _lock_number(name), wait_s)

    def _enter(self, number: int) -> threading.Lock:
        with self._guard:
            lock, users = self._threads.get(number) or (threading.Lock(), 0)
            self._threads[number] = (lock, users + 1)
        return lock

    def _leave(self, number: int) -> None:
        with self._guard:
            lock, users = self._threads.pop(number)
            if users > 1:
                self._threads[number] = (lock, users - 1)

    def _release(self, number: int) -> None:
        # The work under the lock is done. An error of the release must not make it look as if it had failed.
        renew_if_forked()
        try:
            self._free(number)
        except (DatabaseUnavailable, OSError) as error:
            log.warning("a lock could not be released, and ends with its session: %s", error)

    @abc.abstractmethod
    def close(self) -> None:
        """Release all locks."""

    @abc.abstractmethod
    def _try(self, number: int) -> bool: ...

    @abc.abstractmethod
    def _free(self, number: int) -> None: ...

    @abc.abstractmethod
    def _is_free(self, number: int) -> bool: ...

    @abc.abstractmethod
    def _still_held(self, number: int) -> bool: ...


class _HeldLock:
    """A lock that is held for the length of a ``with``. Each call takes one, so it is not a generator."""

    def __init__(self, locks: Locks, number: int, wait_s: float) -> None:
        self._locks = locks
        self._number = number
        self._wait_s = wait_s

    def __enter__(self) -> None:
        locks, number = self._locks, self._number
        deadline = moment_within(self._wait_s)
        lock = self._lock = locks._enter(number)
        try:
            if not lock.acquire(timeout=seconds_within(self._wait_s)):
                raise OperationInProgress("another thread is changing this voucher now; try again")
            try:
                while not locks._try(number):
                    if time.monotonic() >= deadline:
                        raise OperationInProgress("another process is changing this voucher now; try again")
                    time.sleep(_POLL_S)
            except BaseException:
                lock.release()
                raise
        except BaseException:
            locks._leave(number)
            raise

    def __exit__(self, *_: object) -> None:
        try:
            self._locks._release(self._number)
        finally:
            try:
                self._lock.release()
            finally:
                self._locks._leave(self._number)


@contextmanager
def hold_in_time(lock: threading.Lock) -> Iterator[None]:
    """Hold a lock under which another thread of this process may wait for the database.

    Raises:
        DatabaseUnavailable: if that thread waits for longer than one statement may take.
    """
    if not lock.acquire(blocking=False):
        longest = longest_statement_s()
        if not lock.acquire(timeout=-1 if longest is None else longest):
            raise DatabaseUnavailable(
                f"the database did not answer another thread of this process within {longest:.0f} s"
            )
    try:
        yield
    finally:
        lock.release()


def lock_in_transaction(connection: Connection, *names: str) -> None:
    """Keep other transactions that name the same waiting until this one ends; in SQLite they wait anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:number)"), {"number": transaction_lock(*names)})


def transaction_lock(*names: str) -> int:
    """Return the number of PostgreSQL's advisory lock that a transaction holds on these names."""
    return _TRANSACTIONS + _lock_number("\0".join(names))


def _lock_number(name: str) -> int:
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest()) % _NAMES


def _number_of(owner: str) -> int:
    return _OWNERS + (int(owner, 16) & _MASK)


class FileLocks(Locks):
    """POSIX byte locks in a file beside the SQLite database.

    Such a lock belongs to the process: a forked child does not inherit it, and the system frees it at death. It would
    also be freed if the process closed any other descriptor of the file, and never stands against the process itself.
    So all users of the file in one process share one object with one descriptor: get it by `open_shared`.

    If the file was deleted or replaced, other processes lock another one. A lock has no meaning then, and is refused.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = str(path)
        self.file = _open_lock_file(path)
        opened = os.fstat(self.file)
        self._identity = opened.st_ino, opened.st_dev
        self.users = 0
        self._closing = threading.Lock()

    @classmethod
    def open_shared(cls, path: Path) -> FileLocks:
        """Return this process's locks in a file, which is made if it is not there; `close` gives them back.

        Raises:
            DatabaseUnavailable: if the file cannot be opened.
        """
        renew_if_forked()
        with _open_files.guard:
            locks = next((locks for locks in _open_files.open if locks.is_at(path)), None)
            if locks is None:
                locks = cls(path)
                _open_files.open.append(locks)
            locks.users += 1
            return locks

    def close(self) -> None:
        """Close the file, unless another user in this process needs it."""
        with _open_files.guard:
            self.users -= 1
            if self.users == 0 and self in _open_files.open:
                _open_files.open.remove(self)
                with self._closing:
                    self.close_descriptor()

    def close_descriptor(self) -> None:
        """Close the descriptor. Its number may be another file's soon, and is forgotten."""
        file, self.file = self.file, _CLOSED
        if file != _CLOSED:
            os.close(file)

    def is_at(self, path: Path | str) -> bool:
        """Whether the file of that path is this very one, still open."""
        try:
            status = os.stat(path)  # asked before each write, and Path takes twice as long
        except OSError:
            return False
        return (status.st_ino, status.st_dev) == self._identity and self.file != _CLOSED

    def check_lock_file(self) -> None:
        """Make sure that others who look for the lock file find this one.

        Raises:
            DatabaseUnavailable: if they do not, or it is closed.
        """
        if not self.is_at(self.path):
            why = "was closed" if self.file == _CLOSED else "was deleted or replaced: restart this process"
            raise DatabaseUnavailable(f"the lock file {self.path} {why}")

    def _try(self, number: int) -> bool:
        with self._closing:
            if self.file != _CLOSED:
                try:
                    fcntl.lockf(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, number)
                except OSError:
                    return False
        try:
            self.check_lock_file()  # once it is had: whoever opens the file from now on finds the lock
        except DatabaseUnavailable:
            self._free(number)
            raise
        return True

    def _free(self, number: int) -> None:
        with self._closing:
            if self.file != _CLOSED:
                fcntl.lockf(self.file, fcntl.LOCK_UN, 1, number)

    def _is_free(self, number: int) -> bool:
        if not self._try(number):
            return False
        self._free(number)
        return True

    def _still_held(self, number: int) -> bool:  # noqa: ARG002 - the system frees it at death only
        return self.is_at(self.path)


class _OpenLockFiles:
    """The lock files that this process has open."""

    def __init__(self) -> None:
        self.guard = threading.Lock()
        self.open: list[FileLocks] = []


def _open_lock_file(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        reason = error.strerror
    raise DatabaseUnavailable(f"the lock file {path} cannot be opened: {reason}")


_open_files = _OpenLockFiles()


def _forget_inherited() -> None:
    # The descriptors are copies of the parent's; closing them here frees none of the parent's locks.
    global _open_files
    inherited, _open_files = _open_files, _OpenLockFiles()
    for locks in inherited.open:
        locks.close_descriptor()


call_after_fork(_forget_inherited)


class AdvisoryLocks(Locks):
    """PostgreSQL's advisory locks, held by one session of this process; they end with it.

    Args:
        engine: the database.
        safe_url: the database's URL without its password, for messages.
    """

    def __init__(self, engine: Engine, safe_url: str) -> None:
        super().__init__()
        self._engine = engine
        self._safe_url = safe_url
        self._kept: Connection | None = None
        self._session = threading.Lock()
        self._held_until = 0.0

    def close(self) -> None:
        """Close the session, which frees its locks."""
        with self._session:
            self._drop()

    def _drop(self) -> None:
        self._held_until = 0.0
        kept, self._kept = self._kept, None
        if kept is not None:
            kept.invalidate()
            kept.close()

    def _try(self, number: int) -> bool:
        return bool(self._ask("SELECT pg_try_advisory_lock(:number)", number))

    def _free(self, number: int) -> None:
        if self._kept is not None:  # or the session has ended, and the lock with it
            with limit_statements(SHORTEST_WAIT_S):  # the call may have waited for the server already
                self._ask("SELECT pg_advisory_unlock(:number)", number)

    def _is_free(self, number: int) -> bool:
        # In a transaction of a separate session, so that trying leaves nothing behind.
        with database_errors(self._safe_url), self._engine.connect() as connection, connection.begin():
            return bool(connection.scalar(sa.text("SELECT pg_try_advisory_xact_lock(:number)"), {"number": number}))

    def _still_held(self, number: int) -> bool:
        if time.monotonic() < self._held_until:
            return True
        try:
            held = self._ask(
                "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"
                " AND classid::int8 = CAST(:number AS int8) >> 32 AND objid::int8 = CAST(:number AS int8) & 4294967295",
                number,
            )
        except DatabaseUnavailable:
            return False
        if held:
            self._held_until = time.monotonic() + _RECHECK_S
        return bool(held)

    def _ask(self, question: str, number: int) -> object:
        with hold_in_time(self._session), database_errors(self._safe_url):
            try:
                if self._kept is None:
                    self._kept = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
                return self._kept.scalar(sa.text(question), {"number": number})
            except BaseException:
                self._drop()
                raise
