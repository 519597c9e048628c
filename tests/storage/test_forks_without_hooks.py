"""A fork that runs no hooks, or the child's only: SQLite and PostgreSQL keep all that either process commits."""

from __future__ import annotations

import os
import signal

import psycopg
import pytest

from tests.support.forked_child import CHILD_HOOKS_ONLY, WITH_HOOKS, WITHOUT_HOOKS, Child, run_in_master
from voucher_gateway.journal.schema import JOURNAL
from voucher_gateway.storage.engine import Database

pytestmark = pytest.mark.parametrize("way", [WITHOUT_HOOKS, CHILD_HOOKS_ONLY])


@pytest.fixture
def words_url(sqlite_url: str) -> str:
    database = Database(sqlite_url, JOURNAL)
    with database.write() as connection:
        connection.exec_driver_sql("CREATE TABLE words (word TEXT NOT NULL)")
    database.close()
    return sqlite_url


def test_what_a_child_commits_stays_when_its_parent_has_closed(words_url: str, way: str) -> None:
    def master() -> str:
        database = Database(words_url, JOURNAL)
        add(database, "parent")
        child = Child(way, lambda: add(database, "child"))
        child.begin()
        database.close()
        return child.answer()

    assert run_in_master(master) == "child parent"
    assert words(words_url) == "child parent"


def test_children_of_a_dead_parent_start_one_after_the_other(words_url: str, way: str) -> None:
    """Each closes the file as its last user, which deletes the log that its siblings have inherited."""
    assert run_in_master(lambda: _family(words_url, way)) == "over over over"
    assert words(words_url) == "first parent second third"


def _family(url: str, way: str) -> str:
    """Fork a parent that forks three children and dies, and let the children work one after the other."""
    gates = [os.pipe() for _ in range(3)]
    reading, writing = os.pipe()
    parent = os.fork()
    if parent == 0:
        database = Database(url, JOURNAL)
        add(database, "parent")
        for (gate, _), name in zip(gates, ("first", "second", "third"), strict=True):
            Child(way, lambda gate=gate, name=name: _work(database, gate, name, writing)).begin()  # type: ignore[misc]
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(parent, 0)
    answers = []
    for _, opened in gates:
        os.write(opened, b"!")
        answers.append(os.read(reading, 1000).decode())
    return " ".join(answers)


def _work(database: Database, gate: int, name: str, writing: int) -> None:
    os.read(gate, 1)
    try:
        add(database, name)
        database.close()
        text = "over"
    except BaseException as error:  # noqa: BLE001 - sent to the test
        text = f"{type(error).__name__}: {error}"
    os.write(writing, text.encode())


def test_a_child_leaves_the_log_of_a_killed_process_alone(words_url: str, way: str) -> None:
    """The log that the child inherited is gone, and there is another by its name, which nobody has open."""

    def master() -> str:
        database = Database(words_url, JOURNAL)
        add(database, "parent")
        child = Child(way, lambda: add(database, "child"))
        database.close()
        _add_and_die(words_url)
        child.begin()
        return child.answer()

    assert run_in_master(master) == "child killed parent"
    assert words(words_url) == "child killed parent"


def test_a_child_that_uses_nothing_leaves_the_log_alone(words_url: str, way: str) -> None:
    def master() -> str:
        database = Database(words_url, JOURNAL)
        add(database, "parent")
        shared = [database]
        del database
        child = Child(way, shared.clear)  # the garbage collector closes what it inherited
        shared[0].close()
        _add_and_die(words_url)
        child.begin()
        return child.answer()

    assert run_in_master(master) == "None"
    assert words(words_url) == "killed parent"


def test_a_child_that_was_forked_during_a_transaction_is_refused(words_url: str, way: str) -> None:
    def master() -> str:
        database = Database(words_url, JOURNAL)
        with database.write() as connection:
            connection.exec_driver_sql("INSERT INTO words VALUES ('parent')")
            children = [
                Child(way, lambda: add(database, "child")),
                Child(way, lambda: add(Database(words_url, JOURNAL), "new")),
            ]
        for child in children:
            child.begin()
        return "\n".join(child.answer() for child in children)

    refused = "DatabaseUnavailable: this process was forked during a transaction"
    assert run_in_master(master).count(refused) == 2
    assert words(words_url) == "parent"


def test_a_child_has_sessions_and_a_name_of_its_own(postgres_url: str, way: str) -> None:
    def master() -> str:
        database = Database(postgres_url, JOURNAL)
        names = {database.locks.owner()}
        children = [Child(way, lambda: f"{_session(database)} {database.locks.owner()}") for _ in range(2)]
        sessions = {_session(database)}
        for child in children:
            child.begin()
            session, name = child.answer().split()
            sessions.add(session)
            names.add(name)
        return f"{len(sessions)} {len(names)} {_session(database) in sessions}"

    assert run_in_master(master) == "3 3 True"


def test_a_killed_parent_frees_its_locks_once_its_children_work(postgres_url: str, way: str) -> None:
    """A session ends with the last copy of its socket, and a child closes its copy with its first use."""
    database = Database(postgres_url, JOURNAL)
    reading, writing = os.pipe()

    def parent() -> None:
        with database.write() as connection:
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(1)")
            child = Child(way, lambda: (_session(database), os.write(writing, b"!"), os.read(os.pipe()[0], 1)))
            child.begin()
            os.write(writing, f"{child.pid} ".encode())
            _die()

    killed = Child(WITH_HOOKS, parent)
    killed.begin()
    killed.wait_until_killed()
    text = b""
    while b"!" not in text:
        text += os.read(reading, 100)
    with psycopg.connect(postgres_url, autocommit=True) as other:
        other.execute("SET lock_timeout = '5s'")
        other.execute("SELECT pg_advisory_lock(1)")
    os.kill(int(text.split()[0]), signal.SIGKILL)
    database.close()


def add(database: Database, word: str) -> str:
    with database.write() as connection:
        connection.exec_driver_sql(f"INSERT INTO words VALUES ('{word}')")
    with database.read() as connection:
        return " ".join(sorted(word for (word,) in connection.exec_driver_sql("SELECT word FROM words").fetchall()))


def words(url: str) -> str:
    database = Database(url, JOURNAL)
    with database.read() as connection:
        found = sorted(word for (word,) in connection.exec_driver_sql("SELECT word FROM words").fetchall())
    database.close()
    return " ".join(found)


def _session(database: Database) -> str:
    with database.read() as connection:
        return str(connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one())


def _add_and_die(url: str) -> None:
    def work() -> None:
        database = Database(url, JOURNAL)
        add(database, "killed")
        _die()

    killed = Child(WITH_HOOKS, work)
    killed.begin()
    killed.wait_until_killed()


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
