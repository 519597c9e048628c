"""The list of vouchers: filters, and pages that each begin where the one before ended."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from voucher_gateway.provider_api import InvalidRequest, Listing, Page, Voucher, VoucherQuery, format_micros
from voucher_gateway_local import validation
from voucher_gateway_local.capabilities import NATIVE_FILTERS
from voucher_gateway_local.open import OpenDatabase
from voucher_gateway_local.statements import LAST_REMAINING, SHOWN, THERE, Row
from voucher_gateway_local.tables import vouchers
from voucher_gateway_local.vault import Vault

Made = Callable[[Vault, Row], Voucher]

_INSTANTS: Final = {
    "created_from": vouchers.c.created_at.__ge__,
    "created_to": vouchers.c.created_at.__le__,
    "valid_until_from": vouchers.c.valid_until.__ge__,
    "valid_until_to": vouchers.c.valid_until.__le__,
}


def check_query(query: VoucherQuery) -> None:
    """Make sure of a query's filters, before anything is read.

    Raises:
        InvalidRequest: for a native filter that there is not or that has no value, or a code or text that there cannot
            be.
    """
    for name, text in query.native.items():
        if name not in NATIVE_FILTERS or not isinstance(text, str) or not text:
            known = ", ".join(sorted(NATIVE_FILTERS))
            raise InvalidRequest(
                f"there is no filter {name!r:.40}, or it has no value; there is {known}",
                field=f"native.{name}",
                rule=known,
            )
        validation.text(text, f"native.{name}")
    for name, filter in (("sku", query.sku), ("batch", query.batch)):
        if filter is not None:
            validation.text(filter, name)
    if query.code is not None:
        validation.code_and_pin(query.code, None)


def conditions(query: VoucherQuery, vault: Vault) -> list[sa.ColumnElement[bool]]:
    """Return what a voucher must be to be listed."""
    clauses: list[sa.ColumnElement[bool]] = [THERE]
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
    """The pages of one listing, by the order in which vouchers were issued.

    A page is asked for by the last voucher of the page before, so that reading far into a long list costs no more than
    its beginning, and nothing is missed when others are issued meanwhile. Only a listing that is resumed counts its way
    to its first page.

    Args:
        open_book: gives the open database.
        query: which vouchers.
        size: vouchers a page.
        clock: the time.
        make: makes a voucher of a row.
    """

    def __init__(
        self,
        open_book: Callable[[], OpenDatabase],
        query: VoucherQuery,
        size: int,
        clock: Callable[[], datetime],
        make: Made,
    ) -> None:
        self._open = open_book
        self._query = query
        self._size = size
        self._clock = clock
        self._make = make
        self._ends: dict[int, int] = {}
        self._expected: int | None = None

    def page(self, index: int) -> Page[Voucher]:
        """Read one page. The first one and those from the expected end on count again how many there are."""
        book = self._open()
        wanted = conditions(self._query, book.vault)
        with book.database.read() as connection:
            rows = self._rows(connection, index, wanted)
            total = None
            if self._expected is None or (index + 1) * self._size >= self._expected:
                counted = SHOWN.where(*wanted).with_only_columns(sa.func.count())
                total = self._expected = connection.scalar(counted, {"now": self._now()}) or 0
        if rows:
            self._ends = {index: rows[-1]["number"]}
        return Page(items=[self._make(book.vault, row) for row in rows], total=total, size=self._size)

    def _rows(self, connection: Connection, index: int, wanted: list[sa.ColumnElement[bool]]) -> list[Row]:
        newest_first = bool(self._query.newest_first)
        number = vouchers.c.number
        asked = SHOWN.where(*wanted).order_by(number.desc() if newest_first else number).limit(self._size)
        before = self._ends.get(index - 1)
        if before is not None:
            asked = asked.where(number < before if newest_first else number > before)
        elif index:
            asked = asked.offset(index * self._size)
        rows = connection.execute(asked, {"now": self._now()})
        return [dict(row) for row in rows.mappings()]

    def _now(self) -> str:
        return format_micros(self._clock())


def listing(pages: Pages, query: VoucherQuery, scope: tuple[str, ...]) -> Listing[Voucher]:
    """Return the lazy list over pages. One worker: each page begins where the one before ended."""
    return Listing(
        pages.page,
        key=lambda voucher: voucher.id,
        workers=1,
        limit=query.limit,
        resume=query.resume,
        scope=query.fingerprint(*scope),
    )
