from __future__ import annotations

import dis
import gc
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from types import FrameType
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from voucher_gateway.errors import DatabaseUnavailable, VoucherNotFound
from voucher_gateway.journal.schema import JOURNAL
from voucher_gateway.storage import connections
from voucher_gateway.storage.engine import Database
from voucher_gateway.storage.statement import execute


@pytest.fixture
def database(either_url: str) -> Iterator[Database]:
    opened = Database(either_url, JOURNAL)
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


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3), MemoryError(), VoucherNotFound("none")])
def test_an_undoing_that_fails_hides_no_other_error(database: Database, error: BaseException) -> None:
    def fail(_: sa.Connection) -> None:
        raise error

    with pytest.raises(type(error)) as caught:
        _turn(database, "never", _end_session_of, fail)
    assert caught.value is error
    assert _words(database) == []


def test_a_turn_that_went_on_with_another_connection_is_never_taken_for_committed(postgres_url: str) -> None:
    database = Database(postgres_url, JOURNAL)
    with database.write() as connection:
        execute(connection, "CREATE TABLE words (word TEXT NOT NULL)")

    def fail_and_go_on(connection: sa.Connection) -> None:
        with suppress(sa.exc.DBAPIError):
            _add(connection, "neither")

    with pytest.raises(DatabaseUnavailable, match="lost before the commit"):
        _turn(database, "never", _end_session_of, fail_and_go_on, "nor this, on a new one")
    assert _words(database) == []
    database.close()


def test_what_the_database_gave_up_itself_is_never_taken_for_committed(database: Database) -> None:
    def fail_and_go_on(connection: sa.Connection) -> None:
        rolling_back = "OR ROLLBACK" if connection.dialect.name == "sqlite" else ""
        with suppress(sa.exc.DBAPIError):
            execute(connection, f"INSERT {rolling_back} INTO words VALUES (NULL)")

    with pytest.raises(DatabaseUnavailable, match="a statement failed"):
        _turn(database, "never", fail_and_go_on)
    assert _words(database) == []


def test_a_turn_that_is_forgotten_is_undone(database: Database) -> None:
    """As by a Ctrl-C that comes before the first line of `__exit__`."""
    turn = database.write()
    _add(turn.__enter__(), "never")
    del turn
    _turn(database, "afterwards")
    assert _words(database) == ["afterwards"]


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # what was struck before anybody had got hold of it
def test_an_interrupt_at_any_step_of_a_turn_leaves_nothing_behind(sqlite_url: str) -> None:
    for error in (None, ZeroDivisionError()):
        assert _interrupted_at_each_step(sqlite_url, error) > 10
    gc.collect()  # while the warnings are ignored: Python 3.13 gives them when it is collected


def _interrupted_at_each_step(url: str, error: Exception | None) -> int:
    """Interrupt turns at one step after the other, and look each time; return how many steps there were."""
    database = Database(url, JOURNAL)
    with database.write() as connection:
        execute(connection, "CREATE TABLE IF NOT EXISTS words (word TEXT NOT NULL)")
    step = 0
    interrupted = True
    while interrupted:
        step += 1
        kept: list[BaseException] = []  # as a logger or a future keeps it, and with its traceback the frames
        interrupted = _interrupted_at(step, database, error, kept)
        with database.write() as connection:  # it is not busy, and in no transaction
            execute(connection, "SELECT 1")
    database.close()
    return step


def _interrupted_at(step: int, database: Database, error: Exception | None, kept: list[BaseException]) -> bool:
    """Interrupt a turn as a signal would, after a call or where a function begins; tell whether it had that step."""
    steps = 0
    last = ""

    def trace(frame: FrameType, event: str, _: object) -> Callable[..., Any] | None:
        nonlocal steps, last
        if frame.f_code.co_filename != connections.__file__:
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            before, last = last, dis.opname[frame.f_code.co_code[frame.f_lasti]]
            if before in ("RESUME", "CALL"):
                steps += 1
                if steps == step:
                    sys.settrace(None)
                    raise KeyboardInterrupt
        return trace

    usual = sys.gettrace()
    sys._getframe().f_trace_opcodes = True  # Python 3.12 tells of instructions only if some frame wants it beforehand
    sys.settrace(trace)
    try:
        with database.write() as connection:
            _add(connection, "perhaps")
            if error is not None:
                raise error
    except (KeyboardInterrupt, ZeroDivisionError) as raised:
        kept.append(raised)
    finally:
        sys.settrace(usual)
    return steps >= step


def test_closing_waits_for_the_turn_that_is_under_way(sqlite_url: str) -> None:
    database = Database(sqlite_url, JOURNAL)
    inside = threading.Event()

    def turn() -> None:
        with database.write() as connection:
            execute(connection, "CREATE TABLE words (word TEXT NOT NULL)")
            inside.set()
            time.sleep(0.1)
            _add(connection, "one")

    thread = threading.Thread(target=turn)
    thread.start()
    inside.wait()
    database.close()
    thread.join()
    with pytest.raises(DatabaseUnavailable, match="closed"):
        _turn(database, "never")
    again = Database(sqlite_url, JOURNAL)
    assert _words(again) == ["one"]
    again.close()
