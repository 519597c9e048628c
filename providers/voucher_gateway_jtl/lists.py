"""The two lists of JTL: its vouchers, page by page, and all movements of a voucher."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from operator import attrgetter
from typing import Final

from voucher_gateway.provider_api import (
    History,
    IntegrityMismatch,
    Listing,
    Movement,
    Operation,
    Page,
    Path,
    Request,
    Response,
    UnreadableEntry,
    Voucher,
    VoucherQuery,
    map_entries,
    map_page,
)
from voucher_gateway_jtl import mapping, wire
from voucher_gateway_jtl.client import JtlCalls, whole_reply
from voucher_gateway_jtl.filters import Param, currency_filter, filters
from voucher_gateway_jtl.settings import JtlSettings

MOVEMENTS_PER_PAGE: Final = 100
"""The movements of a page. The vendor documents no maximum."""

_EARLIEST: Final = datetime.min.replace(tzinfo=UTC)


def list_vouchers(
    calls: JtlCalls, account: str, settings: JtlSettings, query: VoucherQuery, scope: str
) -> Listing[Voucher]:
    """Return the listing of the vouchers of an account that match a query; `scope` is the query's fingerprint."""
    size = min(settings.page_size, query.limit or settings.page_size)
    constant: list[Param] = [
        ("per_page", str(size)),
        ("sort", "-created_at" if query.newest_first else "created_at"),
        *filters(query, array_style=settings.array_style),
    ]
    make, has_currency = partial(mapping.voucher, account, query.code), currency_filter(query)

    def read(index: int, reply: Response) -> Page[Voucher | UnreadableEntry]:
        with calls.error_context(Operation.VOUCHERS):
            page = wire.read_entries(reply)
            vouchers = map_entries(make, page.data, page.raw)
        size_used = page.meta.per_page or size
        if has_currency is None:
            return Page(items=vouchers, total=page.meta.total, pages=page.meta.last_page, size=size_used)
        # The vendor counts the vouchers of other currencies as well, so its total proves nothing here.
        pages = page.meta.last_page or (index + 2 if vouchers else index)
        items = [entry for entry in vouchers if isinstance(entry, UnreadableEntry) or has_currency(entry)]
        return Page(items=items, pages=pages, size=size_used)

    def fetch(index: int) -> Callable[[], Page[Voucher | UnreadableEntry]]:
        query = [("page", str(index + 1)), *constant]
        request = Request(method="GET", path=Path.of("/vouchers"), query=query, returns_page=True)
        return partial(read, index, calls.read(Operation.VOUCHERS, request, whole_reply))

    return Listing(
        fetch,
        key=attrgetter("id"),
        workers=settings.workers,
        limit=query.limit,
        resume=query.resume,
        scope=scope,
        size=size,
    )


def read_history(calls: JtlCalls, account: str, voucher_id: str, currency: str, filtered: tuple[Param, ...]) -> History:
    """Return the movements of a voucher that pass the filters, from all pages. The pages are read one after another.

    The history is complete only if every page has the same total, and that is the number of movements. Movements
    without a time come first.
    """
    movements: dict[str | None, Movement] = {}
    totals, last, number = set(), 1, 0
    dates: list[datetime | None] = []
    while number < last:
        number += 1
        query: list[Param] = [("page", str(number)), ("per_page", str(MOVEMENTS_PER_PAGE)), *filtered]
        path = Path.of("/vouchers/{id}/charges", id=voucher_id)
        request = Request(method="GET", path=path, query=query, returns_page=True)
        page, date = calls.read(Operation.HISTORY, request, partial(_read_movements, account, voucher_id, currency))
        dates.append(date)
        count_before = len(movements)
        for movement in page.items:
            movements.setdefault(movement.id, movement)
        totals.add(page.total)
        last = page.end or number
        if len(movements) == count_before:  # the end, or a vendor that repeats the same page
            break
    return History(
        voucher_id=voucher_id,
        movements=tuple(sorted(movements.values(), key=_time_of)),
        complete=totals == {len(movements)},
        # The time of the earliest page: a later movement may belong to a page that was read before.
        as_of=None if None in dates else min(filter(None, dates)),
    )


def _read_movements(
    account: str, voucher_id: str, currency: str, reply: Response
) -> tuple[Page[Movement], datetime | None]:
    """Return a page of a voucher's movements, in the currency of the voucher, and the vendor's time.

    Raises:
        IntegrityMismatch: if a movement is of another voucher.
    """
    page = wire.read_charges(reply)
    if any(charge.voucher_id not in (None, voucher_id) for charge in page.data):
        raise IntegrityMismatch("the reply is about another voucher")
    make = partial(mapping.movement, account, currency)
    items = map_page(make, page.data, page.raw, what="charge list", at="data")
    size = page.meta.per_page or MOVEMENTS_PER_PAGE
    return Page(items=items, total=page.meta.total, pages=page.meta.last_page, size=size), page.date


def _time_of(movement: Movement) -> datetime:
    return movement.created_at or _EARLIEST
