"""A journal with the table of checks, and a clock that stands still until a test moves it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

import pytest

from tests.support.simulators import JOURNAL_KEYS, make_journal_keys
from voucher_gateway.checks import guard as guard_module
from voucher_gateway.checks.guard import CheckGuard
from voucher_gateway.config.check_limits import CheckLimits
from voucher_gateway.journal.journal import Journal, open_journal


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 27, 12, tzinfo=UTC)

    def __call__(self, *_: object) -> datetime:
        return self.now

    def move(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of the guard."""
    clock = Clock()
    monkeypatch.setattr(guard_module, "_clock", clock)
    return clock


@pytest.fixture
def open_guard() -> Iterator[Callable[..., CheckGuard]]:
    """Open guards on the journal at a URL, as other processes would."""
    with ExitStack() as stack:

        def open_one(url: str, **limits: int) -> CheckGuard:
            journal = open_journal(url, make_journal_keys(JOURNAL_KEYS))
            stack.callback(journal.close)
            return CheckGuard(journal, CheckLimits(unusable_time_s=0, **limits))

        yield open_one


@pytest.fixture
def journal(sqlite_url: str) -> Iterator[Journal]:
    journal = open_journal(sqlite_url, make_journal_keys(JOURNAL_KEYS))
    yield journal
    journal.close()
