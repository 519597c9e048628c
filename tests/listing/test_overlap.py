"""Pages that overlap: what moves between two of them is noticed, and a few deletions are made good."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voucher_gateway.listing.listing import Listing
from voucher_gateway.listing.page import Page

SIZE = 4
OVERLAP = 2


def vendor(
    entries: list[str], *, overlap: int = OVERLAP, before: Callable[[int], None] = lambda index: None
) -> Callable[[int], Page[str]]:
    """A vendor that pages by offset; `before` may change the list before a page is read."""

    def fetch(index: int) -> Page[str]:
        before(index)
        first = index * SIZE
        return Page(items=entries[first : first + SIZE + overlap], total=len(entries), size=SIZE, overlap=overlap)

    return fetch


def names(count: int) -> list[str]:
    return [f"v{number:03}" for number in range(count)]


def listing(fetch: Callable[[int], Page[str]], *, workers: int = 1, resume: str | None = None) -> Listing[str]:
    return Listing(fetch, key=str, workers=workers, resume=resume, size=SIZE)


@given(st.integers(0, 40), st.integers(0, SIZE), st.sampled_from([1, 3]))
def test_a_list_that_stays_still_comes_whole_and_without_a_word(count: int, overlap: int, workers: int) -> None:
    with listing(vendor(names(count), overlap=overlap), workers=workers) as listed:
        assert list(listed) == names(count)
    assert (listed.report.consistent, listed.report.duplicates, listed.report.problems) == (True, 0, ())


@given(st.integers(1, 60))
def test_no_page_is_read_that_holds_nothing_new(count: int) -> None:
    with listing(vendor(names(count))) as listed:
        list(listed)
    assert listed.report.pages == max(1, -(-(count - OVERLAP) // SIZE))


def test_one_deletion_hidden_by_one_addition_is_noticed_and_made_good() -> None:
    entries = names(12)

    def change(index: int) -> None:
        if index == 1:
            entries.remove("v000")
            entries.append("new")

    with listing(vendor(entries, before=change)) as listed:
        assert list(listed) == [*names(12), "new"]
    assert listed.report.vendor_total == 12
    assert listed.report.consistent is False
    assert "entries moved from one page to another" in listed.report.problems


def test_without_an_overlap_the_same_change_loses_an_entry_and_nobody_is_told() -> None:
    """Why pages overlap: this is what a list by page number cannot see."""
    entries = names(12)

    def change(index: int) -> None:
        if index == 1:
            entries.remove("v000")
            entries.append("new")

    with listing(vendor(entries, overlap=0, before=change)) as listed:
        assert "v004" not in list(listed)
    assert listed.report.consistent is True


@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize("gone", range(1, 6))
def test_whatever_goes_between_two_pages_is_noticed(gone: int, workers: int) -> None:
    entries = names(24)

    def change(index: int) -> None:
        if index == 2 and len(entries) == 24 and "v000" in entries:
            del entries[:gone]
            entries.extend(f"new{number}" for number in range(gone))

    with listing(vendor(entries, before=change), workers=workers) as listed:
        found = list(listed)
    assert listed.report.consistent is False
    if gone <= OVERLAP:
        assert set(names(24)) <= set(found)


def test_an_insertion_in_front_is_noticed_although_something_else_went() -> None:
    entries = names(12)

    def change(index: int) -> None:
        if index == 1:
            entries.insert(0, "early")
            entries.remove("v011")

    with listing(vendor(entries, before=change)) as listed:
        assert set(names(11)) <= set(listed)
    assert listed.report.consistent is False


@given(st.integers(1, 40), st.data())
def test_a_listing_with_overlap_goes_on_after_the_last_entry(count: int, data: st.DataObject) -> None:
    taken = data.draw(st.integers(0, count))
    first = listing(vendor(names(count)))
    before = [next(first) for _ in range(taken)]
    first.close()
    with listing(vendor(names(count)), resume=first.resume_token) as second:
        assert before + list(second) == names(count)
    assert second.report.consistent is True


@given(st.integers(1, 60), st.data())
def test_a_listing_goes_on_with_pages_of_another_size(count: int, data: st.DataObject) -> None:
    taken, sizes = data.draw(st.integers(0, count)), data.draw(st.tuples(st.integers(1, 9), st.integers(1, 9)))

    def paged(size: int) -> Callable[[int], Page[str]]:
        return lambda index: Page(items=names(count)[index * size : (index + 1) * size], total=count, size=size)

    first = Listing(paged(sizes[0]), key=str, workers=1, size=sizes[0])
    before = [next(first) for _ in range(taken)]
    first.close()
    second = Listing(paged(sizes[1]), key=str, workers=1, size=sizes[1], resume=first.resume_token)
    assert before + list(second) == names(count)
    assert second.report.consistent is True


@given(st.integers(1, 60), st.integers(1, 9), st.integers(1, 9), st.data())
def test_a_listing_goes_on_where_the_vendor_counts_in_pages_of_its_own(
    count: int, asked: int, real: int, data: st.DataObject
) -> None:
    """A vendor may cap the page size; what is asked for then says nothing about where an entry is."""
    taken = data.draw(st.integers(0, count))
    reads: list[int] = []

    def fetch(index: int) -> Page[str]:
        reads.append(index)
        return Page(items=names(count)[index * real : (index + 1) * real], total=count, size=real)

    first = Listing(fetch, key=str, workers=1, size=asked)
    before = [next(first) for _ in range(taken)]
    first.close()
    reads.clear()
    second = Listing(fetch, key=str, workers=1, size=asked + 1, resume=first.resume_token)
    assert before + list(second) == names(count)
    assert len(reads) <= -(-count // real) + 1


@pytest.mark.parametrize("overlap", [0, 1, OVERLAP])
def test_insertions_in_front_hide_nothing_although_a_later_page_was_read_before(overlap: int) -> None:
    entries = names(24)
    later_page = threading.Event()
    read = vendor(entries, overlap=overlap)

    def fetch(index: int) -> Page[str]:
        if index == 1:
            assert later_page.wait(10)
            entries[:0] = ["new0", "new1", "new2"]
        page = read(index)
        if index == 2:
            later_page.set()
        return page

    with listing(fetch, workers=3) as listed:
        assert set(names(24)) <= set(listed)
    assert listed.report.consistent is False


@given(st.integers(0, 2), st.lists(st.integers(0, 9), min_size=9, max_size=9))
def test_a_page_that_is_older_than_the_one_before_it_hides_nothing(overlap: int, insertions: list[int]) -> None:
    """Each page shows the list after so many insertions in front; a page that is read again shows all of them."""
    read: set[int] = set()

    def fetch(index: int) -> Page[str]:
        inserted = max(insertions) if index in read else insertions[min(index, 8)]
        read.add(index)
        return vendor([f"new{number}" for number in range(inserted, 0, -1)] + names(24), overlap=overlap)(index)

    with listing(fetch, workers=3) as listed:
        assert set(names(24)) <= set(listed)


def test_a_page_that_is_read_again_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    entries = names(24)
    later_page = threading.Event()

    def fetch(index: int) -> Page[str]:
        if index == 1:
            assert later_page.wait(10)
            entries.insert(0, "new")
        page = vendor(entries)(index)
        if index == 2:
            later_page.set()
        return page

    with caplog.at_level(logging.INFO, "voucher_gateway.listing"), listing(fetch, workers=2) as listed:
        list(listed)
    messages = [record.getMessage() for record in caplog.records]
    assert "page 2 was fetched before page 1 and does not fit it: it is read again" in messages
    assert not any(entry in message for entry in entries for message in messages)
