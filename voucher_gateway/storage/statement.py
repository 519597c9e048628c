"""Statements that are run for every call: compiled once, and handed to the driver itself.

SQLAlchemy's own execution costs several times what SQLite takes for a row; these are run some five times for each call.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from sqlalchemy.engine import Connection, Dialect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql import ClauseElement


class Statement:
    """A statement that is compiled once for each kind of database. Errors are SQLAlchemy's, without the values.

    Values go to the driver as they are: text, whole numbers, booleans and None.

    Args:
        statement: with a `sqlalchemy.bindparam` for each value, and no list of values (``IN``).
        columns: for an insert, the columns that are given.
    """

    def __init__(self, statement: ClauseElement, *, columns: tuple[str, ...] | None = None) -> None:
        self._statement = statement
        self._columns = None if columns is None else list(columns)
        self._compiled: dict[str, tuple[str, tuple[str, ...] | None, dict[str, Any]]] = {}
        self._names: tuple[str, ...] | None = None

    def run(self, connection: Connection, values: Mapping[str, Any]) -> int:
        """Run it and return how many rows it changed."""
        changed: int = self._run(connection, values).rowcount
        return changed

    def first(self, connection: Connection, values: Mapping[str, Any]) -> dict[str, Any] | None:
        """Run it and return the first row by the names of its columns; None if there is none."""
        cursor = self._run(connection, values)
        row = cursor.fetchone()
        return None if row is None else dict(zip(self._column_names(cursor), row))  # noqa: B905 - costs as much as the rest

    def all(self, connection: Connection, values: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Run it and return all rows by the names of their columns."""
        cursor = self._run(connection, values)
        names = self._column_names(cursor)
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def _column_names(self, cursor: Any) -> tuple[str, ...]:
        if self._names is None:
            self._names = tuple([column[0] for column in cursor.description])
        return self._names

    def _run(self, connection: Connection, values: Mapping[str, Any]) -> Any:
        compiled = self._compiled.get(connection.dialect.name)
        if compiled is None:
            compiled = self._compiled[connection.dialect.name] = self._compile(connection.dialect)
        text, places, constants = compiled
        given: Any = {**constants, **values} if constants else values
        if places is not None:
            given = tuple([given[name] for name in places])
        return execute(connection, text, given)

    def _compile(self, dialect: Dialect) -> tuple[str, tuple[str, ...] | None, dict[str, Any]]:
        compiled: Any = self._statement.compile(dialect=dialect, column_keys=self._columns)
        places = None if compiled.positiontup is None else tuple(compiled.positiontup)
        return str(compiled), places, {name: value for name, value in compiled.params.items() if value is not None}


def execute(connection: Connection, text: str, values: Any = ()) -> Any:
    """Hand a statement to the driver and return its cursor.

    Raises:
        DBAPIError: in SQLAlchemy's kinds, such as IntegrityError.
    """
    dialect = connection.dialect
    cursor: Any = None
    try:
        given: Any = connection.connection.dbapi_connection  # not through SQLAlchemy's own: one layer less
        cursor = given.cursor()
        cursor.execute(text, values)
    except dialect.loaded_dbapi.Error as error:
        lost = dialect.is_disconnect(error, connection.connection.dbapi_connection, cursor)
        if lost:
            connection.invalidate(error)
        with suppress(dialect.loaded_dbapi.Error):
            if cursor is not None:
                cursor.close()  # the error keeps it alive, and an open cursor keeps an SQLite file open after `close`
        failed = DBAPIError.instance(
            None, None, error, dialect.loaded_dbapi.Error, connection_invalidated=lost, dialect=dialect
        )
        raise failed from None
    return cursor
