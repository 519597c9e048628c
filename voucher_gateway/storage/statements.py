"""Statements that are executed often, at the price of the driver alone where the database is SQLite.

SQLAlchemy takes 20 to 40 microseconds to execute a statement that it compiled before, several times as long as SQLite
itself. A changing call executes about ten statements. Beside the way to a PostgreSQL server this does not count.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs
import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.sql.compiler import SQLCompiler


def without_index(column: sa.Column[Any]) -> sa.ColumnElement[Any]:
    """Return the text of a column for a condition that must not choose the column's index.

    SQLite keeps no statistics of our tables. It may take the index of a column of few values, such as a state, where
    the index of another condition leaves fewer rows.
    """
    text: sa.ColumnElement[Any] = column.concat(sa.literal_column("''"))
    return text


class PreparedStatement:
    """A statement that is compiled once for SQLite, and given to its driver directly. Other databases use SQLAlchemy.

    Args:
        clause: with a `sqlalchemy.bindparam` for each value that differs between executions. An insert takes the
            columns of its first execution. It must not have `in_`, which SQLAlchemy writes out at each execution only:
            use `sa.or_`.
    """

    def __init__(self, clause: sa.Select[Any] | sa.Insert | sa.Update | sa.Delete) -> None:
        self._clause = clause
        self._sqlite: _SqliteText | None = None
        self._converters: Mapping[str, Callable[[Any], Any]] = {}

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
        named_rows = [dict(zip(names, row, strict=True)) for row in rows]
        for name, convert in self._converters.items():
            for row in named_rows:
                row[name] = convert(row[name])
        return named_rows

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
            self._converters = _find_converters(self._clause, connection.dialect)
            self._sqlite = _SqliteText.of(compiled)
        return execute_on_sqlite(connection, self._sqlite.text, self._sqlite.values(parameters))


def _find_converters(clause: sa.Select[Any] | sa.Insert | sa.Update | sa.Delete, dialect: sa.Dialect) -> dict[str, Any]:
    """Return what makes the values of a statement's columns of what the driver gives: SQLite has no Booleans."""
    converters = {
        str(column.key): column.type.dialect_impl(dialect).result_processor(dialect, None)
        for column in clause.exported_columns
    }
    return {name: convert for name, convert in converters.items() if convert is not None}


@attrs.frozen
class _SqliteText:
    """The text of a statement in SQLite, and the order of its values.

    Attributes:
        text: with a question mark for each value.
        order: the names of the values.
        constants: the values that the statement itself holds.
        names: the names of the other values.
    """

    text: str
    order: Sequence[str]
    constants: Mapping[str, Any]
    names: frozenset[str]

    @classmethod
    def of(cls, compiled: SQLCompiler) -> _SqliteText:
        """Return the text of a statement that SQLAlchemy compiled."""
        if any(bind.expanding for bind in compiled.binds.values()):
            raise ValueError("a PreparedStatement must not have in_(...): use sa.or_(...)")
        constants = {name: bind.value for name, bind in compiled.binds.items() if not bind.required}
        order = compiled.positiontup or ()
        return cls(str(compiled), order, constants, frozenset(order) - constants.keys())

    def values(self, parameters: Mapping[str, Any]) -> list[Any]:
        """Return the values in the order of the question marks.

        Raises:
            ValueError: if a value is missing, or has no place: an insert would silently leave it out.
        """
        if parameters.keys() != self.names:
            raise ValueError(f"the statement has the values {sorted(self.names)}, not {sorted(parameters)}")
        values = {**self.constants, **parameters} if self.constants else parameters
        return [values[name] for name in self.order]


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
