"""The list of vouchers: its filters, and pages that each begin where the previous page ended."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from operator import attrgetter
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from voucher_gateway.provider_api import (
    InvalidRequest,
    Listing,
    MalformedResponse,
    Page,
    UnreadableEntry,
    Voucher,
    VoucherQuery,
    format_micros,
)
from voucher_gateway_local import validation
from voucher_gateway_local.capabilities import NATIVE_FILTERS
from voucher_gateway_local.open import OpenDatabase
from voucher_gateway_local.statements import LAST_REMAINING, NOT_DELETED, VOUCHERS, Row
from voucher_gateway_local.tables import vouchers
from voucher_gateway_local.vault import Vault

RowMapper = Callable[[Vault, Row], Voucher]
"""Returns the voucher of a row."""

_INSTANTS: Final = {
    "created_from": vouchers.c.created_at.__ge__,
    "created_to": vouchers.c.created_at.__le__,
    "valid_until_from": vouchers.c.valid_until.__ge__,
    "valid_until_to": vouchers.c.valid_until.__le__,
}


def check_query(query: VoucherQuery) -> None:
    """Check the filters of a query before anything is read.

    Raises:
        InvalidRequest: for an unknown native filter, one without a value, or a code or text that cannot be stored.
    """
    for name, text in query.native.items():
        if name not in NATIVE_FILTERS or not isinstance(text, str) or not text:
            known = ", ".join(sorted(NATIVE_FILTERS))
            raise InvalidRequest(
                f"unknown native filter {name!r:.40}, or its value is empty or not a string; known: {known}",
                field=f"native.{name}",
                rule=known,
            )
        validation.check_text(text, f"native.{name}")
    for name, filter in (("sku", query.sku), ("batch", query.batch)):
        if filter is not None:
            validation.check_text(filter, name)
    if query.code is not None:
        validation.check_code_and_pin(query.code, None)


def conditions(query: VoucherQuery, vault: Vault) -> list[sa.ColumnElement[bool]]:
    """Return the conditions that a listed voucher meets."""
    clauses: list[sa.ColumnElement[bool]] = [NOT_DELETED]
    if query.code is not None:
        clauses.append(vouchers.c.fingerprint == vault.fingerprint(query.code))
    if query.status is not None:
        clauses.append(vouchers.c.status == query.status.value)
    for name, compare in _INSTANTS.items():
        if (instant := getattr(query, name)) is not None:
            clauses.append(compare(format_micros(instant)))
    if query.sku is not None:
        clauses.append(vouchers.c.sku == query.sku)
    if query.batch is not None:
        clauses.append(vouchers.c.batch == query.batch)
    if query.has_value is not None:
        clauses.append(LAST_REMAINING > 0 if query.has_value else LAST_REMAINING == 0)
    if (order := query.native.get("order")) is not None:
        clauses.append(vouchers.c.order_number == order)
    return clauses


class Pages:
    """The pages of one listing, in the order in which vouchers were issued.

    Each page is read by the last voucher of the previous page. The end of a long list is therefore as fast as its
    beginning, and vouchers that are issued during the listing hide no others. Only a resumed listing uses an offset,
    for its first page.

    Args:
        open_book: returns the open database.
        query: selects the vouchers.
        size: the number of vouchers a page.
        clock: returns the time.
        map_row: returns the voucher of a row.
    """

    def __init__(
        self,
        open_book: Callable[[], OpenDatabase],
        query: VoucherQuery,
        size: int,
        clock: Callable[[], datetime],
        map_row: RowMapper,
    ) -> None:
        self._open = open_book
        self._query = query
        self._size = size
        self._clock = clock
        self._map_row = map_row
        self._ends: dict[int, int] = {}
        self._expected: int | None = None

    def page(self, index: int) -> Page[Voucher | UnreadableEntry]:
        """Read one page. The first page, and pages from the expected end on, count the vouchers again."""
        book = self._open()
        clauses = conditions(self._query, book.vault)
        with book.database.read() as connection:
            rows = self._rows(connection, index, clauses)
            total = None
            if self._expected is None or (index + 1) * self._size >= self._expected:
                count = VOUCHERS.where(*clauses).with_only_columns(sa.func.count())
                total = self._expected = connection.scalar(count, {"now": self._now()}) or 0
        if rows:
            self._ends = {index: rows[-1]["number"]}
        items = [self._entry(book.vault, row) for row in rows]
        return Page(items=items, total=total, size=self._size)

    def _entry(self, vault: Vault, row: Row) -> Voucher | UnreadableEntry:
        try:
            return self._map_row(vault, row)
        except (MalformedResponse, InvalidRequest) as error:
            return UnreadableEntry.of(None, (error.message,), id=row["id"])

    def _rows(self, connection: Connection, index: int, clauses: list[sa.ColumnElement[bool]]) -> list[Row]:
        newest_first = bool(self._query.newest_first)
        number = vouchers.c.number
        statement = VOUCHERS.where(*clauses).order_by(number.desc() if newest_first else number).limit(self._size)
        before = self._ends.get(index - 1)
        if before is not None:
            statement = statement.where(number < before if newest_first else number > before)
        elif index:
            statement = statement.offset(index * self._size)
        rows = connection.execute(statement, {"now": self._now()})
        return [dict(row) for row in rows.mappings()]

    def _now(self) -> str:
        return format_micros(self._clock())


def listing(pages: Pages, query: VoucherQuery, scope: tuple[str, ...]) -> Listing[Voucher]:
    """Return the lazy list of the pages. It has one worker, because each page begins where the previous one ended."""
    return Listing(
        pages.page,
        key=attrgetter("id"),
        workers=1,
        limit=query.limit,
        resume=query.resume,
        scope=query.fingerprint(*scope),
    )
