"""A thread's turn at the database: a connection for the length of a ``with``, committed at its end or rolled back.

Classes and no generators, as a turn is taken several times for each call, and each layer of generators costs as much as
a short statement.
"""

from __future__ import annotations

import queue
import threading
import weakref
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from voucher_gateway.errors import DatabaseUnavailable, VoucherGatewayError
from voucher_gateway.fork_safety import is_forked, renew_if_forked
from voucher_gateway.storage.errors import unavailable
from voucher_gateway.storage.files import DatabaseFile
from voucher_gateway.storage.fork import track_sqlite, was_forked_mid_transaction
from voucher_gateway.storage.statement import execute

BUSY_TIMEOUT_S: Final = 10.0
"""How long a write waits for another process's write to an SQLite file."""

_FAILED: Final = 3  # libpq's PQTRANS_INERROR


class SharedConnection:
    """The one connection of this process to an SQLite file, which its threads use by turns.

    Left to SQLite's own waiting, the unluckiest of many threads waits for seconds.

    Args:
        engine: the file.
        shown: its URL, for messages.
        file: the file, asked before each turn whether it is still in its place.
        intact: makes sure that locks still mean something, or raises DatabaseUnavailable; asked before each write.

    Attributes:
        free: holds the right to use the connection, unless it is somebody's turn.
        thread: the thread whose turn it is, or 0.
        failed: whether a turn went wrong, whose error may keep a cursor alive, and with it a closed connection.
        torn: whether this is a copy in a child that was forked in the midst of a turn.
    """

    def __init__(self, engine: Engine, shown: str, file: DatabaseFile, intact: Callable[[], None]) -> None:
        self.path = engine.url.database or ""
        self.shown = shown
        self.file = file
        self.intact = intact
        self.free: queue.SimpleQueue[ConnectionToken] = queue.SimpleQueue()
        self.thread = 0
        self.failed = False
        self.torn = was_forked_mid_transaction(self.path)
        self.closed = False
        self._engine = engine
        self._kept: Connection | None = None
        self.free.put(ConnectionToken(self))
        track_sqlite(self)

    def __del__(self) -> None:
        # Left to the garbage collector, the connection would live on for a while, and into a fork.
        with suppress(Exception):
            if is_forked():
                track_sqlite(self)  # so that its connection is closed as the inherited ones are
            self.drop()

    @property
    def is_mine(self) -> bool:
        """Whether it is the calling thread's turn."""
        return self.thread == threading.get_ident()

    @property
    def is_connected(self) -> bool:
        """Whether there is a connection."""
        return self._kept is not None

    def connection(self) -> Connection:
        """Return the connection to whoever's turn it is."""
        if self._kept is None:
            self.must_be_usable()
            self.file.must_be_in_place()  # or SQLite would make another
            self._kept = self._engine.connect()
        return self._kept

    def must_be_usable(self) -> None:
        """Refuse what can no longer be used.

        Raises:
            DatabaseUnavailable: if it was closed, or cannot be used after a fork.
        """
        if self.torn:
            raise DatabaseUnavailable(
                f"this process was forked in the midst of a transaction at {self.shown}, and cannot use it"
            )
        if self.closed:
            raise DatabaseUnavailable(f"the database {self.shown} was closed")

    def drop(self) -> None:
        """Close the connection; the next turn makes another."""
        renew_if_forked()
        if self.torn:
            return
        kept, self._kept = self._kept, None
        if kept is not None:
            self.file.forget_logs()
            kept.invalidate()
            kept.close()

    def close(self) -> None:
        """Close the connection for good; what is under way may end first, if it does in time."""
        self.closed = True
        if self.is_mine:
            return
        with suppress(queue.Empty):
            right = self.free.get(timeout=BUSY_TIMEOUT_S)
            try:
                self.drop()
            finally:
                self.free.put(right)


class ConnectionToken:
    """The right to use the shared connection. There is one, which is handed around.

    It is no lock, as a Ctrl-C between two steps of the interpreter can make it forgotten that a lock was taken. What
    was taken out of the queue and is forgotten goes back by itself, and its turn is undone.

    Args:
        shared: the connection.
    """

    def __init__(self, shared: SharedConnection) -> None:
        self._shared = weakref.ref(shared)

    def __del__(self) -> None:
        shared = self._shared()
        if shared is None:
            return
        try:
            shared.drop()
        finally:
            shared.thread = 0
            shared.free.put(ConnectionToken(shared))


class SharedTransaction:
    """A turn at the shared connection.

    Args:
        shared: the connection.
        immediate: whether to hold SQLite's write lock from the begin on; otherwise no transaction is begun, so that a
            reader never waits for another process's writer.
    """

    def __init__(self, shared: SharedConnection, *, immediate: bool) -> None:
        self._shared = shared
        self._immediate = immediate
        self._right: ConnectionToken | None = None

    def __enter__(self) -> Connection:
        shared = self._shared
        trouble, entered = None, False
        try:
            self._right = shared.free.get(timeout=BUSY_TIMEOUT_S)
        except queue.Empty:
            raise DatabaseUnavailable(f"the database {shared.shown} is kept busy by the other threads") from None
        try:
            shared.thread = threading.get_ident()
            connection = self._connection = shared.connection()
            self._given: Any = connection.connection.dbapi_connection
            if self._immediate:
                execute(connection, "BEGIN IMMEDIATE")
                shared.intact()
            shared.file.must_be_in_place()
            shared.file.logs_must_be_in_place()
            entered = True
        except SQLAlchemyError as error:
            trouble = unavailable(error, shared.shown)
        else:
            return connection
        finally:
            if not entered:
                try:
                    self._end_it(as_before=False)
                finally:
                    self._right = None  # see __exit__
        raise trouble

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        shared = self._shared
        trouble, as_before = None, False
        try:
            renew_if_forked()
            if shared.torn:
                shared.must_be_usable()
            _end(self._connection, self._given, commit=error is None, begun=self._immediate)
            as_before = (error is None or isinstance(error, VoucherGatewayError)) and not shared.closed
        except SQLAlchemyError as failed:
            trouble = failed
        finally:
            try:
                self._end_it(as_before=as_before)
            finally:
                # What a Ctrl-C kept from being put back goes back now, and not when its traceback is forgotten.
                self._right = None
        _tell(error, trouble, shared.shown)

    def _end_it(self, *, as_before: bool) -> None:
        """Let others have their turn; the connection ends with this one, unless it is as good as it was before."""
        shared = self._shared
        try:
            if not as_before:
                shared.failed = True
                shared.drop()
        finally:
            shared.thread = 0
            if self._right is not None:
                shared.free.put(self._right)


class PooledTransaction:
    """A turn at a connection of its own from the engine's pool.

    Args:
        engine: the database.
        shown: its URL without the password, for messages.
    """

    def __init__(self, engine: Engine, shown: str) -> None:
        self._engine = engine
        self._shown = shown

    def __enter__(self) -> Connection:
        try:
            connection = self._connection = self._engine.connect()
            self._given: Any = connection.connection.dbapi_connection
        except SQLAlchemyError as error:
            trouble = unavailable(error, self._shown)
        else:
            return connection
        raise trouble

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        trouble = None
        try:
            try:
                renew_if_forked()
                _end(self._connection, self._given, commit=error is None, begun=False)
            finally:
                self._connection.close()  # what is not ended is rolled back there, or its connection thrown away
        except SQLAlchemyError as failed:
            trouble = failed
        _tell(error, trouble, self._shown)


def _tell(error: BaseException | None, trouble: SQLAlchemyError | None, shown: str) -> None:
    """Say what the database did not do: first in the turn, then at its end. Whatever else went wrong is not hidden."""
    if isinstance(error, SQLAlchemyError):
        trouble = error
    elif error is not None:
        return
    if trouble is not None:
        raise unavailable(trouble, shown) from None


def _end(connection: Connection, first: Any, *, commit: bool, begun: bool) -> None:
    """Commit or roll back. SQLAlchemy keeps a transaction of its own only for statements that it ran itself.

    Args:
        connection: the turn's.
        first: the driver's connection that the turn began with.
        commit: whether to commit.
        begun: whether SQLite was told to begin.

    Raises:
        SQLAlchemyError: if that did not happen, or there was nothing left to commit.
    """
    if commit:
        _must_be_whole(connection, first, begun=begun)
    if connection.in_transaction():
        connection.commit() if commit else connection.rollback()
        return
    if connection.invalidated:
        return
    given: Any = connection.connection.dbapi_connection
    dialect = connection.dialect
    try:
        # Rolled back by name: the error keeps the cursor alive, and with it a closed connection its lock.
        dialect.do_commit(given) if commit else dialect.do_rollback(given)
    except dialect.loaded_dbapi.Error as error:
        lost = dialect.is_disconnect(error, given, None)
        if lost:
            connection.invalidate(error)
        failed = DBAPIError.instance(
            None, None, error, dialect.loaded_dbapi.Error, connection_invalidated=lost, dialect=dialect
        )
    else:
        return
    raise failed


def _must_be_whole(connection: Connection, first: Any, *, begun: bool) -> None:
    """Refuse to commit what is no longer there, should the turn have gone on in spite of a failed statement.

    SQLAlchemy replaces a lost connection without a word, and both drivers commit nothing without a word: psycopg where
    the server has given the transaction up, sqlite3 where SQLite has rolled it back.
    """
    if connection.invalidated or connection.connection.dbapi_connection is not first:
        raise sa.exc.InvalidRequestError("the connection was lost before the commit")
    session = getattr(first, "pgconn", None)
    if (begun and not _in_transaction(connection, first)) or (session and session.transaction_status == _FAILED):
        raise sa.exc.InvalidRequestError("a statement failed, and with it all that was to be committed")


def _in_transaction(connection: Connection, first: Any) -> bool:
    try:
        return bool(first.in_transaction)
    except connection.dialect.loaded_dbapi.Error:  # closed
        return False
