"""All that happened to a voucher, put together from the pages of its charges."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Final

from voucher_gateway.provider_api import History, IntegrityMismatch, Movement, Page, Response, map_page
from voucher_gateway_jtl import mapping, wire

PAGE_SIZE: Final = 100
"""Movements a page; the vendor documents no maximum."""

_EARLIEST: Final = datetime.min.replace(tzinfo=UTC)


def movements(account: str, voucher_id: str, currency: str, reply: Response) -> tuple[Page[Movement], datetime | None]:
    """Read a page of a voucher's movements, which have no currency of their own, and the vendor's clock.

    Raises:
        IntegrityMismatch: if one is of another voucher.
    """
    page = wire.read_charges(reply)
    if any(charge.voucher_id not in (None, voucher_id) for charge in page.data):
        raise IntegrityMismatch("the answer tells of another voucher")
    make = partial(mapping.movement, account, currency)
    items = map_page(make, page.data, page.raw, what="charge list", at="data")
    size = page.meta.per_page or PAGE_SIZE
    return Page(items=items, total=page.meta.total, pages=page.meta.last_page, size=size), page.date


def read_all_pages(voucher_id: str, fetch: Callable[[int], tuple[Page[Movement], datetime | None]]) -> History:
    """Read all pages, counted from 1, one after another.

    The history is complete only if every page told the same total and as many entries came. Entries without a time
    come first.
    """
    movements: dict[str | None, Movement] = {}
    totals, last, number = set(), 1, 0
    dates: list[datetime | None] = []
    while number < last:
        number += 1
        page, date = fetch(number)
        dates.append(date)
        known = len(movements)
        for movement in page.items:
            movements.setdefault(movement.id, movement)
        totals.add(page.total)
        last = page.end or number
        if len(movements) == known:  # the end, or a vendor that repeats itself and would keep us here for ever
            break
    return History(
        voucher_id=voucher_id,
        movements=tuple(sorted(movements.values(), key=lambda movement: movement.created_at or _EARLIEST)),
        complete=totals == {len(movements)},
        # The earliest of the pages: what happened after it may be on one that was read before.
        as_of=None if None in dates else min(filter(None, dates)),
    )
