"""The table of checks, in the journal's database."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from tests.support.schemas import table_differences
from voucher_gateway.checks.guard import CheckGuard
from voucher_gateway.checks.schema import CHECKS
from voucher_gateway.storage.engine import Database


@pytest.fixture
def postgres_url(empty_postgres_url: str) -> str:
    """The URL of a PostgreSQL database without other tables."""
    return empty_postgres_url


def test_the_newest_script_is_the_one_that_is_asked_for() -> None:
    config = Config()
    config.set_main_option("script_location", str(CHECKS.scripts))
    assert ScriptDirectory.from_config(config).get_current_head() == CHECKS.head


def test_the_scripts_make_the_table_of_the_schema(either_url: str) -> None:
    database = Database(either_url, CHECKS)
    with database.write() as connection:
        assert table_differences(connection, CHECKS) == []
    database.close()


def test_the_table_is_made_beside_those_of_the_journal_when_the_first_code_is_tried(
    either_url: str, open_guard: Callable[..., CheckGuard]
) -> None:
    for _ in range(2):
        with open_guard(either_url).attempt("203.0.113.7"):
            pass
