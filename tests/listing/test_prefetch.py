"""Fetching ahead: how far, in which order it comes out, what stays in memory, and that no thread is left behind."""

from __future__ import annotations

import gc
import itertools
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator

import pytest

from voucher_gateway.listing.listing import Listing
from voucher_gateway.listing.page import Page

WAIT = 10.0  # seconds; only a broken build waits so long


def listing_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "listing"]


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    yield
    gc.collect()
    assert gone()


def gone() -> bool:
    for thread in listing_threads():
        thread.join(WAIT)
    return not listing_threads()


def page(index: int, pages: int = 20) -> Page[str]:
    return Page(items=[f"v{index}"] if index < pages else [], total=pages, size=1)


class Gate:
    """A fetch that holds every page but the first until it is let through, and counts."""

    def __init__(self, total: int = 20) -> None:
        self.total = total
        self.open = threading.Event()
        self.lock = threading.Lock()
        self.started = 0
        self.inside = 0
        self.most_inside = 0
        self.threads: dict[int, str] = {}

    def fetch(self, index: int) -> Page[str]:
        with self.lock:
            self.started += 1
            self.inside += 1
            self.most_inside = max(self.most_inside, self.inside)
            self.threads[index] = threading.current_thread().name
        if index:
            assert self.open.wait(WAIT)
        with self.lock:
            self.inside -= 1
        return page(index, self.total)

    def settle(self, started: int) -> int:
        """Wait until so many fetches have begun, a moment longer for one too many, and say how many have."""
        until = time.monotonic() + WAIT
        while self.started < started and time.monotonic() < until:
            time.sleep(0.001)
        time.sleep(0.02)
        return self.started


def test_the_first_page_is_read_on_the_calling_thread_and_the_others_ahead_of_it() -> None:
    gate = Gate()
    with Listing(gate.fetch, key=str, workers=3) as entries:
        assert gate.settle(0) == 0
        assert next(entries) == "v0"
        assert gate.settle(4) == 4
        assert gate.threads == {0: threading.current_thread().name, 1: "listing", 2: "listing", 3: "listing"}
        gate.open.set()


@pytest.mark.parametrize("workers", [2, 3, 5])
def test_no_more_pages_than_workers_are_under_way_and_twice_as_many_with_those_that_wait(workers: int) -> None:
    gate = Gate()
    gate.open.set()
    with Listing(gate.fetch, key=str, workers=workers) as entries:
        for taken, _ in enumerate(entries, 1):
            assert gate.settle(min(taken + 2 * workers, 20)) == min(taken + 2 * workers, 20)
    assert gate.most_inside <= workers


def test_workers_read_side_by_side() -> None:
    together = threading.Barrier(4)

    def fetch(index: int) -> Page[str]:
        if index:
            together.wait(WAIT)
        return page(index, 9)

    assert len(list(Listing(fetch, key=str, workers=4))) == 9


def test_pages_come_out_in_order_however_late_they_arrive() -> None:
    arrived = [threading.Event() for _ in range(5)]

    def fetch(index: int) -> Page[str]:
        if 1 <= index <= 3:
            assert arrived[index + 1].wait(WAIT)  # the later page first
        arrived[index].set()
        return page(index, 5)

    assert list(Listing(fetch, key=str, workers=4)) == [f"v{number}" for number in range(5)]


def test_a_late_page_does_not_keep_the_other_workers_idle() -> None:
    late, beyond = threading.Event(), threading.Event()

    def fetch(index: int) -> Page[str]:
        if index == 1:
            assert late.wait(WAIT)
        if index == 4:
            beyond.set()
        return page(index, 5)

    with Listing(fetch, key=str, workers=2) as entries:
        assert next(entries) == "v0"
        assert beyond.wait(WAIT)
        late.set()
        assert len(list(entries)) == 4


def test_a_page_may_be_made_on_the_thread_that_reads_the_listing() -> None:
    fetched_on: set[str] = set()
    made_on: set[str] = set()

    def fetch(index: int) -> Callable[[], Page[str]]:
        fetched_on.add(threading.current_thread().name)

        def make() -> Page[str]:
            made_on.add(threading.current_thread().name)
            return page(index)

        return make

    assert list(Listing(fetch, key=str, workers=3)) == [f"v{number}" for number in range(20)]
    assert fetched_on == {threading.current_thread().name, "listing"}
    assert made_on == {threading.current_thread().name}


@pytest.mark.parametrize("workers", [1, 3])
def test_a_page_that_cannot_be_made_is_an_error_in_its_place(workers: int) -> None:
    def fetch(index: int) -> Callable[[], Page[str]]:
        def make() -> Page[str]:
            if index == 2:
                raise LookupError
            return page(index)

        return make

    entries = Listing(fetch, key=str, workers=workers)
    assert [next(entries), next(entries)] == ["v0", "v1"]
    with pytest.raises(LookupError):
        next(entries)
    assert list(entries) == []


def test_one_worker_starts_no_thread() -> None:
    seen: set[threading.Thread] = set()

    def fetch(index: int) -> Page[str]:
        seen.add(threading.current_thread())
        return page(index)

    assert len(list(Listing(fetch, key=str, workers=1))) == 20
    assert seen == {threading.current_thread()}
    assert listing_threads() == []


def test_a_list_of_one_page_starts_no_thread() -> None:
    assert list(Listing(lambda index: page(index, 1), key=str, workers=4)) == ["v0"]
    assert listing_threads() == []


def _to_the_end(entries: Listing[str]) -> None:
    assert len(list(entries)) == 20


def _to_the_limit(entries: Listing[str]) -> None:
    assert len(list(itertools.islice(entries, 8))) == 8


def _closed_early(entries: Listing[str]) -> None:
    next(entries)
    entries.close()
    assert list(entries) == []
    entries.close()


def _left_by_an_error(entries: Listing[str]) -> None:
    try:
        with entries:
            next(entries)
            raise LookupError
    except LookupError:
        pass


@pytest.mark.parametrize("use", [_to_the_end, _to_the_limit, _closed_early, _left_by_an_error])
def test_no_thread_outlives_its_use(use: Callable[[Listing[str]], None]) -> None:
    entries = Listing(page, key=str, workers=4, limit=8 if use is _to_the_limit else None)
    use(entries)
    assert gone()
    assert entries.report.seen >= 1


def test_no_thread_outlives_a_forgotten_listing() -> None:
    entries = Listing(page, key=str, workers=4)
    next(entries)
    assert listing_threads()
    del entries
    assert gone()


def test_closing_does_not_wait_for_pages_under_way_and_begins_no_others() -> None:
    gate = Gate()
    entries = Listing(gate.fetch, key=str, workers=3)
    next(entries)
    assert gate.settle(4) == 4
    entries.close()
    assert list(entries) == []
    gate.open.set()
    assert gone()
    assert gate.started == 4


def test_an_interrupt_leaves_no_thread_and_a_token_that_goes_on() -> None:
    interrupted = "v7"

    def key(entry: str) -> str:
        if entry == interrupted:
            raise KeyboardInterrupt
        return entry

    entries = Listing(page, key=key, workers=4)
    given = list(itertools.islice(entries, 7))
    with pytest.raises(KeyboardInterrupt):
        next(entries)
    assert gone()
    assert given + list(Listing(page, key=str, resume=entries.resume_token)) == [f"v{number}" for number in range(20)]


def test_threads_are_daemons_so_that_a_hanging_vendor_does_not_hold_the_interpreter() -> None:
    gate = Gate()
    with Listing(gate.fetch, key=str, workers=3) as entries:
        next(entries)
        assert all(thread.daemon for thread in listing_threads())
        gate.open.set()


def _peak(work: Callable[[], object]) -> int:
    """Return the most bytes that the work took at a time."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def _read(pages: int) -> None:
    """Read so many pages of 50 kB."""

    def fetch(index: int) -> Page[bytes]:
        numbers = range(index * 50, index * 50 + 50)
        return Page(items=[b"%06d" % number + bytes(1000) for number in numbers], total=pages * 50, size=50)

    entries = Listing(fetch, key=lambda item: item[:6].decode(), workers=4)
    assert sum(1 for _ in entries) == pages * 50


def _hash(entries: int) -> None:
    known: set[int] = set()
    for number in range(entries):
        known.add(2**63 + number)


@pytest.mark.long
def test_memory_grows_by_a_small_hash_an_entry_and_by_nothing_else() -> None:
    few, many, hashes = _peak(lambda: _read(20)), _peak(lambda: _read(500)), _peak(lambda: _hash(500 * 50))
    assert few < 14 * 60_000  # the page in hand, eight under way or waiting, and what is just being made
    assert many < few + hashes + 2 * 60_000
    assert hashes < 500 * 50 * 150  # of the entries themselves, 1000 bytes each
