from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress

import psycopg
import pytest
import sqlalchemy as sa

from voucher_gateway.database import Database, execute
from voucher_gateway.errors import DatabaseUnavailable, VoucherNotFound


@pytest.fixture
def database(either_url: str) -> Iterator[Database]:
    opened = Database(either_url)
    with opened.write() as connection:
        execute(connection, "CREATE TABLE words (word TEXT NOT NULL)")
    yield opened
    opened.close()


def _turn(database: Database, *acts: str | Callable[[sa.Connection], object]) -> None:
    """Write words, and do whatever else, in one turn."""
    with database.write() as connection:
        for act in acts:
            _add(connection, act) if isinstance(act, str) else act(connection)


def _add(connection: sa.Connection, word: str) -> None:
    execute(connection, f"INSERT INTO words VALUES ('{word}')")


def _words(database: Database) -> list[str]:
    with database.read() as connection:
        return [word for (word,) in execute(connection, "SELECT word FROM words ORDER BY word").fetchall()]


def test_what_a_turn_wrote_is_there_for_the_next(database: Database) -> None:
    _turn(database, "one")
    _turn(database, lambda connection: connection.execute(sa.text("INSERT INTO words VALUES ('by SQLAlchemy')")))
    assert _words(database) == ["by SQLAlchemy", "one"]


@pytest.mark.parametrize("error", [VoucherNotFound("none"), ZeroDivisionError(), KeyboardInterrupt()])
def test_whatever_goes_wrong_in_a_turn_undoes_it_and_is_heard_as_it_is(
    database: Database, error: BaseException
) -> None:
    def fail(_: sa.Connection) -> None:
        raise error

    with pytest.raises(type(error)) as caught:
        _turn(database, "never", fail)
    assert caught.value is error
    assert _words(database) == []
    _turn(database, "afterwards")
    assert _words(database) == ["afterwards"]


def test_what_the_database_refuses_undoes_the_turn_too(database: Database) -> None:
    with pytest.raises(DatabaseUnavailable):
        _turn(database, "never", lambda connection: execute(connection, "INSERT INTO words VALUES (NULL)"))
    assert _words(database) == []


def test_turns_give_their_connections_back(database: Database) -> None:
    for _ in range(50):  # more than there can be connections
        with suppress(ZeroDivisionError):
            _turn(database, lambda _: 1 // 0)
        _turn(database)
        assert _words(database) == []
    _turn(database, "afterwards")


def test_a_turn_whose_connection_was_lost_is_never_taken_for_committed(database: Database) -> None:
    def go_on_as_if_nothing_had_been(connection: sa.Connection) -> None:
        with suppress(sa.exc.DBAPIError):
            _add(connection, "neither")

    with pytest.raises(DatabaseUnavailable):
        _turn(database, "never", _end_session_of, go_on_as_if_nothing_had_been)
    assert _words(database) == []


def test_a_connection_that_is_lost_before_the_commit_is_told(database: Database) -> None:
    with pytest.raises(DatabaseUnavailable):
        _turn(database, "never", _end_session_of)
    assert _words(database) == []


def _end_session_of(connection: sa.Connection) -> None:
    """End the session at the server, or what SQLite has of one."""
    if connection.dialect.name == "sqlite":
        given = connection.connection.dbapi_connection
        assert given is not None
        given.close()
        return
    (pid,) = execute(connection, "SELECT pg_backend_pid()").fetchone()
    with psycopg.connect(connection.engine.url.set(drivername="postgresql").render_as_string(False)) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))
