"""Entries of a list that cannot be read: they are named and counted, and the others come all the same."""

from __future__ import annotations

import itertools
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voucher_gateway.errors import MalformedResponse
from voucher_gateway.listing.cursors import CursorListing, CursorPage
from voucher_gateway.listing.listing import Listing
from voucher_gateway.listing.page import Page
from voucher_gateway.listing.unreadable import MAX_UNREADABLE_KEPT, UnreadableEntry

Entry = str | UnreadableEntry


def unreadable(id: str | None, raw: object = None) -> UnreadableEntry:
    return UnreadableEntry.of(raw, ("currency: expected another",), id=id)


class Vendor:
    """Lists its entries in pages of one size, with a number of entries that the next page has as well."""

    def __init__(self, entries: list[Entry], size: int, overlap: int = 0) -> None:
        self.entries = entries
        self.size = size
        self.overlap = overlap

    def fetch(self, index: int) -> Page[Entry]:
        first = index * self.size
        items = self.entries[first : first + self.size + self.overlap]
        return Page(items=items, total=len(self.entries), size=self.size, overlap=self.overlap)


def listing(vendor: Vendor, *, workers: int = 1, limit: int | None = None, resume: str | None = None) -> Listing[str]:
    return Listing(vendor.fetch, key=str, workers=workers, limit=limit, resume=resume, size=vendor.size)


def mixed(readable: list[bool]) -> list[Entry]:
    return [f"v{number}" if good else unreadable(f"u{number}") for number, good in enumerate(readable)]


@given(
    readable=st.lists(st.booleans(), max_size=9),
    size=st.integers(1, 5),
    overlap=st.integers(0, 2),
    workers=st.sampled_from([1, 3]),
)
def test_every_entry_comes_once_or_is_named_once(readable: list[bool], size: int, overlap: int, workers: int) -> None:
    entries = mixed(readable)
    reading = listing(Vendor(entries, size, overlap), workers=workers)
    assert list(reading) == [entry for entry in entries if isinstance(entry, str)]
    named = [entry.name for entry in reading.unreadable]
    assert named == [entry.name for entry in entries if isinstance(entry, UnreadableEntry)]
    report = reading.report
    assert (report.seen, report.unreadable, report.duplicates) == (sum(readable), len(named), 0)
    assert report.consistent is True
    for entry in reading.unreadable:
        assert entry.page is not None
        assert entry.position is not None
        assert entries[(entry.page - 1) * size + entry.position - 1] == unreadable(entry.id)


def test_entries_yields_them_in_their_places() -> None:
    reading = listing(Vendor(mixed([True, False, True]), 2))
    assert [entry if isinstance(entry, str) else entry.id for entry in reading.entries()] == ["v0", "u1", "v2"]


@given(stop=st.integers(0, 6), size=st.integers(1, 4))
def test_a_resumed_list_names_each_once(stop: int, size: int) -> None:
    vendor = Vendor(mixed([False, True, False, True, True, False, True, False]), size)
    first = listing(vendor)
    got = list(itertools.islice(first, stop))
    first.close()
    second = listing(vendor, resume=first.resume_token)
    got += list(second)
    assert got == ["v1", "v3", "v4", "v6"]
    names = [entry.name for entry in (*first.unreadable, *second.unreadable)]
    assert names == ["u0", "u2", "u5", "u7"]
    assert (second.report.seen, second.report.unreadable, second.report.consistent) == (4, 4, True)


def test_a_limit_counts_only_what_can_be_read() -> None:
    reading = listing(Vendor(mixed([False] * 5 + [True] * 3), 2), limit=2)
    assert list(reading) == ["v5", "v6"]


def test_one_without_an_id_is_named_by_its_place_and_told_apart_from_others_by_all_that_it_holds() -> None:
    secret = {"code": "SECRET-CODE-1", "id": ["not", "one"]}
    entries: list[Entry] = ["v0", unreadable(None, secret), unreadable(None, {"code": "SECRET-CODE-2"}), "v3"]
    reading = listing(Vendor(entries, 2, overlap=1))
    assert list(reading) == ["v0", "v3"]
    assert [entry.name for entry in reading.unreadable] == ["entry 2 of page 1", "entry 3 of page 1"]
    assert "SECRET" not in repr(reading.unreadable) + reading.resume_token


def test_a_line_of_the_log_names_each(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "voucher_gateway.listing"):
        list(listing(Vendor(mixed([True, False]), 5)))
    assert [record.getMessage() for record in caplog.records] == [
        "u1 cannot be read, and is passed over: currency: expected another"
    ]


def test_a_list_of_which_no_first_entry_can_be_read_is_an_error_as_the_vendor_has_changed_its_form() -> None:
    with pytest.raises(MalformedResponse, match="none of the 10 entries of a page can be read: currency") as caught:
        list(listing(Vendor(mixed([False] * 20), 10)))
    assert len(caught.value.problems) == 10
    reading = listing(Vendor(mixed([True] + [False] * 29), 10))  # some later pages may be so
    assert list(reading) == ["v0"]


def test_a_few_entries_may_all_be_unreadable() -> None:
    reading = listing(Vendor(mixed([False] * 9), 10))
    assert list(reading) == []
    assert reading.report.unreadable == 9


def test_only_the_first_thousand_are_kept_and_all_are_counted() -> None:
    reading = listing(Vendor(mixed([True] + [False] * 1500), 100))
    assert list(reading) == ["v0"]
    assert (len(reading.unreadable), reading.report.unreadable) == (MAX_UNREADABLE_KEPT, 1500)


def test_lists_by_cursor_have_them_too() -> None:
    pages: dict[str | None, tuple[list[Entry], str | None]] = {
        None: (["v0", unreadable("u1")], "next"),
        "next": (["v2"], None),
    }

    def fetch(cursor: str | None) -> CursorPage[Entry]:
        items, following = pages[cursor]
        return CursorPage[Entry](items=items, next_cursor=following)

    reading: CursorListing[str] = CursorListing(fetch, key=str, size=2)
    assert list(reading) == ["v0", "v2"]
    assert [entry.id for entry in reading.unreadable] == ["u1"]


@pytest.mark.parametrize(
    ("raw", "id"),
    [
        ({"id": "a-1"}, "a-1"),
        ({"_id": "b", "id": "c"}, "b"),
        ({"id": 17}, "17"),
        ({"id": True}, None),
        ({"id": None}, None),
        ({"id": "a\x1b[2J"}, None),
        ({"id": "x" * 256}, None),
        ({"id": ""}, None),
        ("text", None),
        (None, None),
    ],
)
def test_an_id_is_repeated_only_if_it_can_be_one(raw: object, id: str | None) -> None:
    assert UnreadableEntry.of(raw, ("id: wrong",)).id == id
