"""A fork: neither process disturbs the other, and nothing of one outlives it in the other."""

from __future__ import annotations

import os
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
import pytest

from voucher_gateway.journal.schema import JOURNAL
from voucher_gateway.provider_api import DatabaseUnavailable
from voucher_gateway.storage.engine import Database
from voucher_gateway.storage.files import is_path_descriptor


@pytest.fixture
def words_url(sqlite_url: str) -> str:
    database = Database(sqlite_url, JOURNAL)
    with database.write() as connection:
        connection.exec_driver_sql("CREATE TABLE words (word TEXT NOT NULL)")
    database.close()
    return sqlite_url


def test_what_a_child_commits_stays_when_its_parent_has_closed(words_url: str) -> None:
    database = Database(words_url, JOURNAL)
    _add(database, "parent")
    with _child(lambda: _say_and_add(database, "child"), lambda: _say(database)) as child:
        database.close()
        assert _words(words_url) == ["parent"]
        assert child() == "child parent"
    assert _words(words_url) == ["child", "parent"]


def test_what_a_child_commits_stays_when_its_parent_has_died(words_url: str) -> None:
    """A process goes into the background: it forks, and the parent is gone."""
    gate, opened = os.pipe()
    reading, writing = os.pipe()

    def parent() -> None:
        database = Database(words_url, JOURNAL)
        _add(database, "parent")
        if os.fork() == 0:
            with database.read() as connection:
                connection.exec_driver_sql("SELECT word FROM words")
            os.write(writing, b"!")
            os.read(gate, 1)
            os.write(writing, _say_and_add(database, "child").encode())
            os._exit(0)

    with _child(parent) as gone:
        assert gone() == "None"
    assert os.read(reading, 1) == b"!"
    assert _words(words_url) == ["parent"]
    os.write(opened, b"!")
    assert os.read(reading, 100) == b"child parent"
    assert _words(words_url) == ["child", "parent"]
    for pipe in (gate, opened, reading, writing):
        os.close(pipe)


def test_no_connection_is_carried_over_a_fork(
    words_url: str, at_once: Callable[[Callable[[], object], int], list[str]]
) -> None:
    database, forgotten, failed = (
        Database(words_url, JOURNAL),
        Database(words_url, JOURNAL),
        Database(words_url, JOURNAL),
    )
    _add(database, "one")
    del forgotten
    with pytest.raises(DatabaseUnavailable) as caught, failed.write() as connection:
        connection.exec_driver_sql("INSERT INTO words VALUES (NULL)")

    def work() -> list[str]:
        numbers = [number for number in os.listdir("/proc/self/fd") if not is_path_descriptor(int(number))]
        files = [os.path.realpath(f"/proc/self/fd/{number}") for number in numbers]
        return [file for file in files if "journal.db" in file and not file.endswith(".locks")]

    assert at_once(work, 1) == ["[]"]
    assert caught.value.retry_safe
    _add(database, "two")
    assert _words(words_url) == ["one", "two"]


def test_a_fork_waits_for_another_threads_turn(words_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("voucher_gateway.storage.engine.BUSY_TIMEOUT_S", 0.5)
    database = Database(words_url, JOURNAL)
    inside = threading.Event()

    def turn() -> None:
        with database.write() as connection:
            connection.exec_driver_sql("INSERT INTO words VALUES ('thread')")
            inside.set()
            time.sleep(0.2)

    thread = threading.Thread(target=turn)
    thread.start()
    inside.wait()
    with _child(lambda: _say_and_add(database, "child")) as child:
        thread.join()
        assert child() == "child thread"
    _add(database, "parent")
    assert _words(words_url) == ["child", "parent", "thread"]


def test_a_child_that_was_forked_during_a_transaction_is_refused(
    words_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It can never use the file, as SQLite believes there that the parent's locks are its own."""
    monkeypatch.setattr("voucher_gateway.storage.fork.FORK_WAIT_S", 0.1)
    database = Database(words_url, JOURNAL)
    inside, end = threading.Event(), threading.Event()

    def turn() -> None:
        with database.write() as connection:
            connection.exec_driver_sql("INSERT INTO words VALUES ('thread')")
            inside.set()
            end.wait()

    thread = threading.Thread(target=turn)
    thread.start()
    inside.wait()
    for attempt in (lambda: _add(database, "child"), lambda: _add(Database(words_url, JOURNAL), "child")):
        with _child(attempt) as child:
            assert "DatabaseUnavailable: this process was forked during a transaction" in child()
    end.set()
    thread.join()
    assert _words(words_url) == ["thread"]


def test_a_fork_within_a_turn_ends_the_turn_for_the_parent_only(words_url: str) -> None:
    database = Database(words_url, JOURNAL)
    reading, writing = os.pipe()
    child = -1
    try:
        with database.write() as connection:
            connection.exec_driver_sql("INSERT INTO words VALUES ('one')")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                child = os.fork()
    except DatabaseUnavailable as error:
        os.write(writing, f"{error}".encode())
    finally:
        if child == 0:
            os._exit(0)
    os.close(writing)
    assert b"forked during" in os.read(reading, 1000)
    os.close(reading)
    os.waitpid(child, 0)
    _add(database, "two")
    assert _words(words_url) == ["one", "two"]
    database.close()


def test_a_killed_process_ends_its_transaction_though_its_child_lives_on(postgres_url: str) -> None:
    database = Database(postgres_url, JOURNAL)  # its pool has a connection now
    stop, end = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        killed = os.fork()
    if killed == 0:
        with database.read() as connection:  # a connection of this process's own
            connection.exec_driver_sql("SELECT 1")
        if os.fork() == 0:
            os.close(end)
            os.read(stop, 1)
            os._exit(0)
        with database.write() as connection:
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(1)")
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(killed, 0)
    with psycopg.connect(postgres_url, autocommit=True) as other:
        other.execute("SET lock_timeout = '5s'")
        other.execute("SELECT pg_advisory_lock(1)")
    os.close(end)
    os.close(stop)
    database.close()


def _add(database: Database, word: str) -> None:
    with database.write() as connection:
        connection.exec_driver_sql(f"INSERT INTO words VALUES ('{word}')")


def _say_and_add(database: Database, word: str) -> str:
    _add(database, word)
    return _say(database)


def _say(database: Database) -> str:
    with database.read() as connection:
        return " ".join(sorted(word for (word,) in connection.exec_driver_sql("SELECT word FROM words").fetchall()))


def _words(url: str) -> list[str]:
    database = Database(url, JOURNAL)
    with database.read() as connection:
        found = sorted(word for (word,) in connection.exec_driver_sql("SELECT word FROM words").fetchall())
    database.close()
    return found


@contextmanager
def _child(work: Callable[[], object], first: Callable[[], object] = str) -> Iterator[Callable[[], str]]:
    """A forked child that does something first, and works when it is asked what came of it."""
    gate, opened = os.pipe()
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        os.close(opened)
        try:
            first()
            os.write(writing, b"!")
            os.read(gate, 1)
            text = f"{work()}"
        except BaseException as error:  # noqa: BLE001 - told to the parent, and never returned into the test
            text = f"{type(error).__name__}: {error}"
        os.write(writing, text.encode())
        os._exit(0)
    os.close(writing)
    os.read(reading, 1)

    def ask() -> str:
        os.write(opened, b"!")
        said = os.read(reading, 10_000).decode()
        os.close(reading)
        os.waitpid(child, 0)
        return said

    yield ask
    os.close(gate)
    os.close(opened)
