"""Providers that list wrongly."""

from __future__ import annotations

import logging
from typing import Any

import attrs

from tests.testing.broken.registry import breaks
from tests.testing.corner.provider import DECLARED, CornerProvider
from voucher_gateway.provider_api import (
    Listing,
    Page,
    Voucher,
    VoucherGatewayError,
    VoucherQuery,
)

LOG = logging.getLogger("corner")


@breaks("P1")
class LosesTheLastPage(CornerProvider):
    def page(self, operation: str, number: int, params: list[tuple[str, Any]]) -> Page[Voucher]:
        page = super().page(operation, number, params)
        assert page.total is not None
        return attrs.evolve(page, total=None, pages=page.total // page.size)


@breaks("P1")
class GivesVouchersTwice(CornerProvider):
    def page(self, operation: str, number: int, params: list[tuple[str, Any]]) -> Page[Voucher]:
        page = super().page(operation, number, params)
        return attrs.evolve(page, items=[*page.items, *page.items[:1]])


@breaks("P1")
class TakesACutPageForTheLast(CornerProvider):
    """The vendor sends eight at most, whatever is asked for."""

    def page(self, operation: str, number: int, params: list[tuple[str, Any]]) -> Page[Voucher]:
        page = super().page(operation, number, params)
        return attrs.evolve(page, items=page.items[:8], total=None)


@breaks("P2")
class ListsBeforeItIsAsked(CornerProvider):
    def vouchers(self, query: VoucherQuery | None = None) -> Listing[Voucher]:
        self.page("vouchers", 1, [])
        return super().vouchers(query)


@breaks("P3")
class IgnoresTheLimit(CornerProvider):
    def vouchers(self, query: VoucherQuery | None = None) -> Listing[Voucher]:
        return super().vouchers(attrs.evolve(query or VoucherQuery(), limit=None))


@breaks("P4")
class BeginsAnew(CornerProvider):
    def vouchers(self, query: VoucherQuery | None = None) -> Listing[Voucher]:
        return super().vouchers(attrs.evolve(query or VoucherQuery(), resume=None))


@breaks("P5")
class StopsWhenTheListGrows(CornerProvider):
    def page(self, operation: str, number: int, params: list[tuple[str, Any]]) -> Page[Voucher]:
        page = super().page(operation, number, params)
        if number == 1:
            self._first = page.total
        grown = operation == "vouchers" and page.total != self._first
        return Page(items=[], total=0, size=page.size) if grown else page


@breaks("P6")
class DeclaresAFilterThatItIgnores(CornerProvider):
    def filters(self, query: VoucherQuery) -> list[tuple[str, Any]]:
        return [one for one in super().filters(query) if one[0] != "status"]


@breaks("P6")
class CutsTheFractionOfABound(CornerProvider):
    """It filters by itself, as the corner shop has no such filter."""

    declared = attrs.evolve(
        DECLARED, listing=attrs.evolve(DECLARED.listing, filters=DECLARED.listing.filters | {"created_from"})
    )

    def vouchers(self, query: VoucherQuery | None = None) -> Listing[Voucher]:
        query = query or VoucherQuery()
        bound = query.created_from
        listing = super().vouchers(attrs.evolve(query, created_from=None))
        if bound is None:
            return listing
        whole = bound.replace(microsecond=0)
        items = [one for one in listing if one.created_at is not None and one.created_at >= whole]
        return Listing(
            lambda index: Page(items=[] if index else items, total=len(items), size=max(len(items), 1)),
            key=lambda voucher: voucher.id,
        )


@breaks("P13")
class SendsAnyValueOfANativeFilter(CornerProvider):
    declared = attrs.evolve(DECLARED, listing=attrs.evolve(DECLARED.listing, native_filters=frozenset({"status"})))

    def filters(self, query: VoucherQuery) -> list[tuple[str, Any]]:
        named = super().filters(attrs.evolve(query, native={}))
        return [*named, *((name, str(value)) for name, value in query.native.items())]


@breaks("P7")
class IgnoresWhatItCannotFilter(CornerProvider):
    def filters(self, query: VoucherQuery) -> list[tuple[str, Any]]:
        return super().filters(VoucherQuery(code=query.code, status=query.status))


@breaks("P8")
class DeclaresAnOrderThatItIgnores(CornerProvider):
    declared = attrs.evolve(DECLARED, listing=attrs.evolve(DECLARED.listing, sortable=True))

    def filters(self, query: VoucherQuery) -> list[tuple[str, Any]]:
        return super().filters(attrs.evolve(query, newest_first=None))


@breaks("P9")
class PassesOverAPage(CornerProvider):
    def page(self, operation: str, number: int, params: list[tuple[str, Any]]) -> Page[Voucher]:
        try:
            return super().page(operation, number, params)
        except VoucherGatewayError:
            return Page(items=[], size=self.settings.page_size)


@breaks("P14")
class EndsAListAtAWrongVoucher(CornerProvider):
    def entry(self, raw: object) -> Voucher:
        return self.strict_entry(raw)


@breaks("P14")
class DropsAWrongVoucherSilently(CornerProvider):
    def page(self, operation: str, number: int, params: list[tuple[str, Any]]) -> Page[Voucher]:
        page = super().page(operation, number, params)
        items: list[Any] = list(page.items)
        return attrs.evolve(page, items=[item for item in items if isinstance(item, Voucher)], total=None)


@breaks("P10")
class AsksForPagesOfAnySize(CornerProvider):
    declared = attrs.evolve(DECLARED, listing=attrs.evolve(DECLARED.listing, max_page_size=40))
