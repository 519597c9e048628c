"""One database for all threads of a process: SQLite in a file, or PostgreSQL."""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine, make_url
from sqlalchemy.pool import ConnectionPoolEntry

from voucher_gateway.errors import ConfigurationError, DatabaseUnavailable
from voucher_gateway.limits.work_class import WorkClass, use_work_class
from voucher_gateway.masking import hide_init_arguments
from voucher_gateway.process.fork_safety import register, renew_if_forked
from voucher_gateway.process.loggers import get_logger
from voucher_gateway.storage.connections import (
    BUSY_TIMEOUT_S,
    SharedConnection,
    busy_wait_s,
    database_errors,
    pooled_transaction,
)
from voucher_gateway.storage.files import DatabaseFile
from voucher_gateway.storage.fork import track_session
from voucher_gateway.storage.locks import AdvisoryLocks, FileLocks, Locks
from voucher_gateway.storage.schema_upgrade import Schema, read_oldest_writers, require_writer, upgrade_schema
from voucher_gateway.storage.statements import execute_on_sqlite
from voucher_gateway.storage.waits import SHORTEST_WAIT_S, limit_statements

log: Final = get_logger("voucher_gateway.storage")

Upgrades: TypeAlias = Literal["additive", "all", "none"]
"""Which upgrades of tables are made when a database is opened."""

_IDLE_S: Final = 5.0
_BATCH: Final = 1000
_CHECKPOINT_PAGES: Final = 4000
"""So many pages (16 MB) may SQLite's log have before they are written into the file: most pages change often."""


@hide_init_arguments  # the URL may hold a password
class Database:
    """A database with the tables of one schema or several. It is usable in a forked child, too.

    Args:
        url: ``sqlite:///PATH`` or ``postgresql://...``; psycopg 3 is the driver.
        schema: the first tables to create or upgrade; see `add_schema`. Tables of other schemas are left alone.
        upgrade: which upgrades are made: ``additive`` ones, ``all``, or ``none``, so that the tables stay as they are.

    Attributes:
        safe_url: the URL without any secret, for messages.
        is_sqlite: whether this is SQLite.

    Raises:
        ConfigurationError: if the URL is neither of these, or the driver is missing.
        DatabaseUnavailable: if it cannot be opened, or its tables cannot be created or upgraded.
    """

    def __init__(self, url: str, schema: Schema, *, upgrade: Upgrades = "additive") -> None:
        renew_if_forked()  # SQLite must not open a file while it believes it holds locks of the parent process
        self._url = normalize(url, schema.subject)
        self.is_sqlite = self._url.get_backend_name() == "sqlite"
        self.safe_url = safe_text(self._url)
        self._file: DatabaseFile | None = None
        self._open()
        self._upgrade = upgrade
        self._heads: dict[str, str] = {}
        try:
            self.add_schema(schema)
        except BaseException:
            self.close()
            raise
        register(self)

    def add_schema(self, schema: Schema) -> None:
        """Create or upgrade the tables of a schema, if this object has not done that yet.

        A forked child knows what its parent has done. Threads may call it at the same time.

        Raises:
            ConfigurationError: if the database was written by a later version of this library.
            DatabaseUnavailable: if the tables cannot be created or upgraded.
        """
        if schema.subject in self._heads:
            return
        if self._upgrade != "none":
            with database_errors(self.safe_url):
                upgrade_schema(schema, self.read, self.write, self.locks, additive_only=self._upgrade != "all")
        self._heads[schema.subject] = schema.head

    def require_writer(self, connection: Connection, oldest_writers: Mapping[str, str] | None = None) -> None:
        """Check that no later version of this library has changed the tables so that this process cannot write.

        Args:
            connection: in a transaction, after it has written to the tables.
            oldest_writers: by subject, the oldest revision whose code may write, as this transaction has read it. In
                PostgreSQL it is read again, as an upgrade of a table that was not written to by then may have ended.

        Raises:
            DatabaseUnavailable: if one has.
        """
        if oldest_writers is None or not self.is_sqlite:
            oldest_writers = read_oldest_writers(connection)
        require_writer(oldest_writers, self._heads)

    @property
    def path(self) -> Path | None:
        """The SQLite file; None for PostgreSQL."""
        return Path(self._url.database) if self.is_sqlite and self._url.database else None

    @property
    def locks(self) -> Locks:
        """The locks of this process in the database."""
        renew_if_forked()
        return self._locks

    def _open(self) -> None:
        self._closed = False
        if self.is_sqlite:
            self._engine = _sqlite_engine(self._url)
            # Made once for this object and its copies in children: it never continues with another file.
            self._file = self._file or DatabaseFile(self._url.database or "")
            locks = FileLocks.open_shared(Path(f"{self._url.database}.locks"))
            self._locks: Locks = locks
            self._shared = SharedConnection(self._engine, self.safe_url, self._file, locks.check_lock_file)
        else:
            self._engine = _postgres_engine(self._url)
            self._reader = self._engine.execution_options(isolation_level="AUTOCOMMIT")
            self._locks = AdvisoryLocks(self._engine, self.safe_url)

    def write(self, *, wait_s: float = BUSY_TIMEOUT_S) -> AbstractContextManager[Connection]:
        """Give a connection in a transaction that is committed at the end.

        In SQLite the transaction holds the write lock from its begin on, and one thread of the process uses the file
        at a time.

        Args:
            wait_s: how long it waits for others, in seconds. In PostgreSQL each lock waits that long; by default it
                waits as the server is set.

        Raises:
            DatabaseUnavailable: if the transaction cannot begin, a statement failed, or the commit failed.
        """
        renew_if_forked()
        if self.is_sqlite:
            return self._shared.transaction(immediate=True, wait_s=wait_s)
        return pooled_transaction(self._engine, self.safe_url, wait_s=wait_s)

    def read(self, *, wait_s: float = BUSY_TIMEOUT_S) -> AbstractContextManager[Connection]:
        """Give a connection for reading. Each statement sees everything that was committed before it.

        Args:
            wait_s: how long it waits for other threads on an SQLite file, in seconds.

        Raises:
            DatabaseUnavailable: if the database cannot be reached, or a statement failed.
        """
        renew_if_forked()
        if self.is_sqlite:
            return self._shared.transaction(immediate=False, wait_s=wait_s)
        return pooled_transaction(self._reader, self.safe_url)

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """Give a connection for reading, all of whose statements see the database as it is at the first of them.

        In SQLite the other threads of the process wait until the end: read a batch, not all.

        Raises:
            DatabaseUnavailable: if the database cannot be reached, or a statement failed.
        """
        renew_if_forked()
        if self.is_sqlite:
            with self._shared.transaction(immediate=False) as connection:
                execute_on_sqlite(connection, "BEGIN")
                yield connection
        else:
            with pooled_transaction(self._engine, self.safe_url) as connection:
                connection.execute(sa.text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
                yield connection

    def statements(self, *, wait_s: float = BUSY_TIMEOUT_S) -> AbstractContextManager[Connection]:
        """Give a connection for single statements that change rows, each of which stands for itself.

        In PostgreSQL each statement is committed by the server as it ends: no lock outlives it, also if this process is
        frozen. In SQLite it is a transaction, as by `write`.

        Args:
            wait_s: how long it waits for others on an SQLite file, in seconds.

        Raises:
            DatabaseUnavailable: if the database cannot be reached, or a statement failed.
        """
        renew_if_forked()
        if self.is_sqlite:
            return self._shared.transaction(immediate=True, wait_s=wait_s)
        return pooled_transaction(self._reader, self.safe_url)

    def iterate_rows(
        self, query: sa.Select[Any], key: sa.Column[Any], *, batch: int = _BATCH, descending: bool = False
    ) -> Iterator[Mapping[str, Any]]:
        """Yield the rows of a query in the order of a unique column.

        No transaction stays open between two batches, so the caller may write or ask a vendor while it iterates.

        Args:
            query: without an order and a limit.
            key: a column of the query, unique among its rows.
            batch: how many rows are read at a time.
            descending: whether the order is descending.

        Raises:
            DatabaseUnavailable: if the database cannot be reached, or a statement failed.
        """
        first = query.order_by(key.desc() if descending else key).limit(batch)
        following = first.where(key < sa.bindparam("after") if descending else key > sa.bindparam("after"))
        parameters: dict[str, Any] = {}
        while True:
            with use_work_class(WorkClass.RECONCILE), self.read() as connection:
                result = connection.execute(following if parameters else first, parameters)
                rows = [dict(row) for row in result.mappings()]
            yield from rows
            if len(rows) < batch:
                return
            parameters = {"after": rows[-1][key.name]}

    def close(self) -> None:
        """Close all connections and free the locks. In SQLite a transaction of another thread may end first."""
        renew_if_forked()
        if self._closed:
            return
        self._closed = True
        if self.is_sqlite:
            self._shared.close()
        self._engine.dispose()
        self._locks.close()

    def renew_after_fork(self) -> None:
        """Open connections and locks for this process."""
        self._engine.dispose(close=False)
        if not self._closed:
            self._open()


def _sqlite_engine(url: sa.URL) -> Engine:
    path = Path(url.database or "")
    if not path.parent.is_dir():
        raise DatabaseUnavailable(f"the folder of the database {path} does not exist: create it")
    engine = sa.create_engine(
        url,
        connect_args={"timeout": BUSY_TIMEOUT_S, "check_same_thread": False},
        poolclass=sa.pool.NullPool,
        hide_parameters=True,
    )

    @sa.event.listens_for(engine, "connect")
    def _configure(connection: Any, _: Any) -> None:
        # The driver's own transactions are DEFERRED: they take the write lock too late.
        connection.isolation_level = None
        wait_s = busy_wait_s(BUSY_TIMEOUT_S)
        connection.execute(f"PRAGMA busy_timeout={int(wait_s * 1000)}")
        _enable_wal(connection, wait_s)
        connection.execute(f"PRAGMA busy_timeout={int(BUSY_TIMEOUT_S * 1000)}")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute(f"PRAGMA wal_autocheckpoint={_CHECKPOINT_PAGES}")
        connection.execute("PRAGMA foreign_keys=ON")

    @sa.event.listens_for(engine, "handle_error")
    def _keep_for_rollback(context: sa.engine.ExceptionContext) -> None:
        # On Ctrl-C SQLAlchemy would close the connection without a rollback. The traceback keeps the cursor alive, and
        # the cursor keeps the write lock. `SharedConnection` rolls back and then closes it.
        context.is_disconnect = False

    return engine


def _enable_wal(connection: sqlite3.Connection, wait_s: float) -> None:
    """Switch to the write-ahead log, a setting that the file keeps.

    If several processes switch a new file at the same time, SQLite reports a lock to the losers at once, without the
    usual waiting.
    """
    deadline = time.monotonic() + wait_s
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() >= deadline:
                raise
        else:
            return
        time.sleep(random.uniform(0.005, 0.05))  # noqa: S311 - no secret


def _postgres_engine(url: sa.URL) -> Engine:
    try:
        from voucher_gateway.storage.postgres_waits import BoundedPool, connect

        # Explicit, whatever the server's default is: a statement must see what was committed before it.
        engine = sa.create_engine(
            url,
            pool_size=16,
            max_overflow=16,
            poolclass=BoundedPool,
            isolation_level="READ COMMITTED",
            hide_parameters=True,
        )
    except ModuleNotFoundError:
        raise ConfigurationError("PostgreSQL needs the driver: pip install 'voucher-gateway[postgres]'") from None

    @sa.event.listens_for(engine, "do_connect")
    def _connect(_: Any, __: Any, arguments: Any, options: dict[str, Any]) -> Any:
        return connect(*arguments, **options)

    @sa.event.listens_for(engine, "connect")
    def _track_new_connection(connection: Any, _: Any) -> None:
        track_session(connection)

    @sa.event.listens_for(engine, "checkin")
    def _note_idle_since(_: Any, record: ConnectionPoolEntry) -> None:
        record.info["idle_since"] = time.monotonic()

    @sa.event.listens_for(engine, "checkout")
    def _ping_if_idle(connection: Any, record: ConnectionPoolEntry, _: Any) -> None:
        # A ping before each use would cost as much as a statement. A connection that was just used is not tested.
        if time.monotonic() - record.info.get("idle_since", time.monotonic()) > _IDLE_S:
            _ping(engine, connection)

    return engine


def _ping(engine: Engine, connection: Any) -> None:
    """Check that a connection still works.

    Raises:
        DisconnectionError: if it does not. The pool then opens another.
    """
    try:
        with limit_statements(SHORTEST_WAIT_S):
            works = engine.dialect.do_ping(connection)
    except engine.dialect.loaded_dbapi.Error:
        works = False
    if not works:
        log.info("an idle connection to %s was lost: another one is opened", safe_text(engine.url))
        raise sa.exc.DisconnectionError


# --- URLs ---

_PLACE = ("host", "port")


def normalize(url: str, subject: str) -> sa.URL:
    """Return a database's URL with the driver that is used here.

    Args:
        url: as it was given.
        subject: names it in messages.

    Raises:
        ConfigurationError: if it is not a URL of a database that keeps data.
    """
    try:
        parsed = make_url(url)
        backend = parsed.get_backend_name()
    except (sa.exc.ArgumentError, ValueError):
        raise ConfigurationError(f"{subject} must be a database URL, such as sqlite:///voucher-gateway.db") from None
    if backend == "sqlite":
        if not parsed.database or parsed.database == ":memory:":
            raise ConfigurationError(f"{subject} must be a file: a database in memory is lost when the process ends")
        if parsed.database.startswith("file:"):
            raise ConfigurationError(f"{subject} must name an SQLite file by its path, not by a file: URI")
        # One file has one name from here on: the locks and the key beside it go by that name, and a process may
        # change its working directory.
        return parsed.set(drivername="sqlite+pysqlite", database=str(Path(parsed.database).resolve()))
    if backend in ("postgresql", "postgres"):
        if "@" in f"{parsed.host}{parsed.database}":  # the tail of a password, which messages would show
            raise ConfigurationError(
                f"{subject} has an @ that does not end the password: write those in the password as %40, and / as %2F"
            )
        return parsed.set(drivername="postgresql+psycopg")
    raise ConfigurationError(f"{subject} must be at an sqlite: or postgresql: URL")


def safe_text(url: sa.URL) -> str:
    """Return the URL for messages: host, port and database. The other parts may hold a secret."""
    place = {name: url.query[name] for name in _PLACE if name in url.query}
    return sa.URL.create(
        url.drivername, host=url.host, port=url.port, database=url.database, query=place
    ).render_as_string()
