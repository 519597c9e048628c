"""A page of a list, and the report of a listing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, TypeVar

import attrs

from voucher_gateway.errors import MalformedResponse

T = TypeVar("T")


@attrs.frozen(kw_only=True)
class Page(Generic[T]):
    """One page of a list.

    Attributes:
        items: its entries, in the vendor's order.
        total: how many entries the whole query has; None if the vendor does not say it.
        pages: how many pages it has; None if the vendor does not say it.
        size: entries from the beginning of one page to that of the next, as the vendor counts them, which may
            differ from the request.
        overlap: how many entries more than that a page holds: those with which the next page begins. Where a vendor
            pages by offset, they show whether entries moved between two pages, even if the total is the same.

    Raises:
        MalformedResponse: if one of the numbers makes no sense.
    """

    items: Sequence[T]
    total: int | None = None
    pages: int | None = None
    size: int
    overlap: int = 0

    def __attrs_post_init__(self) -> None:
        wrong = [name for name in ("total", "pages") if (getattr(self, name) or 0) < 0]
        if self.size < 1:
            wrong.append("size")
        if self.overlap < 0:
            wrong.append("overlap")
        if wrong:
            raise MalformedResponse("the vendor's count of pages makes no sense", problems=tuple(wrong))

    @property
    def end(self) -> int | None:
        """The index after the last page, as this page tells it: the larger where `pages` and `total` disagree."""
        bounds = [] if self.pages is None else [self.pages]
        if self.total is not None:
            bounds.append(max(-(-(self.total - self.overlap) // self.size), min(self.total, 1)))
        return max(bounds, default=None)


@attrs.frozen(kw_only=True)
class ListingReport:
    """What a listing has read so far, including the part before it was resumed.

    Attributes:
        seen: entries that the caller got.
        vendor_total: the vendor's latest total; None if it has none.
        duplicates: entries that came again and were dropped.
        pages: pages read.
        finished: whether the vendor's list was read to its end; a limit, an error or `close` leaves it False.
        consistent: False when something contradicts that every entry was seen once: the total or the page size
            changed meanwhile, entries came twice or moved between two pages, or the counts do not add up. True when
            the vendor's total agrees.
            None until the listing is finished, and for a vendor without a total, where nothing can prove it.
        problems: what contradicts it, a sentence each.
    """

    seen: int
    vendor_total: int | None
    duplicates: int
    pages: int
    finished: bool
    consistent: bool | None
    problems: tuple[str, ...]
