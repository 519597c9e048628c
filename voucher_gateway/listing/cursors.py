"""Lists of vendors that page by cursor: each page names the opaque cursor of the next one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import ClassVar, Final, Generic, TypeVar

import attrs

from voucher_gateway.errors import MalformedResponse, Rejected
from voucher_gateway.listing.listing import MAX_STALLED_PAGES_WITHIN, Listing
from voucher_gateway.listing.page import Page
from voucher_gateway.listing.unreadable import UnreadableEntry

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

_CIRCLE: Final = "the vendor named a cursor twice, so the list would never end"


@attrs.frozen(kw_only=True)
class CursorPage(Generic[T_co]):
    """One page of a list that is paged by cursor.

    Attributes:
        items: its entries, in the vendor's order. An entry that cannot be read is an `UnreadableEntry` in its place.
            A page before the last one may have fewer entries than the others, or none.
        next_cursor: the cursor of the next page; None or an empty text on the last page.
        total: how many entries the whole query has; None if the vendor does not say it.
    """

    items: Sequence[T_co]
    next_cursor: str | None
    total: int | None = None


def follow_cursors(fetch: Callable[[str | None], CursorPage[T]]) -> Iterator[CursorPage[T]]:
    """Return the pages from the first to the last, for example those of a voucher's history. Each is read when needed.

    Args:
        fetch: reads the page of a cursor; None is the first page.

    Raises:
        MalformedResponse: if the vendor names a cursor a second time: the pages would never end.
    """
    cursor: str | None = None
    known: set[str] = set()
    while True:
        page = _fetch(fetch, cursor)
        yield page
        if not page.next_cursor:
            return
        if page.next_cursor in known:
            raise MalformedResponse(_CIRCLE)
        known.add(page.next_cursor)
        cursor = page.next_cursor


def _fetch(fetch: Callable[[str | None], CursorPage[T]], cursor: str | None) -> CursorPage[T]:
    """Return the page of a cursor.

    Raises:
        MalformedResponse: if the vendor refuses a cursor that it named.
    """
    try:
        return fetch(cursor)
    except Rejected as error:
        if cursor is None:
            raise
        refused = error
    raise MalformedResponse(
        "the vendor refuses the cursor that it named",
        account=refused.account,
        operation=refused.operation,
        http_status=refused.http_status,
        vendor_code=refused.vendor_code,
        request_id=refused.request_id,
    )


class CursorListing(Listing[T]):
    """A `Listing` of a vendor that pages by cursor. It reads one page at a time, because each page names the next one.

    A listing that is resumed reads the pages before its place again. Cursors are not part of a resume token: they
    expire at most vendors.

    Args:
        fetch: reads the page of a cursor; None is the first page. It must not refer to the listing.
        key: returns the entry's identity: the vendor's id, never a code.
        size: how many entries a page has that is full: the number that is asked for.
        limit: the highest number of entries from this object.
        resume: the `resume_token` of an earlier listing, whose pages must have had the same size.
        scope: a fingerprint of everything that decides which entries are listed in which order. The size is added.
    """

    # The first page does not show where the list ends, so no page is beyond that end.
    _max_stalled_beyond_end: ClassVar[int] = MAX_STALLED_PAGES_WITHIN

    def __init__(
        self,
        fetch: Callable[[str | None], CursorPage[T | UnreadableEntry]],
        *,
        key: Callable[[T], str],
        size: int,
        limit: int | None = None,
        resume: str | None = None,
        scope: str = "",
    ) -> None:
        pages = _NumberedPages(fetch, size)
        super().__init__(
            pages.read, key=key, workers=1, limit=limit, resume=resume, scope=f"{scope}\0cursor\0{size}", size=size
        )


class _NumberedPages(Generic[T]):
    """The pages of a list by their index. It knows the cursors of the pages that were read."""

    def __init__(self, fetch: Callable[[str | None], CursorPage[T]], size: int) -> None:
        self._fetch = fetch
        self._size = size
        self._cursors: list[str | None] = [None]  # the cursor that leads to each page
        self._known: set[str] = set()

    def read(self, index: int) -> Page[T]:
        """Return the page with an index, counted from 0; an empty one if the list ends before."""
        while len(self._cursors) <= index:
            known = len(self._cursors)
            self._read_known(known - 1)
            if len(self._cursors) == known:
                return Page(items=[], pages=known, size=self._size)
        return self._read_known(index)

    def _read_known(self, index: int) -> Page[T]:
        page = _fetch(self._fetch, self._cursors[index])
        # The cursors of the pages behind it may be others now.
        self._known.difference_update(cursor for cursor in self._cursors[index + 1 :] if cursor is not None)
        del self._cursors[index + 1 :]
        if page.next_cursor:
            if page.next_cursor in self._known:
                raise MalformedResponse(_CIRCLE)
            self._known.add(page.next_cursor)
            self._cursors.append(page.next_cursor)
        return Page(items=page.items, total=page.total, pages=len(self._cursors), size=self._size)
