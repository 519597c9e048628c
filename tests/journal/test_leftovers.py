"""What calls of several requests left behind is looked up without reading all requests."""

from __future__ import annotations

import sqlite3
from typing import Any

from tests.support.simulators import JOURNAL_KEYS, make_journal_keys
from voucher_gateway.journal.journal import Journal, open_journal
from voucher_gateway.journal.leftovers import iterate_leftovers


def test_the_look_up_reads_preparing_requests_alone(sqlite_url: str) -> None:
    journal = open_journal(sqlite_url, make_journal_keys(JOURNAL_KEYS))
    statements: list[str] = []
    driver = _driver(journal)
    driver.set_trace_callback(statements.append)
    assert list(iterate_leftovers(journal.database, "shop")) == []
    driver.set_trace_callback(None)
    [statement] = [text for text in statements if "voucher_gateway_requests" in text and not text.startswith("--")]
    plan = [str(row[3]) for row in driver.execute(f"EXPLAIN QUERY PLAN {statement}")]
    journal.close()
    assert any("preparing_operation_id" in line for line in plan), plan


def _driver(journal: Journal) -> sqlite3.Connection:
    with journal.database.read() as connection:
        driver: Any = connection.connection.dbapi_connection
    assert isinstance(driver, sqlite3.Connection)
    return driver
