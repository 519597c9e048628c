"""Locks that the system frees when their holder dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from voucher_gateway.journal.schema import JOURNAL
from voucher_gateway.provider_api import DatabaseUnavailable, OperationInProgress
from voucher_gateway.storage.engine import Database

# Says its owner's name and holds the lock of a voucher until it is ended.
HOLDER = """
import sys
from voucher_gateway.journal.schema import JOURNAL
from voucher_gateway.storage.engine import Database
database = Database(sys.argv[1], JOURNAL)
with database.locks.hold("a voucher", wait_s=5):
    print(database.locks.owner(), flush=True)
    sys.stdin.read()
"""


@contextmanager
def holder(url: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Another process that lives and holds the lock of "a voucher"; gives its owner's name."""
    command = [sys.executable, "-c", HOLDER, url]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


@pytest.fixture
def database(either_url: str) -> Iterator[Database]:
    database = Database(either_url, JOURNAL)
    yield database
    database.close()


def test_an_owner_keeps_its_name_while_it_lives(database: Database) -> None:
    assert database.locks.owner() == database.locks.owner()
    assert database.locks.alive(database.locks.owner())


def test_an_owner_that_never_was_is_not_alive(database: Database) -> None:
    assert not database.locks.alive("0123456789abcdef")


def test_another_process_lives_until_it_is_killed(database: Database) -> None:
    with holder(database_url(database)) as (process, owner):
        assert database.locks.alive(owner)
        os.kill(process.pid, signal.SIGSTOP)
        assert database.locks.alive(owner)  # frozen is not dead: it may wake up
        with pytest.raises(OperationInProgress), database.locks.hold("a voucher", wait_s=0.05):
            raise AssertionError("two holders")
        process.kill()
        process.wait()
        _until(lambda: not database.locks.alive(owner))
        with database.locks.hold("a voucher", wait_s=2.0):
            pass


def test_a_forked_child_does_not_inherit_life(database: Database) -> None:
    """The parent of a pool of workers may die while its children live on; they are not it."""
    reading, writing = os.pipe()
    stop, end = os.pipe()
    parent = os.fork()
    if parent == 0:
        owner = database.locks.owner()
        if os.fork() == 0:
            os.close(end)
            os.read(stop, 1)  # the grandchild lives on, with copies of all descriptors
            os._exit(0)
        os.write(writing, owner.encode())
        os.kill(os.getpid(), signal.SIGKILL)
    os.close(stop)
    owner = os.read(reading, 100).decode()
    os.waitpid(parent, 0)
    _until(lambda: not database.locks.alive(owner))
    os.close(end)
    os.close(reading)
    os.close(writing)


def test_one_lock_has_one_holder_among_threads(database: Database) -> None:
    inside, most = 0, 0

    def work() -> None:
        nonlocal inside, most
        for _ in range(20):
            with database.locks.hold("a voucher", wait_s=20):
                inside += 1
                most = max(most, inside)
                inside -= 1

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1


def test_locks_of_other_names_do_not_wait_for_one_another(database: Database) -> None:
    with database.locks.hold("one", wait_s=0), database.locks.hold("other", wait_s=0):
        pass


def test_two_databases_of_one_process_are_two_users_of_one_lock(database: Database) -> None:
    """Byte locks never stand against their own process, and vanish when it closes any descriptor of the file."""
    other = Database(database_url(database), JOURNAL)
    mine, theirs = database.locks.owner(), other.locks.owner()
    assert database.locks.alive(theirs)
    assert other.locks.alive(mine)
    with database.locks.hold("a voucher", wait_s=0):
        with pytest.raises(OperationInProgress), other.locks.hold("a voucher", wait_s=0.05):
            raise AssertionError("two holders")
        other.close()
        command = [sys.executable, "-c", PROBE, database_url(database), mine]
        assert subprocess.run(command, check=True, capture_output=True, text=True).stdout == "alive held"


PROBE = """
import sys
from voucher_gateway.provider_api import DatabaseUnavailable, OperationInProgress
from voucher_gateway.journal.schema import JOURNAL
from voucher_gateway.storage.engine import Database
database = Database(sys.argv[1], JOURNAL)
print("alive" if database.locks.alive(sys.argv[2]) else "dead", end=" ")
try:
    with database.locks.hold("a voucher", wait_s=0.05):
        print("free", end="")
except OperationInProgress:
    print("held", end="")
"""


def test_the_lock_file_is_its_owners_alone(tmp_path: Path, sqlite_url: str) -> None:
    Database(sqlite_url, JOURNAL).close()
    assert (tmp_path / "journal.db.locks").stat().st_mode & 0o777 == 0o600


def test_a_process_whose_session_was_ended_has_another_name(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("voucher_gateway.storage.locks._RECHECK_S", 0.0)
    database, other = Database(postgres_url, JOURNAL), Database(postgres_url, JOURNAL)
    before = database.locks.owner()
    assert other.locks.alive(before)
    end_sessions_with_locks(postgres_url)
    _until(lambda: not other.locks.alive(before))
    after = database.locks.owner()
    assert after != before
    assert other.locks.alive(after)
    database.close()
    other.close()


def test_a_lock_that_was_lost_with_its_session_does_not_undo_what_was_done_under_it(
    postgres_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    database = Database(postgres_url, JOURNAL)
    with database.locks.hold("a voucher", wait_s=1):
        end_sessions_with_locks(postgres_url)
    assert "could not be released" in caplog.text
    with database.locks.hold("a voucher", wait_s=1):
        pass
    database.close()


def end_sessions_with_locks(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'")


def database_url(database: Database) -> str:
    return database._url.render_as_string(hide_password=False)


def _until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 5
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


# --- the lock file ---


def test_a_lock_file_that_was_deleted_locks_nothing_any_more(sqlite_url: str, tmp_path: Path) -> None:
    """Others lock a new file, and would take this process for dead and its call for not carried out."""
    database = Database(sqlite_url, JOURNAL)
    database.locks.owner()
    with database.locks.hold("held before", wait_s=0):
        (tmp_path / "journal.db.locks").unlink()
        other = Database(sqlite_url, JOURNAL)
        for attempt in (
            database.write().__enter__,  # what was begun under a lock that others no longer see
            database.locks.owner,
            lambda: database.locks.alive("0123456789abcdef"),
            database.locks.hold("a voucher", wait_s=0).__enter__,
        ):
            with pytest.raises(DatabaseUnavailable, match="deleted or replaced"):
                attempt()
    with other.locks.hold("a voucher", wait_s=0), other.write() as connection:
        connection.exec_driver_sql("SELECT 1")
    other.close()
    database.close()


def test_a_database_may_be_closed_while_a_lock_is_held(database: Database) -> None:
    """What was done under the lock is done."""
    with database.locks.hold("a voucher", wait_s=1):
        database.close()


def test_a_closed_lock_file_gives_no_locks(sqlite_url: str) -> None:
    database = Database(sqlite_url, JOURNAL)
    database.close()
    with pytest.raises(DatabaseUnavailable, match="closed"), database.locks.hold("a voucher", wait_s=0):
        raise AssertionError("held")
