"""Several schemas on one database object: each is brought up once."""

from __future__ import annotations

import time
from typing import Any

import pytest
import sqlalchemy as sa

from tests.support.forked_child import run_in_child
from voucher_gateway.journal.schema import JOURNAL
from voucher_gateway.reports.schema import SNAPSHOTS
from voucher_gateway.storage.engine import Database
from voucher_gateway.storage.schema_upgrade import Schema, upgrade_schema


def has_snapshots(database: Database) -> bool:
    with database.read() as connection:
        return sa.inspect(connection).has_table("voucher_gateway_snapshots")


def test_a_schema_is_added_to_an_open_database(either_url: str) -> None:
    database = Database(either_url, JOURNAL)
    assert not has_snapshots(database)
    database.add_schema(SNAPSHOTS)
    assert has_snapshots(database)
    database.close()


def test_a_schema_is_looked_up_once_for_each_object_and_its_forked_children(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    upgraded: list[str] = []

    def upgrade(schema: Schema, *arguments: Any, **options: Any) -> None:
        upgraded.append(schema.subject)
        upgrade_schema(schema, *arguments, **options)

    monkeypatch.setattr("voucher_gateway.storage.engine.upgrade_schema", upgrade)
    database = Database(sqlite_url, JOURNAL)
    for _ in range(2):
        database.add_schema(SNAPSHOTS)

    def add_in_child() -> list[str]:
        database.add_schema(SNAPSHOTS)
        return upgraded

    assert run_in_child(add_in_child) == "['journal', 'snapshots']"
    other = Database(sqlite_url, JOURNAL)
    other.add_schema(SNAPSHOTS)
    assert upgraded == ["journal", "snapshots"] * 2
    other.close()
    database.close()


def test_an_open_needs_no_lock_where_the_tables_are_up_to_date(either_url: str) -> None:
    blocker = Database(either_url, JOURNAL)
    with blocker.write() as connection:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("LOCK TABLE voucher_gateway_schemas IN EXCLUSIVE MODE")
        began = time.monotonic()
        Database(either_url, JOURNAL).close()
        assert time.monotonic() - began < 5
    blocker.close()
