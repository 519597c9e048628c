"""Workers that write, and die, while a journal is verified: none of that is taken for an edit."""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import closing
from functools import partial
from typing import Final

import pytest
import sqlalchemy as sa

from tests.support.shop import Shop
from tests.support.threads import run_numbered_threads
from voucher_gateway import Money
from voucher_gateway.audit.verify import verify_journal
from voucher_gateway.journal.events.append import append_event
from voucher_gateway.journal.events.kinds import EventKind
from voucher_gateway.journal.journal import Journal, open_journal
from voucher_gateway.journal.schema import chains
from voucher_gateway.setting_types import SecretSource

KEYS: Final = {"1": SecretSource.of("a-key-for-these-tests")}
_PATIENCE_S: Final = 30.0


def append(journal: Journal, subject: str) -> None:
    with journal.database.write() as connection:
        append_event(connection, journal.keys, EventKind.ACCOUNT_PAUSED, subject, {})


def test_a_journal_is_clean_while_threads_redeem(either_shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("voucher_gateway.audit.subjects._SUBJECTS", 3)
    codes = [either_shop.voucher()[1] for _ in range(4)]
    is_over = threading.Event()
    found = []

    def work(number: int) -> None:
        if number == 4:
            while not is_over.is_set():
                found.append(verify_journal(either_shop.journal).differences)
            return
        for count in range(6):
            either_shop.gateway.redeem("shop", codes[number], Money("0.01", "EUR"), reference=f"{number}-{count}")
        if number == 0:
            is_over.set()

    run_numbered_threads(5, work)
    found.append(verify_journal(either_shop.journal).differences)

    assert set(found) == {()}


def test_events_that_are_committed_late_are_not_missed(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An event has a smaller id than those that the audit has read, and is committed after them."""
    with closing(open_journal(postgres_url, KEYS)) as journal:
        append(journal, "first")
        with journal.database.write() as connection:
            append_event(connection, journal.keys, EventKind.ACCOUNT_PAUSED, "late", {})
            for _ in range(3):
                append(journal, "quick")
            assert verify_journal(journal).differences == ()
            commit_after_first_batch(journal, connection, monkeypatch)
            report = verify_journal(journal)
        assert report.differences == ()
        assert report.events == 6


def commit_after_first_batch(journal: Journal, connection: sa.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commit a transaction, and append to its chain, after the audit has read its first two events."""
    from voucher_gateway.audit import chains as walked
    from voucher_gateway.journal.schema import events
    from voucher_gateway.storage.statements import PreparedStatement

    monkeypatch.setattr(walked, "_BATCH", 2)
    following = sa.select(events).where(events.c.id > sa.bindparam("last")).order_by(events.c.id).limit(2)
    monkeypatch.setattr(walked, "_NEXT", PreparedStatement(following))
    snapshot = journal.database.snapshot
    count = 0

    def counted_snapshot() -> object:
        nonlocal count
        count += 1
        if count == 2:
            connection.commit()
            connection.begin()
            append(journal, "last")
        return snapshot()

    monkeypatch.setattr(journal.database, "snapshot", counted_snapshot)


def test_processes_that_are_killed_leave_a_clean_journal(either_url: str) -> None:
    with closing(open_journal(either_url, KEYS)) as journal:
        append(journal, "first")
        for _ in range(4):
            child = os.fork()
            if child == 0:
                append_until_killed(journal)
            wait_for_another_event(journal)
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        append(journal, "last")
        report = verify_journal(journal)

    assert report.differences == ()
    assert report.events > 4


def wait_for_another_event(journal: Journal) -> None:
    """Wait until a child has appended an event since this was called."""
    deadline = time.monotonic() + _PATIENCE_S
    length = sa.select(sa.func.sum(chains.c.length))
    with journal.database.read() as connection:
        before = connection.scalar(length)
    while time.monotonic() < deadline:
        with journal.database.read() as connection:
            if connection.scalar(length) != before:
                return
        time.sleep(0.005)


def append_until_killed(journal: Journal) -> None:
    """Append events in a child process for ever."""
    try:
        while True:
            append(journal, "child")
    finally:
        os._exit(1)


def test_there_are_as_many_chains_as_transactions_at_once(postgres_url: str) -> None:
    with closing(open_journal(postgres_url, KEYS)) as journal:
        run_numbered_threads(6, partial(append_some, journal))
        with journal.database.read() as connection:
            count = connection.scalars(sa.select(sa.func.count()).select_from(chains)).one()
        report = verify_journal(journal)

    assert report.differences == ()
    assert report.events == 120
    assert count is not None
    # A transaction that looks for a free chain may find each one locked, though all were never locked at one moment.
    assert report.chains == count <= 2 * 6


def append_some(journal: Journal, thread: int) -> None:
    for _ in range(20):
        append(journal, f"shop-{thread}")
