"""The table of sales: the scripts make what the code expects."""

from __future__ import annotations

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from tests.support.schemas import table_differences
from voucher_gateway.sales.schema import SALES
from voucher_gateway.storage.engine import Database


@pytest.fixture
def postgres_url(empty_postgres_url: str) -> str:
    """The URL of a PostgreSQL database without other tables."""
    return empty_postgres_url


def test_the_scripts_make_the_tables_that_the_code_expects(either_url: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(SALES.scripts))
    assert ScriptDirectory.from_config(config).get_current_head() == SALES.head
    database = Database(either_url, SALES)
    try:
        with database.read() as connection:
            assert table_differences(connection, SALES) == []
    finally:
        database.close()
