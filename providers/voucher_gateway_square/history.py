"""The activities of a card, page by page from an instant on."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Final

from voucher_gateway.provider_api import (
    ApiCalls,
    CursorPage,
    History,
    MalformedResponse,
    Movement,
    Path,
    Request,
    follow_cursors,
)
from voucher_gateway_square import mapping, wire

BEGIN: Final = "2009-01-01T00:00:00.000Z"
"""Before any card of the vendor's. Without a begin, the vendor shows the activities of one year (schema)."""

_PAGE_SIZE: Final = 100
"""The largest page of activities (schema)."""


def read_activities(calls: ApiCalls, account: str, operation: str, id: str, begin: str = BEGIN) -> History:
    """Return the activities of a card from an instant on, oldest first, for an operation that needs them."""
    dates: list[datetime | None] = []
    fetch = partial(_read_page, calls, account, operation, id, begin, dates)
    with calls.error_context(operation):
        movements = [movement for page in follow_cursors(fetch) for movement in page.items]
        if any(movement.voucher_id != id for movement in movements):
            raise MalformedResponse("the list of activities shows those of another gift card")
        unique = list({movement.id: movement for movement in movements}.values())
        return History(
            voucher_id=id,
            movements=tuple(mapping.with_cleared_amounts(unique)),
            complete=begin == BEGIN and len(unique) == len(movements),
            as_of=None if None in dates else min(filter(None, dates), default=None),
        )


def _read_page(
    calls: ApiCalls,
    account: str,
    operation: str,
    id: str,
    begin: str,
    dates: list[datetime | None],
    cursor: str | None,
) -> CursorPage[Movement]:
    """Return one page, and note the vendor's time."""
    query = [("gift_card_id", id), ("begin_time", begin), ("sort_order", "ASC"), ("limit", str(_PAGE_SIZE))]
    position = [] if cursor is None else [("cursor", cursor)]
    request = Request(
        method="GET", path=Path.of("/v2/gift-cards/activities"), query=[*query, *position], returns_page=True
    )
    page, raws, date = calls.send_read(operation, request, wire.read_activities)
    dates.append(date)
    movements = [
        mapping.movement_of(account, activity, raw)
        for activity, raw in zip(page.gift_card_activities, raws, strict=True)
    ]
    return CursorPage(items=movements, next_cursor=page.cursor)
