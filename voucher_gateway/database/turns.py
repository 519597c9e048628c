"""A thread's turn at the database: a connection for the length of a ``with``, committed at its end or rolled back.

Classes and no generators, as a turn is taken several times for each call, and each layer of generators costs as much as
a short statement.
"""

from __future__ import annotations

import threading
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from voucher_gateway.database.errors import unavailable
from voucher_gateway.database.statement import execute
from voucher_gateway.errors import DatabaseUnavailable, VoucherGatewayError

BUSY_TIMEOUT_S: Final = 10.0
"""How long a write waits for another process's write to an SQLite file."""


class Shared:
    """The one connection of this process to an SQLite file, which its threads use by turns.

    Left to SQLite's own waiting, the unluckiest of many threads waits for seconds.

    Args:
        engine: the file.
        shown: its URL, for messages.
    """

    def __init__(self, engine: Engine, shown: str) -> None:
        self.shown = shown
        self.free = threading.Lock()
        self._engine = engine
        self._kept: Connection | None = None

    def connection(self) -> Connection:
        """Return the connection to whoever's turn it is."""
        if self._kept is None:
            self._kept = self._engine.connect()
        return self._kept

    def drop(self) -> None:
        """Close the connection; the next turn makes another."""
        kept, self._kept = self._kept, None
        if kept is not None:
            kept.invalidate()
            kept.close()


class SharedTurn:
    """A turn at the shared connection.

    Args:
        shared: the connection.
        immediate: whether to hold SQLite's write lock from the begin on; otherwise no transaction is begun, so that a
            reader never waits for another process's writer.
    """

    def __init__(self, shared: Shared, *, immediate: bool) -> None:
        self._shared = shared
        self._immediate = immediate

    def __enter__(self) -> Connection:
        shared = self._shared
        if not shared.free.acquire(timeout=BUSY_TIMEOUT_S):
            raise DatabaseUnavailable(f"the database {shared.shown} is kept busy by the other threads")
        try:
            connection = self._connection = shared.connection()
            if self._immediate:
                execute(connection, "BEGIN IMMEDIATE")
        except SQLAlchemyError as error:
            trouble = unavailable(error, shared.shown)
        except BaseException:
            self._give_up()
            raise
        else:
            return connection
        self._give_up()
        raise trouble

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        shared = self._shared
        trouble = unavailable(error, shared.shown) if isinstance(error, SQLAlchemyError) else None
        try:
            _end(self._connection, commit=error is None)
        except SQLAlchemyError as failed:
            trouble = trouble or unavailable(failed, shared.shown)
        except BaseException:
            self._give_up()
            raise
        if trouble is None and (error is None or isinstance(error, VoucherGatewayError)):
            shared.free.release()  # ours: the connection is as good as it was
            return
        self._give_up()
        if trouble is not None:
            raise trouble from None

    def _give_up(self) -> None:
        """End the turn, and with it the connection."""
        try:
            self._shared.drop()
        finally:
            self._shared.free.release()


class PooledTurn:
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
        except SQLAlchemyError as error:
            trouble = unavailable(error, self._shown)
        else:
            return connection
        raise trouble

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        trouble = unavailable(error, self._shown) if isinstance(error, SQLAlchemyError) else None
        try:
            try:
                _end(self._connection, commit=error is None)
            finally:
                self._connection.close()  # what is not ended is rolled back there, or its connection thrown away
        except SQLAlchemyError as failed:
            trouble = trouble or unavailable(failed, self._shown)
        if trouble is not None:
            raise trouble from None


def _end(connection: Connection, *, commit: bool) -> None:
    """Commit or roll back. SQLAlchemy keeps a transaction of its own only for statements that it ran itself."""
    if connection.in_transaction():
        connection.commit() if commit else connection.rollback()
        return
    if connection.invalidated:
        if commit:
            raise sa.exc.InvalidRequestError("the connection was lost before the commit")
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
