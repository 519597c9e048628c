"""Statements that are executed often, at the price of the driver alone where the database is SQLite.

SQLAlchemy takes 20 to 40 microseconds to execute a statement that it compiled before, several times as long as SQLite
itself. A changing call executes about ten statements. Beside the way to a PostgreSQL server this does not count.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any, Final, TypeAlias

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


_Clause: TypeAlias = sa.Select[Any] | sa.CompoundSelect[Any] | sa.Insert | sa.Update | sa.Delete


class PreparedStatement:
    """A statement that is compiled once for SQLite, and given to its driver directly. Other databases use SQLAlchemy.

    Args:
        clause: with a `sqlalchemy.bindparam` for each value that differs between executions. An insert takes the
            columns of its first execution. It must not have `in_`, which SQLAlchemy writes out at each execution only:
            use `sa.or_`.
    """

    def __init__(self, clause: _Clause) -> None:
        self._clause = clause
        self._sqlite: _SqliteText | None = None
        self._columns: Sequence[str] = ()
        self._converters: Mapping[str, Callable[[Any], Any]] = {}

    def first_row(self, connection: Connection, parameters: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Execute the statement, and return its first row by the names of the columns; None if it has none."""
        executed = self._execute_on_sqlite(connection, parameters)
        if executed is None:
            row: Any = connection.execute(self._clause, parameters).mappings().first()
            return None if row is None else dict(row)
        _, rows = executed
        return self._by_column(rows[0]) if rows else None

    def all_rows(self, connection: Connection, parameters: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        """Execute the statement, and return its rows by the names of the columns."""
        executed = self._execute_on_sqlite(connection, parameters)
        if executed is None:
            return [dict(row) for row in connection.execute(self._clause, parameters).mappings()]
        _, rows = executed
        return [self._by_column(row) for row in rows] if rows else ()

    def tuples(self, connection: Connection, parameters: Mapping[str, Any]) -> Sequence[tuple[Any, ...]]:
        """Execute the statement, and return its rows. Use it only for texts and numbers, which no database converts."""
        executed = self._execute_on_sqlite(connection, parameters)
        if executed is None:
            return [tuple(row) for row in connection.execute(self._clause, parameters)]
        return executed[1]

    def execute(self, connection: Connection, parameters: Mapping[str, Any]) -> int:
        """Execute a statement, and return how many rows it updated or deleted; of an insert the number is not known."""
        executed = self._execute_on_sqlite(connection, parameters)
        return connection.execute(self._clause, parameters).rowcount if executed is None else executed[0].rowcount

    def _execute_on_sqlite(
        self, connection: Connection, parameters: Mapping[str, Any]
    ) -> tuple[sqlite3.Cursor, list[Any]] | None:
        """Execute the statement by SQLite's driver, and return the cursor and all rows; None for another database.

        Raises:
            ValueError: if a value is missing, or has no place: an insert would silently leave it out.
        """
        driver = getattr(connection, _DRIVER, None) or sqlite_driver(connection)
        if driver is None:
            return None
        text = self._sqlite
        if text is None:
            compiled: Any = self._clause.compile(dialect=connection.dialect, column_keys=list(parameters))
            self._converters = _find_converters(self._clause, connection.dialect)
            text = self._sqlite = _SqliteText.of(compiled)
        # As many values as there must be, and none missing: so none is left over. To compare the names takes longer.
        try:
            values = text.order(parameters) if len(parameters) == text.count else None
        except KeyError:
            values = None
        if values is None:
            raise ValueError(f"the statement has the values {sorted(text.names)}, not {sorted(parameters)}")
        try:
            cursor = driver.execute(text.text, values)
            rows = cursor.fetchall()
        except sqlite3.Error as error:
            raise sa.exc.DBAPIError.instance(None, None, error, sqlite3.Error) from error
        if rows and not self._columns:
            self._columns = [column[0] for column in cursor.description]
        return cursor, rows

    def _by_column(self, row: Sequence[Any]) -> dict[str, Any]:
        values = dict(zip(self._columns, row, strict=True))
        for name, convert in self._converters.items():
            values[name] = convert(values[name])
        return values


def _find_converters(clause: _Clause, dialect: sa.Dialect) -> dict[str, Any]:
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
        order: returns the values of a mapping, and those that the statement itself holds, in the order of the question
            marks.
        names: the names of the values that the mapping must have.
        count: how many these are.
    """

    text: str
    order: Callable[[Mapping[str, Any]], Sequence[Any]]
    names: frozenset[str]
    count: int

    @classmethod
    def of(cls, compiled: SQLCompiler) -> _SqliteText:
        """Return the text of a statement that SQLAlchemy compiled."""
        if any(bind.expanding for bind in compiled.binds.values()):
            raise ValueError("a PreparedStatement must not have in_(...): use sa.or_(...)")
        constants = {name: bind.value for name, bind in compiled.binds.items() if not bind.required}
        names = compiled.positiontup or ()
        required = frozenset(names) - constants.keys()
        return cls(str(compiled), _order(names, constants), required, len(required))


def _order(names: Sequence[str], constants: Mapping[str, Any]) -> Callable[[Mapping[str, Any]], Sequence[Any]]:
    """Return a function that returns the values of these names."""
    if len(names) > 1 and not constants:
        return itemgetter(*names)

    order = itemgetter(*names) if len(names) > 1 else None

    def values(parameters: Mapping[str, Any]) -> Sequence[Any]:
        known = {**constants, **parameters}
        return [known[name] for name in names] if order is None else order(known)

    return values


def call_driver(function: Callable[..., object], *arguments: str) -> None:
    """Call a function of SQLite's driver.

    Raises:
        DBAPIError: for each error of the driver, as SQLAlchemy raises it.
    """
    try:
        function(*arguments)
    except sqlite3.Error as error:
        raise sa.exc.DBAPIError.instance(None, None, error, sqlite3.Error) from error


def execute_on_sqlite(connection: Connection, text: str) -> None:
    """Execute SQL by SQLite's driver.

    Raises:
        DBAPIError: for each error of the driver, as SQLAlchemy raises it.
    """
    call_driver(keep_sqlite_driver(connection).execute, text)


_DRIVER: Final = "voucher_gateway_sqlite_driver"


def keep_sqlite_driver(connection: Connection) -> sqlite3.Connection:
    """Keep the connection of SQLite's driver at that of SQLAlchemy, which takes long to find it; return it."""
    driver: sqlite3.Connection = connection.connection.dbapi_connection  # type: ignore[assignment]
    setattr(connection, _DRIVER, driver)
    return driver


def sqlite_driver(connection: Connection) -> sqlite3.Connection | None:
    """Return the connection of SQLite's driver; None for another database."""
    driver: sqlite3.Connection | None = getattr(connection, _DRIVER, None)
    if driver is None and connection.dialect.name == "sqlite":
        return keep_sqlite_driver(connection)
    return driver
