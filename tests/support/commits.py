"""Replaces how a database commits, so that a commit breaks off where a test wants it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy.engine import Connection

from voucher_gateway.storage.connections import SharedConnection
from voucher_gateway.storage.engine import Database
from voucher_gateway.storage.statements import call_driver


def replace_commit(patch: pytest.MonkeyPatch, database: Database, commit: Callable[[Any], None]) -> None:
    """Commit each transaction of all databases of a kind by a function.

    Args:
        patch: takes it back.
        database: of the kind.
        commit: takes the connection of the driver, or one that commits like it.
    """

    def commit_by_driver(_: SharedConnection, connection: Connection, *, immediate: bool) -> None:
        driver: Any = connection.connection.dbapi_connection
        assert isinstance(driver, sqlite3.Connection)
        if immediate or driver.in_transaction:
            call_driver(lambda: commit(driver))

    def commit_by_dialect(_: object, connection: Any) -> None:
        commit(connection)

    if database.is_sqlite:
        patch.setattr(SharedConnection, "_commit", commit_by_driver)
    else:
        patch.setattr(type(database._engine.dialect), "do_commit", commit_by_dialect)
