"""Statements that are executed often, at the price of the driver alone where the database is SQLite.

SQLAlchemy takes 20 to 40 microseconds to execute a statement that it compiled before, several times as long as SQLite
itself. A changing call executes about ten statements. Beside the way to a PostgreSQL server this does not count.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

import attrs
import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.sql.compiler import SQLCompiler


class PreparedStatement:
    """A statement that is compiled once for SQLite, and given to its driver directly. Other databases use SQLAlchemy.

    On SQLite the values of a row are those of the driver: a Boolean is 0 or 1.

    Args:
        clause: with a `sqlalchemy.bindparam` for each value that differs between executions. An insert takes the
            columns of its first execution. It must not have `in_`, which SQLAlchemy writes out at each execution only:
            use `sa.or_`.
    """

    def __init__(self, clause: sa.Select[Any] | sa.Insert | sa.Update | sa.Delete) -> None:
        self._clause = clause
        self._sqlite: _SqliteText | None = None

    def first_row(self, connection: Connection, parameters: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Execute the statement, and return its first row by the names of the columns; None if it has none."""
        if connection.dialect.name != "sqlite":
            row: Any = connection.execute(self._clause, parameters).mappings().first()
            return None if row is None else dict(row)
        rows = self.all_rows(connection, parameters)
        return rows[0] if rows else None

    def all_rows(self, connection: Connection, parameters: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        """Execute the statement, and return its rows by the names of the columns."""
        if connection.dialect.name != "sqlite":
            return [dict(row) for row in connection.execute(self._clause, parameters).mappings()]
        cursor, rows = self._execute_on_sqlite(connection, parameters)
        if not rows:
            return ()
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in rows]

    def execute(self, connection: Connection, parameters: Mapping[str, Any]) -> int:
        """Execute a statement, and return how many rows it updated or deleted; of an insert the number is not known."""
        if connection.dialect.name != "sqlite":
            return connection.execute(self._clause, parameters).rowcount
        cursor, _ = self._execute_on_sqlite(connection, parameters)
        return cursor.rowcount

    def _execute_on_sqlite(
        self, connection: Connection, parameters: Mapping[str, Any]
    ) -> tuple[sqlite3.Cursor, list[Any]]:
        if self._sqlite is None:
            compiled: Any = self._clause.compile(dialect=connection.dialect, column_keys=list(parameters))
            self._sqlite = _SqliteText.of(compiled)
        return execute_on_sqlite(connection, self._sqlite.text, self._sqlite.values(parameters))


@attrs.frozen
class _SqliteText:
    """The text of a statement in SQLite, and the order of its values.

    Attributes:
        text: with a question mark for each value.
        order: the names of the values.
        constants: the values that the statement itself holds.
    """

    text: str
    order: Sequence[str]
    constants: Mapping[str, Any]

    @classmethod
    def of(cls, compiled: SQLCompiler) -> _SqliteText:
        """Return the text of a statement that SQLAlchemy compiled."""
        if any(bind.expanding for bind in compiled.binds.values()):
            raise ValueError("a PreparedStatement must not have in_(...): use sa.or_(...)")
        constants = {name: bind.value for name, bind in compiled.binds.items() if not bind.required}
        return cls(str(compiled), compiled.positiontup or (), constants)

    def values(self, parameters: Mapping[str, Any]) -> list[Any]:
        """Return the values in the order of the question marks."""
        named = {**self.constants, **parameters} if self.constants else parameters
        return [named[name] for name in self.order]


def execute_on_sqlite(
    connection: Connection, text: str, values: Sequence[Any] = ()
) -> tuple[sqlite3.Cursor, list[Any]]:
    """Execute SQL by SQLite's driver, and return the finished cursor and all rows.

    Raises:
        DBAPIError: for each error of the driver, as SQLAlchemy raises it.
    """
    driver: Any = connection.connection.dbapi_connection
    try:
        cursor = driver.execute(text, values)
        return cursor, cursor.fetchall()
    except sqlite3.Error as error:
        raise sa.exc.DBAPIError.instance(None, None, error, sqlite3.Error) from error
