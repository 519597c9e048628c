"""One database for all threads of a process: SQLite in a file, or PostgreSQL."""

from __future__ import annotations

import random
import sqlite3
import time
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.pool import ConnectionPoolEntry

from voucher_gateway.errors import ConfigurationError, DatabaseUnavailable
from voucher_gateway.fork_safety import register, renew_if_forked
from voucher_gateway.storage.connections import BUSY_TIMEOUT_S, PooledTransaction, SharedConnection, SharedTransaction
from voucher_gateway.storage.errors import database_errors
from voucher_gateway.storage.files import DatabaseFile
from voucher_gateway.storage.fork import track_session
from voucher_gateway.storage.locks import AdvisoryLocks, FileLocks, Locks
from voucher_gateway.storage.schema_upgrade import Schema, upgrade_schema
from voucher_gateway.storage.urls import normalize, safe_text
from voucher_gateway.tracebacks import hide_init_arguments

_IDLE_S: Final = 5.0


@hide_init_arguments  # the URL may hold a password
class Database:
    """A migrated database. It starts anew by itself after a fork.

    Args:
        url: ``sqlite:///PATH`` or ``postgresql://...``; psycopg 3 is the driver.
        schema: the tables that are to be there; those of other subjects are left alone.

    Attributes:
        shown: what names it in messages, without any secret.
        is_sqlite: whether this is SQLite.

    Raises:
        ConfigurationError: if the URL is none of these, or the driver is missing.
        DatabaseUnavailable: if it cannot be opened or brought to the present schema.
    """

    def __init__(self, url: str, schema: Schema) -> None:
        renew_if_forked()  # SQLite must not open a file while it believes in locks of the parent process
        self._url = normalize(url, schema.subject)
        self.is_sqlite = self._url.get_backend_name() == "sqlite"
        self.shown = safe_text(self._url)
        self._file: DatabaseFile | None = None
        self._open()
        try:
            with database_errors(self.shown):
                upgrade_schema(schema, self.write, self.locks)
        except BaseException:
            self.close()
            raise
        register(self)

    @property
    def path(self) -> Path | None:
        """The SQLite file; None for PostgreSQL."""
        return Path(self._url.database) if self.is_sqlite and self._url.database else None

    @property
    def locks(self) -> Locks:
        """The locks of this process there."""
        renew_if_forked()
        return self._locks

    def _open(self) -> None:
        self._closed = False
        if self.is_sqlite:
            self._engine = _sqlite_engine(self._url)
            # Once for this object and its copies in children: it never goes on with another file.
            self._file = self._file or DatabaseFile(self._url.database or "")
            locks = FileLocks.at(Path(f"{self._url.database}.locks"))
            self._locks: Locks = locks
            self._shared = SharedConnection(self._engine, self.shown, self._file, locks.check_lock_file)
        else:
            self._engine = _postgres_engine(self._url)
            self._reader = self._engine.execution_options(isolation_level="AUTOCOMMIT")
            self._locks = AdvisoryLocks(self._engine, self.shown)

    def write(self) -> AbstractContextManager[Connection]:
        """Give a connection in a transaction that is committed at the end.

        In SQLite it holds the write lock from its begin on, and one thread of the process uses the file at a time.
        """
        renew_if_forked()
        return (
            SharedTransaction(self._shared, immediate=True)
            if self.is_sqlite
            else PooledTransaction(self._engine, self.shown)
        )

    def read(self) -> AbstractContextManager[Connection]:
        """Give a connection for reading. Each statement sees all that was committed before it."""
        renew_if_forked()
        return (
            SharedTransaction(self._shared, immediate=False)
            if self.is_sqlite
            else PooledTransaction(self._reader, self.shown)
        )

    def close(self) -> None:
        """Close all connections and give up the locks; in SQLite, when the turn that is under way has ended."""
        renew_if_forked()
        if self._closed:
            return
        self._closed = True
        if self.is_sqlite:
            self._shared.close()
        self._engine.dispose()
        self._locks.close()

    def renew_after_fork(self) -> None:
        """Open connections and locks of this process's own."""
        self._engine.dispose(close=False)
        if not self._closed:
            self._open()


def _sqlite_engine(url: sa.URL) -> Engine:
    path = Path(url.database or "")
    if not path.parent.is_dir():
        raise DatabaseUnavailable(f"the folder of the database {path} does not exist")
    engine = sa.create_engine(
        url,
        connect_args={"timeout": BUSY_TIMEOUT_S, "check_same_thread": False},
        poolclass=sa.pool.QueuePool,
        pool_size=1,
        max_overflow=4,
    )

    @sa.event.listens_for(engine, "connect")
    def _prepare(connection: Any, _: Any) -> None:
        # The driver's own transactions begin too late (DEFERRED); `Database.write` begins ours.
        connection.isolation_level = None
        _enable_wal(connection)
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")

    return engine


def _enable_wal(connection: sqlite3.Connection) -> None:
    """Switch to the write-ahead log, which the file then remembers.

    When several processes do so at once for a new file, SQLite tells the losers at once that it is locked, without
    the usual waiting.
    """
    patience = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() >= patience:
                raise
        else:
            return
        time.sleep(random.uniform(0.005, 0.05))  # noqa: S311 - no secret


def _postgres_engine(url: sa.URL) -> Engine:
    try:
        # Said in so many words: whatever the server's default is, a statement must see what was committed before it.
        engine = sa.create_engine(url, pool_size=16, max_overflow=16, pool_timeout=30, isolation_level="READ COMMITTED")
    except ModuleNotFoundError:
        raise ConfigurationError("PostgreSQL needs the driver: pip install 'voucher-gateway[postgres]'") from None

    @sa.event.listens_for(engine, "connect")
    def _track_new_connection(connection: Any, _: Any) -> None:
        track_session(connection)

    @sa.event.listens_for(engine, "checkin")
    def _put_back(_: Any, record: ConnectionPoolEntry) -> None:
        record.info["idle_since"] = time.monotonic()

    @sa.event.listens_for(engine, "checkout")
    def _ping_if_idle(connection: Any, record: ConnectionPoolEntry, _: Any) -> None:
        # Asking before each use would cost as much as a statement; what was used a moment ago is taken as it is.
        if time.monotonic() - record.info.get("idle_since", time.monotonic()) > _IDLE_S:
            _ping(engine, connection)

    return engine


def _ping(engine: Engine, connection: Any) -> None:
    """Make sure that a connection still lives.

    Raises:
        DisconnectionError: if it does not; the pool then makes another.
    """
    try:
        lives = engine.dialect.do_ping(connection)
    except engine.dialect.loaded_dbapi.Error:
        lives = False
    if not lives:
        raise sa.exc.DisconnectionError
