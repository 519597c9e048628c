"""Tables for new databases without a run of Alembic for each of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext

from voucher_gateway.storage.schema_upgrade import Schema, schemas


@contextmanager
def repeated_schemas() -> Iterator[None]:
    """Record the statements of Alembic's first run of each schema, and repeat them in later databases.

    Alembic takes ten times as long as its statements. A database that has tables of the schema already is left to
    Alembic, and so are other processes.
    """
    upgrade = command.upgrade
    recorded: dict[tuple[str | None, str], list[tuple[str, Any]]] = {}

    def upgrade_or_repeat(config: Config, revision: str, **options: Any) -> None:
        connection: sa.Connection = config.attributes["connection"]
        key = config.get_main_option("script_location"), connection.dialect.name
        if revision != "head" or options or _has_tables(connection, config.attributes["schema"]):
            upgrade(config, revision, **options)
        elif key in recorded:
            _repeat(connection, recorded[key])
        else:
            recorded[key] = list(_record(connection, lambda: upgrade(config, revision)))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(command, "upgrade", upgrade_or_repeat)
        yield


def table_differences(connection: sa.Connection, schema: Schema) -> list[Any]:
    """Return how the tables of a database that has only this schema differ from it."""
    options = {"version_table": schema.version_table, "include_name": _is_of_a_schema}
    differences: list[Any] = compare_metadata(MigrationContext.configure(connection, opts=options), schema.metadata)
    return differences


def _is_of_a_schema(name: str | None, kind: str, _: Any) -> bool:
    return kind != "table" or name != schemas.name


def _has_tables(connection: sa.Connection, schema: Any) -> bool:
    names = set(sa.inspect(connection).get_table_names())
    return not names.isdisjoint({schema.version_table, *schema.metadata.tables})


def _repeat(connection: sa.Connection, statements: Sequence[tuple[str, Any]]) -> None:
    """Execute statements by the driver alone, and those without values in one round trip where it takes several."""
    cursor = connection.connection.cursor()
    takes_several = connection.dialect.name == "postgresql"
    texts: list[str] = []
    for statement, parameters in statements:
        if takes_several and not parameters and "%" not in statement:
            texts.append(statement)
            continue
        if texts:
            cursor.execute(";\n".join(texts))
            texts.clear()
        cursor.execute(statement, parameters)
    if texts:
        cursor.execute(";\n".join(texts))
    cursor.close()


def _record(connection: sa.Connection, run: Any) -> Iterator[tuple[str, Any]]:
    statements: list[tuple[str, Any]] = []

    def note(_: Any, __: Any, statement: str, parameters: Any, *___: Any) -> None:
        statements.append((statement, parameters))

    sa.event.listen(connection, "before_cursor_execute", note)
    try:
        run()
    finally:
        sa.event.remove(connection, "before_cursor_execute", note)
    for statement, parameters in statements:
        if not statement.lstrip().upper().startswith(("SELECT", "PRAGMA")):
            yield statement, parameters
