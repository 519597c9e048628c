from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from voucher_gateway.errors import DatabaseUnavailable, VoucherNotFound
from voucher_gateway.journal.schema import JOURNAL
from voucher_gateway.storage.engine import Database


@pytest.fixture
def database(either_url: str) -> Iterator[Database]:
    opened = Database(either_url, JOURNAL)
    with opened.write() as connection:
        connection.exec_driver_sql("CREATE TABLE words (word TEXT NOT NULL)")
    yield opened
    opened.close()


def _write(database: Database, *acts: str | Callable[[sa.Connection], object]) -> None:
    """Write words, and do whatever else, in one transaction."""
    with database.write() as connection:
        for act in acts:
            _add(connection, act) if isinstance(act, str) else act(connection)


def _add(connection: sa.Connection, word: str) -> None:
    connection.exec_driver_sql(f"INSERT INTO words VALUES ('{word}')")


def _words(database: Database) -> list[str]:
    with database.read() as connection:
        return [word for (word,) in connection.exec_driver_sql("SELECT word FROM words ORDER BY word").fetchall()]


def test_what_a_transaction_wrote_is_there_for_the_next(database: Database) -> None:
    _write(database, "one")
    _write(database, lambda connection: connection.execute(sa.text("INSERT INTO words VALUES ('by SQLAlchemy')")))
    assert _words(database) == ["by SQLAlchemy", "one"]


@pytest.mark.parametrize("error", [VoucherNotFound("none"), ZeroDivisionError(), KeyboardInterrupt()])
def test_an_error_rolls_a_transaction_back_and_reaches_the_caller(database: Database, error: BaseException) -> None:
    def fail(_: sa.Connection) -> None:
        raise error

    with pytest.raises(type(error)) as caught:
        _write(database, "never", fail)
    assert caught.value is error
    assert _words(database) == []
    _write(database, "afterwards")
    assert _words(database) == ["afterwards"]


def test_what_the_database_refuses_is_rolled_back_too(database: Database) -> None:
    with pytest.raises(DatabaseUnavailable):
        _write(database, "never", lambda connection: connection.exec_driver_sql("INSERT INTO words VALUES (NULL)"))
    assert _words(database) == []


def test_transactions_give_their_connections_back(database: Database) -> None:
    for _ in range(50):  # more than there can be connections
        with suppress(ZeroDivisionError):
            _write(database, lambda _: 1 // 0)
        _write(database)
        assert _words(database) == []
    _write(database, "afterwards")


def test_a_transaction_whose_connection_was_lost_is_never_taken_for_committed(database: Database) -> None:
    def go_on_as_if_nothing_had_been(connection: sa.Connection) -> None:
        with suppress(sa.exc.DBAPIError):
            _add(connection, "neither")

    with pytest.raises(DatabaseUnavailable):
        _write(database, "never", _end_session_of, go_on_as_if_nothing_had_been)
    assert _words(database) == []


def test_a_connection_that_is_lost_before_the_commit_is_told(database: Database) -> None:
    with pytest.raises(DatabaseUnavailable):
        _write(database, "never", _end_session_of)
    assert _words(database) == []


def _end_session_of(connection: sa.Connection) -> None:
    """End the session at the server, or what SQLite has of one."""
    if connection.dialect.name == "sqlite":
        given = connection.connection.dbapi_connection
        assert given is not None
        given.close()
        return
    pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
    with psycopg.connect(connection.engine.url.set(drivername="postgresql").render_as_string(False)) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3), MemoryError(), VoucherNotFound("none")])
def test_a_rollback_that_fails_hides_no_other_error(database: Database, error: BaseException) -> None:
    def fail(_: sa.Connection) -> None:
        raise error

    with pytest.raises(type(error)) as caught:
        _write(database, "never", _end_session_of, fail)
    assert caught.value is error
    assert _words(database) == []


def test_a_transaction_that_went_on_with_another_connection_is_never_taken_for_committed(postgres_url: str) -> None:
    database = Database(postgres_url, JOURNAL)
    with database.write() as connection:
        connection.exec_driver_sql("CREATE TABLE words (word TEXT NOT NULL)")

    def fail_and_go_on(connection: sa.Connection) -> None:
        with suppress(sa.exc.DBAPIError):
            _add(connection, "neither")

    with pytest.raises(DatabaseUnavailable, match="transaction"):
        _write(database, "never", _end_session_of, fail_and_go_on, "nor this, on a new one")
    assert _words(database) == []
    database.close()


def test_what_the_database_gave_up_itself_is_never_taken_for_committed(database: Database) -> None:
    def fail_and_go_on(connection: sa.Connection) -> None:
        rolling_back = "OR ROLLBACK" if connection.dialect.name == "sqlite" else ""
        with suppress(sa.exc.DBAPIError):
            connection.exec_driver_sql(f"INSERT {rolling_back} INTO words VALUES (NULL)")

    with pytest.raises(DatabaseUnavailable, match="a statement failed"):
        _write(database, "never", fail_and_go_on)
    assert _words(database) == []


def test_a_transaction_that_is_forgotten_is_rolled_back(database: Database) -> None:
    """As by a Ctrl-C that comes before the first line of `__exit__`."""
    turn = database.write()
    _add(turn.__enter__(), "never")
    del turn
    _write(database, "afterwards")
    assert _words(database) == ["afterwards"]


@pytest.mark.parametrize("statement", ["SELECT word FROM words", "DELETE FROM words", "COMMIT"])
def test_an_interrupt_at_a_statement_or_the_commit_leaves_no_lock_and_no_transaction(
    database: Database, either_url: str, statement: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error is kept, as a logger or a future keeps it, and with its traceback the frames and the cursors."""

    def interrupt_execute(cursor: Any, text: str, parameters: Any, _: object) -> bool:
        cursor.execute(text, parameters)
        if text == statement:
            raise KeyboardInterrupt
        return True

    def interrupt_commit(_: object) -> None:
        raise KeyboardInterrupt

    _write(database, "before")
    engine = database._engine
    with monkeypatch.context() as patch:
        if statement == "COMMIT":
            patch.setattr(engine.dialect, "do_commit", interrupt_commit)
        else:
            sa.event.listen(engine, "do_execute", interrupt_execute)
        text = "SELECT word FROM words" if statement == "COMMIT" else statement
        with pytest.raises(KeyboardInterrupt) as kept:
            _write(database, "never", lambda connection: connection.exec_driver_sql(text))
    if statement != "COMMIT":
        sa.event.remove(engine, "do_execute", interrupt_execute)
    with closing(Database(either_url, JOURNAL)) as other:  # another connection gets the lock at once
        _write(other, "afterwards")
    _write(database, "at last")
    assert _words(database) == ["afterwards", "at last", "before"]
    assert kept.type is KeyboardInterrupt


def test_closing_waits_for_a_transaction(sqlite_url: str) -> None:
    database = Database(sqlite_url, JOURNAL)
    inside = threading.Event()

    def turn() -> None:
        with database.write() as connection:
            connection.exec_driver_sql("CREATE TABLE words (word TEXT NOT NULL)")
            inside.set()
            time.sleep(0.1)
            _add(connection, "one")

    thread = threading.Thread(target=turn)
    thread.start()
    inside.wait()
    database.close()
    thread.join()
    with pytest.raises(DatabaseUnavailable, match="closed"):
        _write(database, "never")
    again = Database(sqlite_url, JOURNAL)
    assert _words(again) == ["one"]
    again.close()


@pytest.mark.parametrize("batch", [1, 2, 3, 4, 1000])
def test_a_query_is_read_in_batches_between_which_the_caller_can_write(database: Database, batch: int) -> None:
    words = sa.Table("words", sa.MetaData(), sa.Column("word", sa.Text))
    _write(database, "delta", "alpha", "charlie", "bravo", "xenon")
    query = sa.select(words.c.word).where(words.c.word != "xenon")
    seen = []
    for row in database.iterate_rows(query, words.c.word, batch=batch):
        seen.append(row["word"])
        _write(database, f"a word before {row['word']}")  # would wait for a read transaction that is still open
    assert seen == ["alpha", "bravo", "charlie", "delta"]
    assert len(_words(database)) == 9
