"""A rate of requests: never exceeded, and the most urgent work first."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.long import first
from voucher_gateway import DatabaseUnavailable
from voucher_gateway.errors import ProviderUnavailable
from voucher_gateway.http.rate_limit import LocalPermits, RateLimit
from voucher_gateway.journal.journal import open_journal
from voucher_gateway.journal.permits import Permits
from voucher_gateway.journal.schema import JOURNAL, rates
from voucher_gateway.limits.shared_limits import Backlog, PermitStore
from voucher_gateway.limits.work_class import WorkClass
from voucher_gateway.storage.engine import Database

MakeStore = Callable[[], PermitStore]


@pytest.fixture(params=["local", "sqlite", "postgres"])
def store(request: pytest.FixtureRequest) -> Iterator[PermitStore]:
    """A store in memory, in a file, and in a server."""
    if request.param == "local":
        yield LocalPermits()
        return
    database = Database(request.getfixturevalue(f"{request.param}_url"), JOURNAL)
    yield Permits(database)
    database.close()


def most_at_once(sent: list[float], seconds: float) -> int:
    """Return the most moments in any time of that length."""
    sent = sorted(sent)
    return max(sum(1 for moment in sent if start <= moment < start + seconds) for start in sent)


def send(limit: RateLimit, count: int, kind: WorkClass = WorkClass.CHECKOUT) -> list[float]:
    sent = []
    for _ in range(count):
        limit.wait(kind)
        sent.append(time.monotonic())
    return sent


@pytest.mark.parametrize(("per_second", "burst", "count"), [(40.0, 1, 16), (40.0, 8, 24), (100.0, 40, 100)])
def test_a_rate_is_kept_by_threads_and_processes_together(
    store: PermitStore, per_second: float, burst: int, count: int
) -> None:
    # Two objects over one store are as two processes.
    limits = [RateLimit("one", per_second=per_second, burst=burst, store=store) for _ in range(2)]
    began = time.monotonic()
    with ThreadPoolExecutor(4) as pool:
        parts = list(pool.map(lambda number: send(limits[number % 2], count // 4), range(4)))
    sent = [moment for part in parts for moment in part]
    assert time.monotonic() - began >= (count - burst) / per_second * 0.95
    for seconds in (0.1, 0.25, 0.5):
        # A thread that got its permit may run a moment later than it should.
        assert most_at_once(sent, seconds) <= burst + per_second * (seconds + 0.05) + 1


@pytest.mark.parametrize("burst", first([8, 1]))
def test_the_more_urgent_work_is_served_first_when_all_want_everything(store: PermitStore, burst: int) -> None:
    counts: Counter[WorkClass] = Counter()
    end = time.monotonic() + 1.0
    limits = {kind: RateLimit("one", per_second=40.0, burst=burst, store=store) for kind in WorkClass}

    def work(kind: WorkClass) -> None:
        while time.monotonic() < end:
            try:
                limits[kind].wait(kind, until=end)
            except ProviderUnavailable:
                return
            counts[kind] += 1

    with ThreadPoolExecutor(8) as pool:
        for kind in (WorkClass.MIGRATE, WorkClass.CHECKOUT):
            pool.submit(work, kind)
            pool.submit(work, kind)
    assert counts[WorkClass.CHECKOUT] >= 0.6 * sum(counts.values())  # without priorities: about a half
    assert sum(counts.values()) >= 15  # the rate is used; a slow machine uses less of it


def test_each_class_leaves_a_reserve_for_the_more_urgent_ones() -> None:
    counts = {}
    for kind in WorkClass:
        limit = RateLimit("one", per_second=0.1, burst=16, store=LocalPermits())
        counts[kind] = 0
        while True:
            try:
                limit.wait(kind, until=time.monotonic() + 0.01)
            except ProviderUnavailable:
                break
            counts[kind] += 1
    assert counts == {
        WorkClass.CHECKOUT: 16,
        WorkClass.RECOVER: 12,
        WorkClass.RECONCILE: 8,
        WorkClass.MIGRATE: 4,
    }


def test_work_without_competition_uses_the_whole_rate(store: PermitStore) -> None:
    limit = RateLimit("one", per_second=50.0, burst=4, store=store)
    began = time.monotonic()
    send(limit, 25, WorkClass.MIGRATE)
    assert (25 - 4) / 50 * 0.95 <= time.monotonic() - began < 3.0


def test_a_call_that_cannot_wait_is_refused_at_once_and_takes_no_permit() -> None:
    limit = RateLimit("one", per_second=1.0, burst=1, store=LocalPermits())
    limit.wait(WorkClass.CHECKOUT)
    began = time.monotonic()
    for _ in range(50):
        with pytest.raises(ProviderUnavailable, match="requests_per_second"):
            limit.wait(WorkClass.CHECKOUT, until=time.monotonic() + 0.2)
    assert time.monotonic() - began < 0.5
    limit.wait(WorkClass.CHECKOUT, until=time.monotonic() + 1.5)


class CountingStore(LocalPermits):
    """Counts how often it is asked."""

    asked = 0

    def take(self, name: str, *, cost_us: int, limit_us: int) -> Backlog:
        self.asked += 1
        return super().take(name, cost_us=cost_us, limit_us=limit_us)


def test_not_every_request_asks_the_store_where_permits_are_plenty() -> None:
    store = CountingStore()
    limit = RateLimit("one", per_second=1000.0, burst=1000, store=store)
    send(limit, 100)
    assert store.asked < 10


def test_a_process_that_is_frozen_with_permits_keeps_none_from_the_others(store: PermitStore) -> None:
    frozen = RateLimit("one", per_second=100.0, burst=100, store=store)
    frozen.wait(WorkClass.CHECKOUT)  # it holds others, and never uses them
    other = RateLimit("one", per_second=100.0, burst=100, store=store)
    began = time.monotonic()
    send(other, 60)
    assert time.monotonic() - began < 1.0
    time.sleep(0.3)
    assert frozen._take_held(WorkClass.CHECKOUT) is None  # they are too old now


def test_permits_that_urgent_work_holds_are_not_for_other_work() -> None:
    limit = RateLimit("one", per_second=100.0, burst=100, store=LocalPermits())
    limit.wait(WorkClass.CHECKOUT)
    assert limit._take_held(WorkClass.MIGRATE) is None
    assert limit._take_held(WorkClass.CHECKOUT) is not None


def test_a_stop_ends_all_waits() -> None:
    stop = threading.Event()
    limit = RateLimit("one", per_second=0.1, burst=1, store=LocalPermits(), stop=stop)
    limit.wait(WorkClass.MIGRATE)
    with ThreadPoolExecutor(3) as pool:
        waits = [pool.submit(limit.wait, WorkClass.MIGRATE) for _ in range(3)]
        time.sleep(0.05)
        began = time.monotonic()
        stop.set()
        for wait in waits:
            wait.result()
    assert time.monotonic() - began < 0.5


def test_a_clock_that_is_set_back_or_forward_blocks_nobody_and_frees_at_most_one_burst(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database(sqlite_url, JOURNAL)
    permits = Permits(database)
    at = 2_000_000_000_000_000
    monkeypatch.setattr(time, "time_ns", lambda: at * 1000)
    assert permits.take("one", cost_us=1000, limit_us=2000) == Backlog(is_taken=True, microseconds=1000)
    at -= 3600 * 1_000_000  # back by an hour
    assert permits.take("one", cost_us=1000, limit_us=2000) == Backlog(is_taken=True, microseconds=2000)
    assert permits.take("one", cost_us=1000, limit_us=2000) == Backlog(is_taken=False, microseconds=2000)
    at += 500
    assert permits.take("one", cost_us=500, limit_us=2000) == Backlog(is_taken=True, microseconds=2000)
    at += 7200 * 1_000_000  # forward by two
    assert permits.take("one", cost_us=1000, limit_us=2000) == Backlog(is_taken=True, microseconds=1000)
    database.close()


def test_a_rate_that_cannot_be_read_refuses_the_request(sqlite_url: str) -> None:
    journal = open_journal(sqlite_url)
    with journal.database.write() as connection:
        rates.drop(connection)
    limit = RateLimit("one", per_second=10.0, burst=1, store=journal.permits)
    with pytest.raises(DatabaseUnavailable):
        limit.wait(WorkClass.CHECKOUT)
    journal.close()
