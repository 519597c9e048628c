"""Opening a database: what a URL may be, how SQLite is set up, and how the schema comes about."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.config import Config
from alembic.script import ScriptDirectory

from tests.support.schemas import table_differences
from voucher_gateway.journal.schema import JOURNAL
from voucher_gateway.provider_api import ConfigurationError, DatabaseUnavailable
from voucher_gateway.storage.engine import Database


@pytest.mark.parametrize("url", ["", "no url", "mysql://host/name", "oracle://x", "sqlite", "://"])
def test_other_databases_are_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="journal must be"):
        Database(url, JOURNAL)


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "sqlite:///file:x?mode=memory&uri=true"])
def test_a_database_that_would_be_forgotten_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="journal must"):
        Database(url, JOURNAL)


def test_a_missing_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnavailable, match=r"folder .*nowhere"):
        Database(f"sqlite:///{tmp_path}/nowhere/journal.db", JOURNAL)


def test_tables_that_are_created_leave_a_line(sqlite_url: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "voucher_gateway.storage")
    for _ in range(2):
        Database(sqlite_url, JOURNAL).close()
    assert caplog.messages == [f"journal: upgraded the tables from revision (none) to {JOURNAL.head}"]


def test_sqlite_keeps_what_it_has_committed(sqlite_url: str) -> None:
    """WAL with full synchronisation: a commit is on the disk when it returns."""
    database = Database(sqlite_url, JOURNAL)
    with database.write() as connection:
        found = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }
        assert connection.connection.dbapi_connection.in_transaction  # type: ignore[union-attr]  # begun at once
    assert found == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}
    database.close()


def test_a_write_has_the_lock_from_its_begin_on(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("voucher_gateway.storage.engine.BUSY_TIMEOUT_S", 0.05)
    one, other = Database(sqlite_url, JOURNAL), Database(sqlite_url, JOURNAL)
    with one.write(), pytest.raises(DatabaseUnavailable, match="locked"), other.write():
        raise AssertionError("two writers")
    with one.write(), other.read() as connection:  # a reader does not wait for a writer
        assert connection.exec_driver_sql("SELECT count(*) FROM voucher_gateway_operations").scalar() == 0
    one.close()
    other.close()


def test_a_file_goes_by_one_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The locks lie beside the real file, so users of a link and of a relative path see one another."""
    real = tmp_path / "real.db"
    Database(f"sqlite:///{real}", JOURNAL).close()
    (tmp_path / "link.db").symlink_to(real)
    monkeypatch.chdir(tmp_path)
    for url in (f"sqlite:///{tmp_path}/link.db", "sqlite:///real.db"):
        database = Database(url, JOURNAL)
        assert database.path == real.resolve()
        monkeypatch.chdir("/")
        with database.write() as connection:
            connection.exec_driver_sql("SELECT 1")
        database.close()
        monkeypatch.chdir(tmp_path)
    assert sorted(path.name for path in tmp_path.glob("*.locks")) == ["real.db.locks"]


def test_closing_twice_does_no_harm(either_url: str) -> None:
    database = Database(either_url, JOURNAL)
    database.close()
    database.close()


def test_the_newest_script_is_the_one_that_is_asked_for() -> None:
    config = Config()
    config.set_main_option("script_location", str(JOURNAL.scripts))
    assert ScriptDirectory.from_config(config).get_current_head() == JOURNAL.head


def test_the_scripts_make_the_tables_of_the_schema(either_url: str) -> None:
    database = Database(either_url, JOURNAL)
    with database.write() as connection:
        assert table_differences(connection, JOURNAL) == []
    database.close()


def test_a_second_opening_changes_nothing(either_url: str) -> None:
    Database(either_url, JOURNAL).close()
    database = Database(either_url, JOURNAL)
    with database.read() as connection:
        assert connection.execute(
            sa.text("SELECT version_num FROM voucher_gateway_journal_version")
        ).scalars().all() == [JOURNAL.head]
    database.close()


def test_a_database_of_a_later_version_is_refused(either_url: str) -> None:
    database = Database(either_url, JOURNAL)
    with database.write() as connection:
        connection.execute(sa.text("UPDATE voucher_gateway_journal_version SET version_num = '9999'"))
    database.close()
    with pytest.raises(ConfigurationError, match=r"9999.*upgrade"):
        Database(either_url, JOURNAL)


def test_eight_processes_may_open_a_new_database_at_once(
    either_url: str, at_once: Callable[[Callable[[], object], int], list[str]]
) -> None:
    def work() -> str:
        database = Database(either_url, JOURNAL)
        with database.write() as connection:
            connection.exec_driver_sql("SELECT count(*) FROM voucher_gateway_operations")
        return "opened"

    assert at_once(work, 8) == ["opened"] * 8
    database = Database(either_url, JOURNAL)
    with database.read() as connection:
        assert connection.execute(
            sa.text("SELECT version_num FROM voucher_gateway_journal_version")
        ).scalars().all() == [JOURNAL.head]
    database.close()


def test_a_message_shows_neither_password_nor_values() -> None:
    with pytest.raises(DatabaseUnavailable) as caught:
        Database("postgresql://journal:the-password@127.0.0.1:1/journal?connect_timeout=2", JOURNAL)
    shown = f"{caught.value!r} {caught.value} {vars(caught.value)} {caught.value.__context__}"
    assert "the-password" not in shown
    assert "127.0.0.1" in shown


def test_a_failed_statement_shows_no_values(either_url: str) -> None:
    database = Database(either_url, JOURNAL)
    with pytest.raises(DatabaseUnavailable) as caught, database.write() as connection:
        connection.execute(sa.text("INSERT INTO nowhere VALUES (:value)"), {"value": "a-planted-value"})
    assert "a-planted-value" not in str(caught.value)
    with database.write() as connection:  # and it goes on
        connection.exec_driver_sql("SELECT 1")
    database.close()


def test_a_forked_child_has_connections_and_an_owner_of_its_own(
    either_url: str, at_once: Callable[[Callable[[], object], int], list[str]]
) -> None:
    database = Database(either_url, JOURNAL)
    mine = database.locks.owner()

    def work() -> str:
        assert database.locks.owner() != mine
        assert database.locks.alive(mine)
        with database.write() as connection:
            connection.execute(sa.text("UPDATE voucher_gateway_operations SET checks = 1"))
        return "done"

    with database.write() as connection:
        connection.exec_driver_sql("SELECT 1")
    assert at_once(work, 2) == ["done"] * 2
    assert database.locks.owner() == mine
    with database.write() as connection:
        connection.execute(sa.text("UPDATE voucher_gateway_operations SET checks = 2"))
    database.close()
