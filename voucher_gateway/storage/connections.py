"""Transactions: a connection for the length of a ``with``, which is committed at its end or rolled back."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from voucher_gateway.errors import DatabaseUnavailable, VoucherGatewayError
from voucher_gateway.limits.call_deadline import seconds_left
from voucher_gateway.process.fork_safety import is_forked, renew_if_forked
from voucher_gateway.storage.files import DatabaseFile
from voucher_gateway.storage.fork import track_sqlite, was_forked_mid_transaction
from voucher_gateway.storage.statements import call_driver, execute_on_sqlite, keep_sqlite_driver, sqlite_driver
from voucher_gateway.storage.waits import CHECKOUT_WAIT_S, limit_statements, longest_statement_s

BUSY_TIMEOUT_S: Final = CHECKOUT_WAIT_S
"""How long a transaction waits for another process that has locked an SQLite file, in seconds."""

LOGS_CHECK_INTERVAL_S: Final = 0.05
"""Reads check at most so often that SQLite's log was not replaced, in seconds. A check costs as much as a statement."""

_IN_ERROR: Final = 3
"""The status of a PostgreSQL transaction in which a statement failed: libpq's ``PQTRANS_INERROR``."""


@contextmanager
def database_errors(safe_url: str) -> Iterator[None]:
    """Raise `DatabaseUnavailable` for each error of SQLAlchemy and the driver.

    Args:
        safe_url: the database's URL without its password, for the message.
    """
    try:
        yield
    except SQLAlchemyError as error:
        unavailable = _unavailable(error, safe_url)
    else:
        return
    raise unavailable from None


def _unavailable(error: SQLAlchemyError, safe_url: str) -> DatabaseUnavailable:
    """Return the error for the caller, without statement and parameters.

    Its `vendor_code` is SQLite's name of the error, such as ``SQLITE_FULL``, or PostgreSQL's SQLSTATE. It is None if
    the database reported nothing, as when the connection broke.
    """
    cause = getattr(error, "orig", None) or error
    reason = str(cause).splitlines()[0][:200] if str(cause) else type(cause).__name__
    code = getattr(cause, "sqlite_errorname", None) or getattr(cause, "sqlstate", None)
    return DatabaseUnavailable(f"database error at {safe_url}: {reason}", vendor_code=code)


class SharedConnection:
    """The one connection of this process to an SQLite file. The threads of the process take turns.

    If each thread had a connection and waited in SQLite, the unluckiest of many threads would wait for seconds.

    Args:
        engine: the file.
        safe_url: its URL, for messages.
        file: the file. Each transaction checks that it is still in its place.
        check_locks: raises `DatabaseUnavailable` if the lock file was replaced. Each write calls it.

    Attributes:
        path: the file.
        had_error: whether a transaction failed. Its error may keep a cursor alive, and with it a closed connection.
        forked_mid_transaction: whether this is a copy in a child that was forked during a transaction.
    """

    def __init__(self, engine: Engine, safe_url: str, file: DatabaseFile, check_locks: Callable[[], None]) -> None:
        self.path = engine.url.database or ""
        self.had_error = False
        self.forked_mid_transaction = was_forked_mid_transaction(self.path)
        self._engine = engine
        self._safe_url = safe_url
        self._file = file
        self._check_locks = check_locks
        self._logs_checked_at = 0.0
        self._lock = threading.Lock()
        self._thread = 0
        self._connection: Connection | None = None
        self._busy_s = BUSY_TIMEOUT_S
        self._driver: sqlite3.Connection
        self._closed = False
        track_sqlite(self)

    def __del__(self) -> None:
        # The garbage collector could let the connection live until a fork.
        with suppress(Exception):
            if is_forked():
                track_sqlite(self)  # the connection is inherited: it is closed as those are
            self.drop()

    @property
    def is_mine(self) -> bool:
        """Whether the calling thread is in a transaction."""
        return self._thread == threading.get_ident()

    @property
    def is_connected(self) -> bool:
        """Whether there is a connection."""
        return self._connection is not None

    @property
    def is_in_use(self) -> bool:
        """Whether a thread is in a transaction, or the connection is paused."""
        return self._lock.locked()

    @contextmanager
    def transaction(self, *, immediate: bool, wait_s: float = BUSY_TIMEOUT_S) -> Iterator[Connection]:
        """Give the connection in a transaction; other threads wait.

        Args:
            immediate: whether to hold SQLite's write lock from the begin on. Otherwise SQLite begins no transaction,
                so that a reader never waits for another process's writer, but for one that keeps readers out.
            wait_s: how long to wait for the other threads and for another process, in seconds. A reader waits no
                longer than the call may take.

        Raises:
            DatabaseUnavailable: if the transaction cannot begin, a statement failed, or the commit failed.
        """
        began = time.monotonic()
        if not immediate and seconds_left() is not None:
            wait_s = busy_wait_s(wait_s)
        if not self._lock.acquire(timeout=wait_s):
            raise DatabaseUnavailable(f"the database {self._safe_url} is kept busy by the other threads")
        if wait_s < BUSY_TIMEOUT_S:
            wait_s = max(0.0, wait_s - (time.monotonic() - began))
        unavailable = None
        try:
            self._thread = threading.get_ident()
            connection = None
            try:
                connection = self._begin(immediate=immediate, wait_s=wait_s)
                yield connection
                renew_if_forked()
                self._require_not_forked()
                self._commit(connection, immediate=immediate)
            except BaseException as error:
                is_refusal = connection is not None and isinstance(error, VoucherGatewayError)
                self._roll_back(keep_connection=is_refusal)
                raise
            if self._closed:
                self.drop()
        except SQLAlchemyError as error:
            unavailable = _unavailable(error, self._safe_url)
        finally:
            self._thread = 0
            self._lock.release()
        if unavailable is not None:
            raise unavailable from None

    def _begin(self, *, immediate: bool, wait_s: float) -> Connection:
        if self._connection is None:
            self._require_not_forked()
            if self._closed:
                raise DatabaseUnavailable(f"the database {self._safe_url} was closed")
            self._file.must_be_in_place()  # SQLite would create another file
            with limit_statements(wait_s):
                self._connection = self._engine.connect()
            self._logs_checked_at = 0.0
            self._busy_s = BUSY_TIMEOUT_S
            self._driver = keep_sqlite_driver(self._connection)
        connection = self._connection
        if wait_s != self._busy_s:
            execute_on_sqlite(connection, f"PRAGMA busy_timeout = {int(wait_s * 1000)}")
            self._busy_s = wait_s
        if immediate:
            execute_on_sqlite(connection, "BEGIN IMMEDIATE")
            self._check_locks()
        self._file.must_be_in_place()
        self._check_logs(immediate=immediate)
        return connection

    def _check_logs(self, *, immediate: bool) -> None:
        """Check that SQLite's log was not replaced: before each write, and now and then before a read."""
        at = time.monotonic()
        if immediate or at - self._logs_checked_at >= LOGS_CHECK_INTERVAL_S:
            self._file.logs_must_be_in_place()
            self._logs_checked_at = at

    def _commit(self, connection: Connection, *, immediate: bool) -> None:
        if immediate:
            _require_committable(connection)
        if connection.in_transaction():  # SQLAlchemy has executed a statement itself
            connection.commit()
        elif self._driver.in_transaction:
            call_driver(self._driver.commit)

    def _roll_back(self, *, keep_connection: bool) -> None:
        renew_if_forked()
        connection = self._connection
        if connection is None or self.forked_mid_transaction:
            return
        try:
            # Before it is closed: the error keeps a cursor alive, and with the cursor a closed connection its lock.
            connection.rollback()
            call_driver(self._driver.rollback)
        except SQLAlchemyError:
            keep_connection = False
        finally:
            if self._closed or not keep_connection:
                self.had_error = True
                self.drop()

    def _require_not_forked(self) -> None:
        if self.forked_mid_transaction:
            raise DatabaseUnavailable(
                f"this process was forked during a transaction at {self._safe_url}, and cannot use this database:"
                " fork before the transaction begins"
            )

    def drop(self) -> None:
        """Close the connection. The next transaction opens another."""
        renew_if_forked()
        if self.forked_mid_transaction:
            return
        connection, self._connection = self._connection, None
        if connection is not None:
            self._file.forget_logs()
            connection.close()

    def close(self) -> None:
        """Close the connection for good. A transaction of another thread may end first, if it does so in time."""
        self._closed = True
        if not self.is_mine and self.pause(BUSY_TIMEOUT_S):
            self.resume()

    def pause(self, timeout_s: float) -> bool:
        """Close the connection and keep threads from using it until `resume`.

        Returns:
            False if a transaction did not end within the time-out. Then nothing is done.
        """
        if not self._lock.acquire(timeout=max(0.0, timeout_s)):
            return False
        try:
            self.drop()
        except BaseException:
            self.resume()
            raise
        return True

    def resume(self) -> None:
        """Let threads use the database again."""
        self._lock.release()


def busy_wait_s(wait_s: float = BUSY_TIMEOUT_S) -> float:
    """Return how long a reader waits for another process that has locked an SQLite file, in seconds."""
    longest = longest_statement_s()
    return wait_s if longest is None else min(wait_s, longest)


_LOCK_TIMEOUT: Final = sa.text("SELECT set_config('lock_timeout', :milliseconds, true)")


@contextmanager
def pooled_transaction(engine: Engine, safe_url: str, *, wait_s: float = BUSY_TIMEOUT_S) -> Iterator[Connection]:
    """Give a connection from the engine's pool in a transaction.

    Args:
        engine: the database.
        safe_url: its URL without the password, for messages.
        wait_s: how long each statement waits for a lock, in seconds; from `BUSY_TIMEOUT_S` on, as the server is set.

    Raises:
        DatabaseUnavailable: if no connection can be made, a statement failed, or the commit failed.
    """
    with database_errors(safe_url), engine.connect() as connection:
        try:
            connection.begin()
            if wait_s < BUSY_TIMEOUT_S:  # zero would stand for no limit
                connection.execute(_LOCK_TIMEOUT, {"milliseconds": str(max(1, int(wait_s * 1000)))})
            yield connection
            renew_if_forked()
            _require_committable(connection)
            connection.commit()
        except BaseException:
            renew_if_forked()
            with suppress(SQLAlchemyError):  # it must not hide the first error
                connection.rollback()
            raise


def _require_committable(connection: Connection) -> None:
    """Check that there is still a transaction to commit, although a failed statement may have been ignored.

    Both drivers commit nothing and report no error: psycopg if the server has aborted the transaction, sqlite3 if
    SQLite has rolled it back.
    """
    if connection.invalidated:
        raise sa.exc.InvalidRequestError("the connection was lost before the commit")
    driver = sqlite_driver(connection)
    if driver is not None:
        try:
            committable = driver.in_transaction
        except sqlite3.Error:  # it was closed
            committable = False
    else:
        postgres: Any = connection.connection.dbapi_connection
        committable = postgres.pgconn.transaction_status != _IN_ERROR
    if not committable:
        raise sa.exc.InvalidRequestError("a statement failed, so the whole transaction was rolled back")
