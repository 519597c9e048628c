"""The lists of the vendor: its filters, of which it ignores those that are wrong, and its pages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlencode

from voucher_gateway.simulator import Refused, Reply, Request
from voucher_gateway_pretix.simulator.fields import NotValid, read_cents
from voucher_gateway_pretix.simulator.ledger import StoredCard

PAGE_SIZE: Final = 50
_TRUTH: Final = {"true": True, "false": False}


def select_cards(cards: Iterable[StoredCard], request: Request, now: datetime) -> list[StoredCard]:
    """Return the cards that a request asks for. An empty, unknown or wrong filter is ignored, except for `value`.

    Raises:
        Refused: if the filter `value` is not an amount.
    """
    query, selected = request.query, list(cards)
    if code := query.get("secret", "").strip():
        selected = [card for card in selected if card.code.lower() == code.lower()]
    if value := query.get("value", ""):
        try:
            cents = read_cents(value)
        except NotValid:
            raise Refused(Reply(400, {"value": ["Enter a number."]})) from None
        selected = [card for card in selected if card.cents == cents]
    if (testmode := _TRUTH.get(query.get("testmode", ""))) is not None:
        selected = [card for card in selected if card.testmode is testmode]
    if (expired := _TRUTH.get(query.get("expired", ""))) is not None:
        selected = [card for card in selected if card.is_expired(now) is expired]
    return selected


def page_reply(request: Request, entries: Sequence[dict[str, Any]]) -> Reply:
    """Return the page of a list that a request asks for.

    Raises:
        Refused: if the list has no such page.
    """
    query = request.query
    size = query.get("page_size", "")
    step = min(int(size), PAGE_SIZE) if size.isdecimal() and int(size) else PAGE_SIZE
    text = query.get("page", "1")
    last = max(-(-len(entries) // step), 1)
    number = last if text == "last" else int(text) if text.isdecimal() else 0
    if not 1 <= number <= last:
        raise Refused(Reply(404, {"detail": "Invalid page."}))

    def address(page: int) -> str | None:
        if not 1 <= page <= last:
            return None
        fields = {name: value for name, value in query.to_dict().items() if name != "page"}
        written = urlencode(sorted((fields if page == 1 else {**fields, "page": str(page)}).items()))
        return f"http://{request.headers.get('Host', '')}{request.raw_path}{'?' if written else ''}{written}"

    results = list(entries[(number - 1) * step : number * step])
    return Reply(
        200,
        {"count": len(entries), "next": address(number + 1), "previous": address(number - 1), "results": results},
    )
