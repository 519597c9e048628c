"""Cursors continue their own query only, whatever happened between two pages."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from attrs import frozen
from hypothesis import given
from hypothesis import strategies as st

from voucher_gateway.simulator import CursorPage, Cursors, InvalidCursor, Refused, Reply, Request

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@frozen
class Card:
    id: str
    at: datetime = NOON
    state: str = "ACTIVE"


CARDS = [Card(f"c{number}", NOON + timedelta(minutes=number // 2)) for number in range(7)]


def _page(cards: list[Card], cursor: str | None = None, limit: int = 3, **options: Any) -> CursorPage[Card]:
    cursors = Cursors(options.pop("secret", ""))
    return cursors.page(cards, sort_key=lambda card: (card.at, card.id), limit=limit, cursor=cursor, **options)


def _ids(page: CursorPage[Card]) -> list[str]:
    return [card.id for card in page.entries]


def test_pages_follow_one_another_to_the_end() -> None:
    first = _page(CARDS)
    second = _page(CARDS, first.cursor)
    third = _page(CARDS, second.cursor)
    assert [_ids(page) for page in (first, second, third)] == [["c0", "c1", "c2"], ["c3", "c4", "c5"], ["c6"]]
    assert third.cursor is None


def test_the_last_page_has_no_cursor_even_if_it_is_full() -> None:
    assert _page(CARDS[:3]).cursor is None
    assert _page([]) == CursorPage((), None)


def test_the_newest_can_come_first() -> None:
    first = _page(CARDS, newest_first=True)
    assert _ids(first) == ["c6", "c5", "c4"]
    assert _ids(_page(CARDS, first.cursor, newest_first=True)) == ["c3", "c2", "c1"]


def test_a_cursor_may_come_with_another_limit() -> None:
    assert _ids(_page(CARDS, _page(CARDS).cursor, limit=10)) == ["c3", "c4", "c5", "c6"]


def test_a_cursor_of_another_query_order_or_secret_is_refused() -> None:
    cursor = _page(CARDS, query={"state": "ACTIVE", "type": None}).cursor
    assert _page(CARDS, cursor, query={"type": None, "state": "ACTIVE"}).entries
    for options in (
        {"query": {"state": "PENDING", "type": None}},
        {"query": {"state": "ACTIVE"}},
        {},
        {"query": {"state": "ACTIVE", "type": None}, "newest_first": True},
        {"query": {"state": "ACTIVE", "type": None}, "secret": "another"},
    ):
        with pytest.raises(InvalidCursor):
            _page(CARDS, cursor, **options)


@given(st.text(max_size=60) | st.binary(max_size=40).map(lambda data: base64.urlsafe_b64encode(data).decode()))
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(InvalidCursor):
        _page(CARDS, text)


def test_a_changed_cursor_is_refused() -> None:
    cursor = _page(CARDS).cursor
    assert cursor is not None
    for place in range(len(cursor)):
        with pytest.raises(InvalidCursor):
            _page(CARDS, cursor[:place] + ("A" if cursor[place] != "A" else "B") + cursor[place + 1 :])


def test_a_page_without_entries_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        _page(CARDS, limit=0)


@given(
    limit=st.integers(1, 4),
    newest_first=st.booleans(),
    changes=st.lists(st.tuples(st.booleans(), st.integers(0, 30)), max_size=12),
)
def test_insertions_and_removals_repeat_and_lose_nothing_else(
    limit: int, newest_first: bool, changes: list[tuple[bool, int]]
) -> None:
    cards = [Card(f"c{number:02d}", NOON + timedelta(minutes=number)) for number in range(0, 30, 3)]
    kept, seen, cursor = {card.id for card in cards}, [], None
    while True:
        page = _page(cards, cursor, limit, newest_first=newest_first)
        seen += _ids(page)
        cursor = page.cursor
        if cursor is None:
            break
        if changes:
            insert, number = changes.pop()
            card = Card(f"c{number:02d}", NOON + timedelta(minutes=number))
            if insert and card not in cards:
                cards.append(card)
            elif card in cards:
                cards.remove(card)
                kept.discard(card.id)
    assert len(seen) == len(set(seen))
    assert kept <= set(seen)
    assert seen == sorted(seen, reverse=newest_first)


def test_square_refuses_a_cursor_with_other_filters_and_leaves_it_out_on_the_last_page() -> None:
    cards = [*CARDS, Card("p", NOON, "PENDING")]

    def list_cards(request: Request, restarted: Cursors) -> Reply:
        query = request.query
        state = query.get("state")
        try:
            page = restarted.page(
                [card for card in cards if state in {None, card.state}],
                sort_key=lambda card: (card.at, card.id),
                limit=min(int(query.get("limit", "30")), 200),
                cursor=query.get("cursor"),
                query={"state": state},
            )
        except InvalidCursor:
            error = {"category": "INVALID_REQUEST_ERROR", "code": "INVALID_CURSOR"}
            raise Refused(Reply(400, {"errors": [error]})) from None
        shown = {"gift_cards": [{"id": card.id} for card in page.entries]} if page.entries else {}
        return Reply(200, shown | ({"cursor": page.cursor} if page.cursor else {}))

    def ask(query: str) -> dict[str, Any]:
        body = list_cards(Request("GET", "/v2/gift-cards", query), Cursors("seller")).body
        assert isinstance(body, dict)
        return body

    first = ask("state=ACTIVE&limit=5")
    rest = ask(f"state=ACTIVE&limit=5&cursor={first['cursor']}")
    assert [card["id"] for card in first["gift_cards"] + rest["gift_cards"]] == [card.id for card in CARDS]
    assert "cursor" not in rest
    assert ask("state=BLOCKED") == {}
    with pytest.raises(Refused) as refusal:
        ask(f"state=PENDING&cursor={first['cursor']}")
    assert refusal.value.reply.body == {"errors": [{"category": "INVALID_REQUEST_ERROR", "code": "INVALID_CURSOR"}]}
