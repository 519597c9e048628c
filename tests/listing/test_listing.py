"""One reading of a paged list: what comes, in which order, how many requests it takes, and what the report says."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voucher_gateway.errors import InvalidRequest, MalformedResponse, ProviderUnavailable
from voucher_gateway.listing.listing import MAX_STALLED_PAGES_BEYOND_END, MAX_STALLED_PAGES_WITHIN, Listing
from voucher_gateway.listing.page import Page

sizes = st.integers(1, 5)
workers = st.sampled_from([1, 2, 4])
tellings = st.sampled_from([("total",), ("pages",), ("total", "pages"), ()])


class Vendor:
    """Lists its ids by page number; `between` runs after each page it gives."""

    def __init__(self, ids: Sequence[str], size: int, tells: tuple[str, ...] = ("total",)) -> None:
        self.ids = list(ids)
        self.size = size
        self.tells = tells
        self.asked: list[int] = []
        self.between: Callable[[Vendor], None] = lambda _: None

    def fetch(self, index: int) -> Page[str]:
        self.asked.append(index)
        page = Page(
            items=self.ids[index * self.size : (index + 1) * self.size],
            total=len(self.ids) if "total" in self.tells else None,
            pages=math.ceil(len(self.ids) / self.size) if "pages" in self.tells else None,
            size=self.size,
        )
        self.between(self)
        return page


def names(count: int, prefix: str = "v") -> list[str]:
    return [f"{prefix}{number}" for number in range(count)]


def listing(vendor: Vendor, workers: int = 1, limit: int | None = None) -> Listing[str]:
    return Listing(vendor.fetch, key=str, workers=workers, limit=limit)


def paged(*pages: Page[str]) -> Callable[[int], Page[str]]:
    return lambda index: pages[index]


@given(count=st.integers(0, 40), size=sizes, workers=workers, tells=tellings)
def test_a_list_that_stays_still_is_given_whole_and_in_order(
    count: int, size: int, workers: int, tells: tuple[str, ...]
) -> None:
    vendor = Vendor(names(count), size, tells)
    entries = listing(vendor, workers)
    assert list(entries) == names(count)
    report = entries.report
    assert (report.seen, report.duplicates, report.finished, report.problems) == (count, 0, True, ())
    assert report.vendor_total == (count if "total" in tells else None)
    assert report.consistent == (True if "total" in tells else None)
    if tells:
        assert sorted(vendor.asked) == list(range(max(1, math.ceil(count / size))))
        assert report.pages == len(vendor.asked)


@given(data=st.data(), count=st.integers(0, 25), size=sizes)
def test_insertions_anywhere_hide_nothing_from_one_worker_and_are_reported(
    data: st.DataObject, count: int, size: int
) -> None:
    vendor = Vendor(names(count), size)
    new = (f"new{number}" for number in itertools.count())
    told: list[int] = []

    def insert(vendor: Vendor) -> None:
        told.append(len(vendor.ids))
        room = (
            count + (MAX_STALLED_PAGES_BEYOND_END - 1) * size - len(vendor.ids)
        )  # more at once looks like a vendor gone mad
        for _ in range(data.draw(st.integers(0, room))):
            vendor.ids.insert(data.draw(st.integers(0, len(vendor.ids))), next(new))

    vendor.between = insert
    entries = listing(vendor)
    given = list(entries)
    assert len(given) == len(set(given))
    assert [entry for entry in given if entry.startswith("v")] == names(count)
    assert entries.report.consistent is (len(set(told)) == 1)


@given(data=st.data(), count=st.integers(0, 25), size=sizes)
def test_deletions_are_reported_and_nothing_comes_twice(data: st.DataObject, count: int, size: int) -> None:
    vendor = Vendor(names(count), size)

    def delete(vendor: Vendor) -> None:
        for _ in range(data.draw(st.integers(0, min(2, len(vendor.ids))))):
            del vendor.ids[data.draw(st.integers(0, len(vendor.ids) - 1))]

    vendor.between = delete
    entries = listing(vendor)
    given = list(entries)
    assert len(given) == len(set(given))
    assert entries.report.finished
    if set(vendor.ids) - set(given):
        assert entries.report.consistent is False
        assert entries.report.problems


@given(count=st.integers(0, 25), size=sizes, growth=st.integers(0, 4), workers=workers)
def test_entries_appended_while_paging_hide_nothing_from_any_number_of_workers(
    count: int, size: int, growth: int, workers: int
) -> None:
    vendor = Vendor(names(count), size)
    new = (f"new{number}" for number in itertools.count())

    def append(vendor: Vendor) -> None:
        if len(vendor.asked) < 10:
            vendor.ids += itertools.islice(new, growth)

    vendor.between = append
    given = list(listing(vendor, workers))
    assert len(given) == len(set(given))
    assert given[:count] == names(count)


def test_a_page_that_appears_at_the_end_is_read_too() -> None:
    vendor = Vendor(names(4), 2)
    vendor.between = lambda vendor: vendor.ids.extend(names(4, "late") if len(vendor.asked) == 1 else [])
    entries = listing(vendor)
    assert list(entries) == names(4) + names(4, "late")
    assert entries.report.vendor_total == 8
    assert entries.report.consistent is False
    assert entries.report.problems == ("the total changed while reading, first from 4 to 8",)


@pytest.mark.parametrize("workers", [1, 4])
def test_a_list_that_shrinks_ends_soon_after_its_new_end(workers: int) -> None:
    vendor = Vendor(names(1000), 2)

    def shrink(vendor: Vendor) -> None:
        del vendor.ids[10:]

    vendor.between = shrink
    entries = listing(vendor, workers)
    assert list(entries)[:10] == names(10)
    assert len(vendor.asked) <= 6 + 2 * workers
    assert entries.report.consistent is False


@pytest.mark.parametrize("workers", [1, 4])
def test_an_empty_page_in_the_middle_does_not_end_the_list(workers: int) -> None:
    pages = [["a", "b"], [], [], ["c", "d"]]
    entries = Listing(lambda index: Page(items=pages[index], total=8, size=2), key=str, workers=workers)
    assert list(entries) == ["a", "b", "c", "d"]
    assert entries.report.problems == ("4 entries came, the vendor counts 8",)


def test_an_empty_page_that_tells_no_total_does_not_end_a_list_whose_end_is_known() -> None:
    fetch = paged(Page(items=["a"], total=3, size=1), Page(items=[], size=1), Page(items=["c"], total=3, size=1))
    assert list(Listing(fetch, key=str, workers=1)) == ["a", "c"]


def test_a_page_that_was_read_before_the_list_grew_does_not_take_the_growth_back() -> None:
    totals = [3, 4, 3, 4]
    fetch = paged(*(Page(items=[f"v{index}"], total=total, size=1) for index, total in enumerate(totals)))
    assert list(Listing(fetch, key=str, workers=1)) == names(4)


def test_without_totals_the_first_empty_page_is_the_end() -> None:
    vendor = Vendor(names(4), 2, tells=())
    assert list(listing(vendor)) == names(4)
    assert vendor.asked == [0, 1, 2]


def test_the_number_of_pages_follows_the_size_that_the_vendor_really_uses() -> None:
    asked_for, used = 100, 2
    vendor = Vendor(names(6), used)
    assert asked_for != used
    assert list(listing(vendor)) == names(6)
    assert vendor.asked == [0, 1, 2]


def test_the_larger_of_two_contradicting_ends_is_read() -> None:
    fetch = paged(Page(items=["a"], total=1, pages=2, size=1), Page(items=["b"], total=1, pages=2, size=1))
    entries = Listing(fetch, key=str, workers=1)
    assert list(entries) == ["a", "b"]
    assert entries.report.consistent is False


def test_a_page_size_that_changes_is_reported() -> None:
    fetch = paged(Page(items=["a", "b"], total=3, size=2), Page(items=["c"], total=3, size=1))
    entries = Listing(fetch, key=str, workers=1)
    with pytest.raises(IndexError):  # a smaller size makes more pages of three entries
        list(entries)
    assert entries.report.problems == ("the page size changed, first from 2 to 1",)


def test_what_comes_twice_is_given_once_and_counted() -> None:
    fetch = paged(Page(items=["a", "b"], total=4, size=2), Page(items=["b", "c"], total=4, size=2))
    entries = Listing(fetch, key=str, workers=1)
    assert list(entries) == ["a", "b", "c"]
    assert entries.report.duplicates == 1
    assert entries.report.problems == ("entries came more than once",)


@pytest.mark.parametrize("workers", [1, 4])
def test_a_vendor_that_always_gives_the_first_page_and_promises_more_is_stopped(workers: int) -> None:
    asked: list[int] = []

    def fetch(index: int) -> Page[str]:
        asked.append(index)
        return Page(items=["a", "b"], total=4 + 2 * index, size=2)

    entries = Listing(fetch, key=str, workers=workers)
    with pytest.raises(MalformedResponse, match="no new entry"):
        list(entries)
    assert entries.report.seen == 2
    assert len(asked) <= 2 + MAX_STALLED_PAGES_BEYOND_END + 2 * workers


def test_a_vendor_that_ignores_the_page_number_and_tells_no_total_is_stopped() -> None:
    entries = Listing(lambda _: Page(items=["a"], size=1), key=str, workers=1)
    with pytest.raises(MalformedResponse):
        list(entries)
    assert entries.report.pages == 1 + MAX_STALLED_PAGES_BEYOND_END


def test_a_vendor_that_promises_a_million_million_and_gives_nothing_is_stopped() -> None:
    entries = Listing(lambda _: Page[str](items=[], total=10**12, size=1), key=str, workers=1)
    with pytest.raises(MalformedResponse):
        list(entries)
    assert entries.report.pages == MAX_STALLED_PAGES_WITHIN


def test_repeated_pages_at_the_very_end_of_a_grown_list_are_no_error() -> None:
    entries = Listing(lambda index: Page(items=["a"], total=5 if index else 2, size=1), key=str, workers=1)
    assert list(entries) == ["a"]
    assert entries.report.duplicates == 1 + MAX_STALLED_PAGES_BEYOND_END


@given(count=st.integers(0, 20), limit=st.integers(1, 25), size=sizes, workers=workers)
def test_a_limit_asks_for_no_page_that_it_does_not_need(count: int, limit: int, size: int, workers: int) -> None:
    vendor = Vendor(names(count), size)
    entries = listing(vendor, workers, limit)
    assert list(entries) == names(count)[:limit]
    assert len(vendor.asked) == max(1, math.ceil(min(limit, count) / size))
    assert entries.report.finished is (limit > count)
    assert entries.report.consistent is (True if limit > count else None)


def test_making_a_listing_sends_nothing_and_one_worker_reads_only_what_is_asked_for() -> None:
    vendor = Vendor(names(6), 2)
    entries = listing(vendor)
    assert vendor.asked == []
    assert not entries.report.finished
    assert next(entries) == "v0"
    assert next(entries) == "v1"
    assert vendor.asked == [0]
    assert next(entries) == "v2"
    assert vendor.asked == [0, 1]


@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize("failing", [0, 1, 2])
def test_an_error_is_raised_in_its_place_and_ends_the_iterator(failing: int, workers: int) -> None:
    vendor = Vendor(names(8), 2)

    def fetch(index: int) -> Page[str]:
        if index == failing:
            raise ProviderUnavailable("down")
        return vendor.fetch(index)

    entries = Listing(fetch, key=str, workers=workers)
    assert list(itertools.islice(entries, failing * 2)) == names(failing * 2)
    with pytest.raises(ProviderUnavailable):
        next(entries)
    assert list(entries) == []
    assert entries.report.finished is False
    assert entries.report.consistent is None
    assert list(Listing(vendor.fetch, key=str, resume=entries.resume_token)) == names(8)[failing * 2 :]


def test_an_error_of_a_page_past_the_end_means_nothing() -> None:
    def fetch(index: int) -> Page[str]:
        if index > 2:
            raise ProviderUnavailable("there is no such page")
        return Page(items=names(2, f"p{index}-") if index < 2 else [], size=2)

    assert len(list(Listing(fetch, key=str, workers=4))) == 4


def test_a_stop_iteration_inside_fetch_does_not_pass_for_the_end() -> None:
    def fetch(index: int) -> Page[str]:
        return next(iter(()))

    with pytest.raises(RuntimeError):
        list(Listing(fetch, key=str, workers=1))


@pytest.mark.parametrize(("workers", "limit", "field"), [(0, None, "workers"), (1, 0, "limit"), (1, -1, "limit")])
def test_bounds_below_one_are_refused(workers: int, limit: int | None, field: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        listing(Vendor([], 1), workers, limit)
    assert refused.value.field == field


@pytest.mark.parametrize(("field", "numbers"), [("size", (1, 1, 0)), ("total", (-1, 1, 1)), ("pages", (1, -1, 1))])
def test_impossible_numbers_of_pages_are_a_malformed_response(field: str, numbers: tuple[int, int, int]) -> None:
    total, pages, size = numbers
    with pytest.raises(MalformedResponse) as refused:
        Page(items=["a"], total=total, pages=pages, size=size)
    assert refused.value.problems == (field,)
