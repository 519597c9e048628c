"""Going on where an earlier listing stopped: nothing is lost, and as little as possible comes again."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from voucher_gateway.errors import InvalidRequest
from voucher_gateway.listing.listing import Listing
from voucher_gateway.listing.page import Page

sizes = st.integers(1, 4)
NAMES = [f"v{number}" for number in range(12)]


def pages_of(ids: Sequence[str], size: int, asked: list[int] | None = None) -> Callable[[int], Page[str]]:
    def fetch(index: int) -> Page[str]:
        if asked is not None:
            asked.append(index)
        return Page(items=ids[index * size : (index + 1) * size], total=len(ids), size=size)

    return fetch


def stopped_after(count: int, ids: Sequence[str], size: int) -> str:
    with Listing(pages_of(ids, size), key=str, scope="all") as entries:
        assert len(list(itertools.islice(entries, count))) == count
        return entries.resume_token


def resumed(token: str, ids: Sequence[str], size: int) -> Listing[str]:
    return Listing(pages_of(ids, size), key=str, scope="all", resume=token)


@given(size=sizes, count=st.integers(0, len(NAMES)))
def test_an_unchanged_list_goes_on_with_the_very_next_entry(size: int, count: int) -> None:
    entries = resumed(stopped_after(count, NAMES, size), NAMES, size)
    assert list(entries) == NAMES[count:]
    report = entries.report
    assert (report.seen, report.vendor_total, report.consistent) == (len(NAMES), len(NAMES), True)


@given(size=sizes, stops=st.lists(st.integers(0, 5), max_size=5))
def test_a_listing_may_be_resumed_again_and_again(size: int, stops: list[int]) -> None:
    given: list[str] = []
    token = stopped_after(0, NAMES, size)
    for stop in stops:
        with resumed(token, NAMES, size) as entries:
            given.extend(itertools.islice(entries, stop))
            token = entries.resume_token
    last = resumed(token, NAMES, size)
    assert given + list(last) == NAMES
    assert last.report.seen == len(NAMES)
    assert last.report.consistent is True


def test_the_report_counts_the_pages_of_both_listings() -> None:
    entries = resumed(stopped_after(3, NAMES, 4), NAMES, 4)
    pages = entries.report.pages
    assert pages >= 1
    list(entries)
    assert entries.report.pages == pages + 3


@given(data=st.data(), size=sizes, count=st.integers(1, len(NAMES)))
def test_no_survivor_of_deletions_is_lost_and_none_comes_again(data: st.DataObject, size: int, count: int) -> None:
    token = stopped_after(count, NAMES, size)
    gone = data.draw(st.sets(st.sampled_from(NAMES)))
    assume(NAMES[count - 1] not in gone)
    left = [name for name in NAMES if name not in gone]
    entries = resumed(token, left, size)
    assert list(entries) == [name for name in NAMES[count:] if name not in gone]
    assert entries.report.consistent is (not gone)


@given(size=sizes, count=st.integers(1, len(NAMES) - 1))
def test_the_list_begins_again_when_the_last_entry_is_gone(size: int, count: int) -> None:
    left = [name for name in NAMES if name != NAMES[count - 1]]
    entries = resumed(stopped_after(count, NAMES, size), left, size)
    assert list(entries) == left
    assert "entries moved between stopping and resuming" in entries.report.problems
    assert entries.report.consistent is False


@given(size=sizes, count=st.integers(1, len(NAMES)), more=st.integers(0, 9))
def test_entries_appended_meanwhile_are_given(size: int, count: int, more: int) -> None:
    longer = NAMES + [f"late{number}" for number in range(more)]
    assert list(resumed(stopped_after(count, NAMES, size), longer, size)) == longer[count:]


@given(size=sizes, count=st.integers(1, len(NAMES)), before=st.integers(1, 9))
def test_entries_inserted_in_front_meanwhile_hide_nothing(size: int, count: int, before: int) -> None:
    longer = [f"early{number}" for number in range(before)] + NAMES
    assert set(NAMES[count:]) <= set(resumed(stopped_after(count, NAMES, size), longer, size))


def test_another_page_size_of_the_vendor_loses_nothing() -> None:
    assert list(resumed(stopped_after(9, NAMES, 2), NAMES, 3)) == NAMES[9:]


def test_pages_that_are_gone_are_passed_over_in_one_step() -> None:
    many = [f"v{number}" for number in range(1000)]
    token = stopped_after(990, many, 2)
    asked: list[int] = []
    few = many[985:]
    assert list(Listing(pages_of(few, 2, asked), key=str, scope="all", resume=token, workers=1)) == few[5:]
    assert asked[0] == 494
    assert len(asked) < 20


def test_duplicates_are_counted_once_across_a_resumption() -> None:
    twice = ["a", "b", "a", "c", "d"]
    for count in range(4):
        entries = resumed(stopped_after(count, twice, 5), twice, 5)
        list(entries)
        report = entries.report
        assert (report.seen, report.duplicates, report.problems) == (4, 1, ("entries came more than once",))


def test_a_token_taken_between_a_duplicate_and_the_next_entry_does_not_forget_it() -> None:
    def failing_at(index: int) -> Page[str]:
        if index == 1:
            raise OSError("gone")
        return Page(items=["a", "b", "a"], total=4, size=3)

    entries = Listing(failing_at, key=str, workers=1, scope="all")
    with pytest.raises(OSError, match="gone"):
        list(entries)
    again = resumed(entries.resume_token, ["a", "b", "a", "c"], 3)
    assert list(again) == ["c"]
    assert (again.report.seen, again.report.duplicates) == (3, 1)


def test_a_limit_counts_what_this_listing_gives() -> None:
    token = stopped_after(5, NAMES, 4)
    assert list(Listing(pages_of(NAMES, 4), key=str, scope="all", resume=token, limit=2)) == NAMES[5:7]


def test_a_token_of_another_listing_is_refused_before_anything_is_sent() -> None:
    token = stopped_after(3, NAMES, 4)
    asked: list[int] = []
    with pytest.raises(InvalidRequest) as refused:
        Listing(pages_of(NAMES, 4, asked), key=str, scope="active ones", resume=token)
    assert refused.value.field == "resume"
    assert asked == []


@given(st.text() | st.binary().map(lambda noise: noise.decode("latin-1")))
def test_garbage_is_no_token(text: str) -> None:
    with pytest.raises(InvalidRequest):
        resumed(text, NAMES, 4)


@given(place=st.integers(0), other=st.sampled_from("ABCxyz019-_=!"))
def test_a_token_with_one_character_changed_is_no_token(place: int, other: str) -> None:
    token = stopped_after(3, NAMES, 4)
    place %= len(token)
    assume(token[place] != other)
    with pytest.raises(InvalidRequest):
        resumed(token[:place] + other + token[place + 1 :], NAMES, 4)


def test_a_token_is_plain_text_for_urls_and_shows_no_id() -> None:
    token = stopped_after(3, ["secret-one", "secret-two", "secret-three"], 1)
    assert token.isascii()
    assert not set(token) - set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=")
    assert "secret" not in token
