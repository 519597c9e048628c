"""What the journal knows of earlier operations is looked up without reading all of them."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from tests.support.simulators import JOURNAL_KEYS, make_journal_keys
from voucher_gateway.journal.holds import Hold
from voucher_gateway.journal.journal import Journal, open_journal
from voucher_gateway.journal.resolution_queries import last_voucher_id
from voucher_gateway.provider_api import Code


def test_the_last_voucher_of_a_code_is_read_without_sorting_all_its_operations(sqlite_url: str) -> None:
    journal = open_journal(sqlite_url, make_journal_keys(JOURNAL_KEYS))
    [plan] = _plans(journal, lambda: last_voucher_id(journal, provider="jtl", host="h", login=None, code=Code("ABC")))
    journal.close()
    assert len(plan) == 1
    assert "fingerprint_provider_host_id (fingerprint=? AND provider=? AND host=?)" in plan[0]


def test_the_holds_that_may_hold_value_are_read_by_an_index_of_these_alone(sqlite_url: str) -> None:
    journal = open_journal(sqlite_url, make_journal_keys(JOURNAL_KEYS))
    [plan] = _plans(journal, lambda: _active_holds(journal))
    journal.close()
    assert "ix_voucher_gateway_holds_state" in plan[0]


def _active_holds(journal: Journal) -> list[Hold]:
    with journal.database.read() as connection:
        return journal.holds.active(connection, datetime.now(UTC))


def _plans(journal: Journal, read: Callable[[], object]) -> list[list[str]]:
    """The plan of each statement that a function reads with."""
    statements: list[str] = []
    driver = _driver(journal)
    driver.set_trace_callback(statements.append)
    read()
    driver.set_trace_callback(None)
    selects = [text for text in statements if text.startswith("SELECT")]
    return [[str(row[3]) for row in driver.execute(f"EXPLAIN QUERY PLAN {text}")] for text in selects]


def _driver(journal: Journal) -> sqlite3.Connection:
    with journal.database.read() as connection:
        driver: Any = connection.connection.dbapi_connection
    assert isinstance(driver, sqlite3.Connection)
    return driver
