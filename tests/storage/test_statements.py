"""Prepared statements: alike on both databases, although SQLite's driver gets them directly."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Final

import pytest
import sqlalchemy as sa

from voucher_gateway.errors import DatabaseUnavailable
from voucher_gateway.journal.schema import JOURNAL
from voucher_gateway.storage.engine import Database
from voucher_gateway.storage.statements import PreparedStatement

_words: Final = sa.Table(
    "words",
    sa.MetaData(),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("word", sa.String(20), unique=True),
    sa.Column("language", sa.String(20), nullable=False),
    sa.Column("is_common", sa.Boolean),
)
_IS_ENGLISH: Final = _words.c.language == "en"
_ADD: Final = PreparedStatement(sa.insert(_words).returning(_words.c.number))
_ADD_QUIETLY: Final = PreparedStatement(sa.insert(_words))
_ADD_COMMON: Final = PreparedStatement(sa.insert(_words).returning(_words.c.is_common))
_COMMON: Final = PreparedStatement(sa.select(_words.c.is_common))
_FIND: Final = PreparedStatement(
    sa.select(_words.c.word, _words.c.language).where(_IS_ENGLISH, _words.c.word == sa.bindparam("searched"))
)
_LIST: Final = PreparedStatement(sa.select(_words.c.word).where(_IS_ENGLISH).order_by(_words.c.word))
_TRANSLATE: Final = PreparedStatement(
    sa.update(_words)
    .where(_words.c.language == sa.bindparam("old"), _words.c.word != sa.bindparam("kept"))
    .values(language=sa.bindparam("new"))
)


@pytest.fixture
def database(either_url: str) -> Iterator[Database]:
    opened = Database(either_url, JOURNAL)
    with opened.write() as connection:
        _words.create(connection)
    yield opened
    opened.close()


def _add(database: Database, *words: str, language: str | None = "en") -> list[int]:
    """Write words in one transaction, and return their numbers."""
    with database.write() as connection:
        rows = [_ADD.first_row(connection, {"word": word, "language": language}) for word in words]
    return [row["number"] for row in rows if row is not None]


def _list(database: Database) -> list[str]:
    with database.read() as connection:
        return [row["word"] for row in _LIST.all_rows(connection, {})]


def test_a_row_is_given_by_the_names_of_its_columns(database: Database) -> None:
    _add(database, "gift")
    with database.read() as connection:
        assert _FIND.first_row(connection, {"searched": "gift"}) == {"word": "gift", "language": "en"}


def test_without_a_row_there_is_none(database: Database) -> None:
    _add(database, "Geschenk", language="de")
    with database.read() as connection:
        assert _FIND.first_row(connection, {"searched": "Geschenk"}) is None
        assert list(_LIST.all_rows(connection, {})) == []


@pytest.mark.parametrize("value", [True, False, None])
def test_a_boolean_is_a_boolean(database: Database, value: bool | None) -> None:
    with database.write() as connection:
        inserted = _ADD_COMMON.first_row(connection, {"word": "gift", "language": "en", "is_common": value})
        row = _COMMON.first_row(connection, {})
    assert inserted is not None
    assert row is not None
    assert inserted["is_common"] is value
    assert row["is_common"] is value


def test_an_insert_returns_what_it_is_asked_for(database: Database) -> None:
    first, second = _add(database, "gift", "card")
    assert second > first


def test_all_rows_come_in_the_order_of_the_statement(database: Database) -> None:
    _add(database, "voucher", "card", "gift")
    assert _list(database) == ["card", "gift", "voucher"]


def test_a_change_returns_how_many_rows_it_concerned(database: Database) -> None:
    _add(database, "card", "gift", "voucher")
    with database.write() as connection:
        assert _TRANSLATE.execute(connection, {"old": "en", "kept": "gift", "new": "de"}) == 2
        assert _TRANSLATE.execute(connection, {"old": "en", "kept": "gift", "new": "de"}) == 0
        _ADD_QUIETLY.execute(connection, {"word": "token", "language": "en"})
    assert _list(database) == ["gift", "token"]


def test_a_value_that_is_missing_is_an_error_and_nothing_is_written(database: Database) -> None:
    _add(database, "gift")
    with database.read() as connection, pytest.raises((ValueError, sa.exc.StatementError)):
        _TRANSLATE.execute(connection, {"old": "en", "new": "de"})
    assert _list(database) == ["gift"]


def test_an_insert_refuses_a_column_that_its_first_execution_did_not_have(sqlite_url: str) -> None:
    add = PreparedStatement(sa.insert(_words))
    with closing(Database(sqlite_url, JOURNAL)) as database:
        with database.write() as connection:
            _words.create(connection)
            add.execute(connection, {"word": "gift", "language": "en"})
        with database.write() as connection, pytest.raises(ValueError, match="is_common"):
            add.execute(connection, {"word": "card", "language": "en", "is_common": True})
        assert _list(database) == ["gift"]


def test_what_is_there_already_is_an_integrity_error_as_sqlalchemy_raises_it(database: Database) -> None:
    _add(database, "gift")
    with database.read() as connection, pytest.raises(sa.exc.IntegrityError):
        _ADD_QUIETLY.execute(connection, {"word": "gift", "language": "en"})


def test_what_the_database_refuses_rolls_the_transaction_back_and_keeps_no_lock(
    database: Database, either_url: str
) -> None:
    """The error is kept, as a logger or a future keeps it, and with its traceback the frames and the cursors."""
    with pytest.raises(DatabaseUnavailable) as kept:
        _add(database, "never", "gift", "gift")
    assert kept.value.vendor_code in ("SQLITE_CONSTRAINT_UNIQUE", "23505")
    with closing(Database(either_url, JOURNAL)) as other:  # another connection gets the lock at once
        _add(other, "card")
    assert _list(database) == ["card"]


def test_an_error_does_not_show_the_values(database: Database) -> None:
    with pytest.raises(DatabaseUnavailable) as caught:
        _add(database, "gift", language=None)
    assert caught.value.vendor_code in ("SQLITE_CONSTRAINT_NOTNULL", "23502")
    assert "'gift'" not in str(caught.value)


def test_a_statement_serves_several_databases(sqlite_url: str, postgres_url: str) -> None:
    for url in (sqlite_url, postgres_url, sqlite_url):
        with closing(Database(url, JOURNAL)) as database:
            with database.write() as connection:
                _words.create(connection, checkfirst=True)
            _add(database, "gift")
            assert _list(database) == ["gift"]
            with database.write() as connection:
                _words.drop(connection)


def test_a_statement_with_a_list_of_values_is_refused(database: Database) -> None:
    listed = PreparedStatement(sa.select(_words.c.word).where(_words.c.word.in_(["one", "two"])))
    with database.read() as connection:
        is_sqlite = connection.dialect.name == "sqlite"
    if not is_sqlite:
        pytest.skip("SQLAlchemy executes it there")
    with database.read() as connection, pytest.raises(ValueError, match="must not have in_"):
        listed.all_rows(connection, {})
