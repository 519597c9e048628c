"""A process freezes, another takes over where it can, and the frozen one wakes up."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import psycopg
import pytest

from tests.crash.truth import OVER_S, Scene, count_points, scene
from tests.crash.verbs import VERBS
from tests.crash.worker import Job, Victim, at_work
from voucher_gateway.journal.journal import Journal
from voucher_gateway.journal.records import OperationState
from voucher_gateway.provider_api import OperationInProgress

_accounts: Final = itertools.count(1)


@contextmanager
def _frozen(one: Scene, verb: str, at: int) -> Iterator[Victim]:
    with at_work(Job(one.site, verb, one.prepared, at, "freeze")) as worker:
        assert worker.heard()[0] == "struck"
        worker.wait_frozen()
        yield worker


def _wake(worker: Victim) -> str:
    worker.thaw()
    over, came_to, _ = worker.heard()
    assert over == "over"
    worker.let_end()
    return str(came_to)


def _begun(one: Scene) -> bool:
    return one.state() is OperationState.OPEN


def _freeze_on_sqlite(verb: str, at: int, journal: Journal, url: str) -> bool:
    """Freeze it on SQLite, and say whether others found the operation taken."""
    with scene(VERBS[verb], journal, url, f"shop{next(_accounts)}") as one, _frozen(one, verb, at) as worker:
        begun = _begun(one)
        if begun:  # the lock of a frozen process is as good as that of any other
            with pytest.raises(OperationInProgress):
                one.perform()
            one.gateway.recover(account=one.site.account, everything=True)
            assert _begun(one)
        came_to = _wake(worker)
        if begun:
            assert came_to == "succeeded"
        one.retry()
        one.check(repeated=True)
    return begun


@pytest.mark.parametrize("verb", ["jtl/redeem", "ticketing/redeem"])
def test_a_frozen_process_keeps_its_operation_on_sqlite(verb: str, sqlite_journal: Journal, sqlite_url: str) -> None:
    points = count_points(verb, sqlite_journal, sqlite_url, "first")
    # Frozen within a commit, it would hold the database itself: nobody can write then, and nothing is lost.
    safe = [at for at, label in enumerate(points) if label != "before a commit"]
    taken = [_freeze_on_sqlite(verb, at, sqlite_journal, sqlite_url) for at in safe[::2]]
    assert any(taken)


def _sessions(url: str) -> set[int]:
    with psycopg.connect(url) as connection:
        found = connection.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        return {pid for (pid,) in found}


def _cut_off(url: str, sessions: set[int]) -> None:
    """End sessions, as a failed network or an administrator does; with them end their locks."""
    with psycopg.connect(url, autocommit=True) as connection:
        for pid in sessions:
            connection.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))


def _freeze_on_postgres(verb: str, at: int, journal: Journal, url: str, *, later_s: float) -> None:
    with scene(VERBS[verb], journal, url, f"shop{next(_accounts)}") as one:
        known = _sessions(url)
        with _frozen(one, verb, at) as worker:
            _cut_off(url, _sessions(url) - known)
            one.running.clock.advance(later_s)
            one.gateway.recover(account=one.site.account, everything=True)
            if later_s:
                one.retry()
            assert one.times() <= 1
            _wake(worker)
            assert one.times() <= 1
        one.retry()
        one.check(repeated=True)


@pytest.mark.parametrize("verb", ["jtl/redeem", "jtl/top_up", "ticketing/redeem"])
def test_a_frozen_process_that_lost_its_session_does_nothing_twice(
    verb: str, postgres_journal: Journal, postgres_url: str
) -> None:
    points = count_points(verb, postgres_journal, postgres_url, "first")
    for at in range(1, len(points), 4):
        _freeze_on_postgres(verb, at, postgres_journal, postgres_url, later_s=OVER_S)


@pytest.mark.slow
@pytest.mark.parametrize("later_s", [0, OVER_S])
@pytest.mark.parametrize("verb", VERBS)
def test_a_process_frozen_at_any_point_does_nothing_twice(
    verb: str, later_s: float, postgres_journal: Journal, postgres_url: str
) -> None:
    for at in range(len(count_points(verb, postgres_journal, postgres_url, "first"))):
        _freeze_on_postgres(verb, at, postgres_journal, postgres_url, later_s=later_s)
