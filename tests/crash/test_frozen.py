"""A process freezes, another takes over where it can, and the frozen one resumes."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from tests.crash.outcomes import OPERATIONS, OVER_S, check_outcome, open_harness, split
from voucher_gateway.errors import OperationInProgress
from voucher_gateway.journal.records import OperationState
from voucher_gateway.testing.harness.child_process import (
    BEFORE_COMMIT,
    ChildProcess,
    require_reached,
    run_with_signal,
)
from voucher_gateway.testing.harness.crash import CrashHarness, JournalledCall


@contextmanager
def _frozen(harness: CrashHarness, attempt: JournalledCall, at: int) -> Iterator[ChildProcess]:
    with run_with_signal(harness.vendor, harness.url, attempt.call, at, signal.SIGSTOP) as child:
        require_reached(child, attempt.name)
        child.wait_frozen()
        yield child


def _resume(child: ChildProcess) -> str:
    """Let a frozen process finish its call, and return the outcome."""
    child.resume()
    return child.next_message()["outcome"]


def _freeze_on_sqlite(name: str, harness: CrashHarness, at: int) -> bool:
    """Freeze a process on SQLite, and return whether others found its operation taken."""
    attempt = harness.start_case(split(name)[1], f"frozen at its point {at}")
    with _frozen(harness, attempt, at) as child:
        is_open = attempt.state is OperationState.OPEN
        if is_open:  # a frozen process keeps its lock
            with pytest.raises(OperationInProgress):
                attempt.perform()
            harness.recover(advancing=False)
            assert attempt.state is OperationState.OPEN
        outcome = _resume(child)
        if is_open:
            assert outcome == "succeeded"
    attempt.repeat()
    check_outcome(name, attempt, repeated=True)
    return is_open


@pytest.mark.parametrize("name", ["jtl/redeem", "ticketing/redeem"])
def test_a_frozen_process_keeps_its_operation_on_sqlite(name: str, sqlite_url: str) -> None:
    with open_harness(split(name)[0], sqlite_url) as harness:
        points = harness.profile(split(name)[1]).points
        # A process that is frozen within a commit holds the database: then nobody can write, and nothing is lost.
        safe = [at for at, label in enumerate(points) if label != BEFORE_COMMIT]
        taken = [_freeze_on_sqlite(name, harness, at) for at in safe[::2]]
    assert any(taken)


def _sessions(url: str) -> set[int]:
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        return {pid for (pid,) in rows}


def _end_sessions(url: str, sessions: set[int]) -> None:
    """End sessions, as a failed network or an administrator does; their locks end with them."""
    with psycopg.connect(url, autocommit=True) as connection:
        for pid in sessions:
            connection.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))


def _freeze_on_postgres(name: str, harness: CrashHarness, at: int, *, later_s: float) -> None:
    attempt = harness.start_case(split(name)[1], f"frozen at its point {at} and cut off")
    known = _sessions(harness.url)
    with _frozen(harness, attempt, at) as child:
        _end_sessions(harness.url, _sessions(harness.url) - known)
        harness.vendor.advance(later_s)
        harness.recover(advancing=False)
        if later_s:
            attempt.repeat()
        assert attempt.case.times() <= 1
        _resume(child)
        assert attempt.case.times() <= 1
    attempt.repeat()
    check_outcome(name, attempt, repeated=True)


@pytest.mark.parametrize("name", ["jtl/redeem", "jtl/top_up", "ticketing/redeem"])
def test_a_frozen_process_that_lost_its_session_does_nothing_twice(name: str, postgres_url: str) -> None:
    with open_harness(split(name)[0], postgres_url) as harness:
        for at in range(1, len(harness.profile(split(name)[1]).points), 4):
            _freeze_on_postgres(name, harness, at, later_s=OVER_S)


@pytest.mark.slow
@pytest.mark.parametrize("later_s", [0, OVER_S])
@pytest.mark.parametrize("name", OPERATIONS)
def test_a_process_frozen_at_any_point_does_nothing_twice(name: str, later_s: float, postgres_url: str) -> None:
    with open_harness(split(name)[0], postgres_url) as harness:
        for at in range(len(harness.profile(split(name)[1]).points)):
            _freeze_on_postgres(name, harness, at, later_s=later_s)
