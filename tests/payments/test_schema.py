"""The tables of payments: the scripts make what the code expects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from tests.support.schemas import table_differences
from voucher_gateway.payments.rows.schema import PAYMENTS
from voucher_gateway.storage.engine import Database

if TYPE_CHECKING:
    from tests.payments.conftest import PayingShop


@pytest.fixture
def postgres_url(empty_postgres_url: str) -> str:
    """The URL of a PostgreSQL database without other tables."""
    return empty_postgres_url


def test_the_scripts_make_the_tables_that_the_code_expects(either_url: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(PAYMENTS.scripts))
    assert ScriptDirectory.from_config(config).get_current_head() == PAYMENTS.head
    database = Database(either_url, PAYMENTS)
    try:
        with database.read() as connection:
            assert table_differences(connection, PAYMENTS) == []
    finally:
        database.close()


def test_payments_that_need_attention_are_found_by_their_index(paying: PayingShop) -> None:
    assert list(paying.gateway.payments(needs_attention=True)) == []
    journal = paying.gateway.journal
    assert journal is not None
    with journal.database.read() as connection:
        driver: Any = connection.connection.dbapi_connection
    statements: list[str] = []
    driver.set_trace_callback(statements.append)
    assert list(paying.gateway.payments(needs_attention=True)) == []
    driver.set_trace_callback(None)
    (query,) = [statement for statement in statements if "FROM voucher_gateway_payments" in statement]
    plan = [str(row[3]) for row in driver.execute(f"EXPLAIN QUERY PLAN {query}")]
    assert "ix_voucher_gateway_payments_attention" in plan[0]
