"""A vendor that pages by opaque cursors is listed to its end, resumed, and never read in circles."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voucher_gateway.errors import InvalidRequest, MalformedResponse, Rejected
from voucher_gateway.listing.cursors import CursorListing, CursorPage, follow_cursors


class Vendor:
    """Lists its ids by cursor. Each list of ids is a page; a cursor that was never given is refused."""

    def __init__(self, *pages: Sequence[str]) -> None:
        self.pages = pages
        self.requests: list[str | None] = []
        self.circle = False

    def fetch(self, cursor: str | None) -> CursorPage[str]:
        self.requests.append(cursor)
        index = 0 if cursor is None else int(cursor.removeprefix("after-page-"))
        is_last = index + 1 == len(self.pages)
        following = "after-page-1" if self.circle else None if is_last else f"after-page-{index + 1}"
        return CursorPage(items=self.pages[index], next_cursor=following)

    def listing(self, size: int = 2, limit: int | None = None, resume: str | None = None) -> CursorListing[str]:
        return CursorListing(self.fetch, key=str, size=size, limit=limit, resume=resume, scope="all")


@given(st.lists(st.integers(0, 2), min_size=1, max_size=6), st.data())
def test_every_entry_comes_once_also_where_pages_are_short_or_empty(sizes: list[int], data: st.DataObject) -> None:
    numbers = iter(range(100))
    vendor = Vendor(*[[f"v{number}" for number in islice(numbers, size)] for size in sizes])
    ids = [id for page in vendor.pages for id in page]
    assert list(vendor.listing()) == ids
    assert len(vendor.requests) == len(sizes)
    # A listing that stops anywhere goes on there.
    stop = data.draw(st.integers(0, len(ids)))
    first = vendor.listing()
    begin = list(islice(first, stop))
    assert begin + list(vendor.listing(resume=first.resume_token)) == ids


def test_no_page_is_read_that_the_limit_does_not_need() -> None:
    vendor = Vendor(["a", "b"], ["c", "d"], ["e"])
    assert list(vendor.listing(limit=3)) == ["a", "b", "c"]
    assert vendor.requests == [None, "after-page-1"]


def test_a_list_without_a_total_is_finished_and_not_proved_consistent() -> None:
    listing = Vendor(["a", "b"], ["c"]).listing()
    assert list(listing) == ["a", "b", "c"]
    assert (listing.report.finished, listing.report.consistent) == (True, None)


def test_a_cursor_that_comes_twice_ends_the_listing_in_an_error() -> None:
    vendor = Vendor(["a", "b"], ["c", "d"])
    vendor.circle = True
    listing = vendor.listing()
    assert next(listing) == "a"
    with pytest.raises(MalformedResponse, match="named a cursor twice"):
        list(listing)
    with pytest.raises(MalformedResponse, match="named a cursor twice"):
        list(follow_cursors(vendor.fetch))


def test_a_token_of_pages_of_another_size_is_refused() -> None:
    listing = Vendor(["a", "b"], ["c"]).listing(size=2)
    next(listing)
    with pytest.raises(InvalidRequest, match="resume token"):
        Vendor(["a", "b"], ["c"]).listing(size=3, resume=listing.resume_token)


def test_all_pages_of_a_history_are_followed() -> None:
    vendor = Vendor(["a"], [], ["b", "c"])
    assert [list(page.items) for page in follow_cursors(vendor.fetch)] == [["a"], [], ["b", "c"]]


def test_a_cursor_that_the_vendor_named_and_refuses_is_a_broken_reply() -> None:
    def fetch(cursor: str | None) -> CursorPage[str]:
        if cursor is not None:
            raise Rejected("the vendor refuses this", http_status=400)
        return CursorPage(items=["a"], next_cursor="wrong")

    with pytest.raises(MalformedResponse, match="refuses the cursor that it named") as broken:
        list(CursorListing(fetch, key=str, size=1))
    assert broken.value.http_status == 400


def test_a_refusal_of_the_first_page_stays_a_refusal() -> None:
    def refuse(_: str | None) -> CursorPage[str]:
        raise Rejected("the vendor refuses this")

    with pytest.raises(Rejected):
        list(follow_cursors(refuse))
