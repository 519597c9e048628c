"""The lazy listing: an iterator over the entries of all pages of a list."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from typing import ClassVar, Final, Self, TypeAlias, TypeVar

from voucher_gateway.errors import InvalidRequest, MalformedResponse
from voucher_gateway.listing.digest_set import DigestSet
from voucher_gateway.listing.page import ListingReport, Page, ResumePoint, key_digest
from voucher_gateway.listing.prefetch import InContext, Prefetcher
from voucher_gateway.listing.unreadable import UnreadableEntries, UnreadableEntry, require_readable_entries
from voucher_gateway.process.loggers import get_logger

T = TypeVar("T")

log: Final = get_logger("voucher_gateway.listing")

Fetched: TypeAlias = Page[T] | Callable[[], Page[T]]
"""The result of a fetch: a page, or a function that makes the page."""

MAX_STALLED_PAGES_BEYOND_END: Final = 3
"""This many pages in a row without a new entry, past the end that the first page showed, end a listing in an error.

A list that grows at its beginning as fast as it is read looks the same, and cannot be read by pages either.
"""
MAX_STALLED_PAGES_WITHIN: Final = 1000
"""The same before that end, where empty pages can be correct (a vendor that filters after it cuts the pages)."""


class Listing(Iterator[T]):
    """An iterator over the entries of a paged list; each entry comes once.

    Creating a listing sends nothing. The first `next` reads a page. Then up to `workers` pages are requested at a time,
    and up to twice that many are requested or wait to be read. Memory holds those, the current page and a hash of each
    entry. Use a listing in one thread at a time. If you may leave it early, use it in a ``with`` block or call `close`;
    otherwise it stops when it is garbage-collected.

    The list ends where the totals say, and grows with them; an empty page before that does not end it. Without totals
    the first empty page is the end. `MAX_STALLED_PAGES_BEYOND_END` and `MAX_STALLED_PAGES_WITHIN` prevent an endless
    loop.

    Every entry that existed throughout comes if entries are only appended (sorted by creation, ascending). If entries
    are inserted elsewhere, too, this needs pages that overlap (`Page.overlap`), or a total while nothing is deleted, or
    one worker: a page that was fetched ahead is read again if its overlap or its total shows that it is older than the
    page before it. Entries that are deleted during the reading can hide others from any reader of pages. `report`
    detects this by the total and by the overlap. As many deletions between two pages as they have entries in common
    hide nothing.

    An entry that cannot be read does not end the list. The iterator passes it over, a line of the log names it, and so
    does `unreadable`. `entries` yields it in its place.

    An error of `fetch` is raised after the entries before it. The iterator is finished then, and `resume_token` leads
    to a new one that continues.

    Args:
        fetch: reads the page with an index counted from 0. It is called on other threads too, except for the first
            page, and on none with one worker. It must not refer to the listing. It may return a function that makes
            the page; that is called on the thread that reads the listing, so that the other threads hold the
            interpreter's lock only briefly.
        key: returns the entry's identity: the vendor's id, never a code, because resume tokens hold a hash of it.
        workers: how many pages may be requested at a time.
        limit: the highest number of entries from this object; no page is requested that it does not need.
        resume: the `resume_token` of an earlier listing, whose pages may have had another size.
        scope: a fingerprint of everything that decides which entries are listed in which order: account and query.
        size: entries from one page to the next as `fetch` requests them; only needed to resume.

    Raises:
        InvalidRequest: if `resume` is not a token of this scope, or `workers`, `limit` or `size` is below one.
        MalformedResponse: while iterating, when pages repeat without end, or none of many first entries can be read.
    """

    _max_stalled_beyond_end: ClassVar[int] = MAX_STALLED_PAGES_BEYOND_END

    def __init__(
        self,
        fetch: Callable[[int], Fetched[T | UnreadableEntry]],
        *,
        key: Callable[[T], str],
        workers: int = 4,
        limit: int | None = None,
        resume: str | None = None,
        scope: str = "",
        size: int | None = None,
    ) -> None:
        for name, value in (("workers", workers), ("limit", limit), ("size", size)):
            if value is not None and value < 1:
                raise InvalidRequest(f"{name} must be above zero", field=name, rule="at least 1")
        self._scope = scope
        point = ResumePoint() if resume is None else ResumePoint.from_text(resume, scope)
        # The place of the last entry returned: page index, entries passed on it, its hash, duplicates until then.
        self._place = (point.page, point.offset, point.anchor, point.duplicates)
        self._place_size = point.size
        self._size = size
        self._fetch = fetch = InContext(fetch)
        self._key = key
        self._workers = workers
        self._left = limit
        self._prefetcher = Prefetcher(fetch)
        self._pending: deque[tuple[int, Future[Fetched[T | UnreadableEntry]]]] = deque()
        self._closed = False
        # The current page.
        self._page: Page[T | UnreadableEntry] | None = None
        self._rest: Iterator[T | UnreadableEntry] = iter(())
        self._index = 0
        self._offset = 0
        self._expected = 0  # entries of the current page that the page before it ended with
        # What is known of the whole list.
        self._known = DigestSet()
        self._next = 0
        self._end: int | None = None
        self._first_end = 0
        self._stalled = 0
        self._fresh = False
        # The report, which continues that of an earlier listing.
        self._seen = point.seen
        self._duplicates = point.duplicates
        self._pages = point.pages
        self._total = point.total
        self._unreadable = UnreadableEntries(point.unreadable)
        self._problems = point.problems
        self._finished = False

    def __next__(self) -> T:
        while isinstance(entry := self._next_entry(), UnreadableEntry):
            pass
        return entry

    def entries(self) -> Iterator[T | UnreadableEntry]:
        """Yield the entries in the order of the list, and those that cannot be read in their places."""
        while True:
            try:
                entry = self._next_entry()
            except StopIteration:
                return
            yield entry

    def _next_entry(self) -> T | UnreadableEntry:
        if self._closed:
            raise StopIteration
        try:
            while True:
                for item in self._rest:
                    if self._is_new(item):
                        return self._with_place(item)
                if not self._take_next_page():
                    break
        except BaseException as error:  # an interrupt too: no thread must go on reading
            self.close()
            if isinstance(error, StopIteration):  # would look like the end of the list
                raise RuntimeError("fetch or key raised StopIteration") from error
            raise
        self._finish()
        raise StopIteration

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop fetching ahead. Requests that were sent end by themselves. The report and the token stay."""
        self._closed = True
        self._pending.clear()
        self._rest = iter(())
        self._prefetcher.stop()

    @property
    def unreadable(self) -> tuple[UnreadableEntry, ...]:
        """The first entries that could not be read, at most a thousand. The report counts all."""
        return tuple(self._unreadable.kept)

    @property
    def report(self) -> ListingReport:
        """The report up to now."""
        consistent: bool | None = None
        if self._finished and (self._problems or self._total is not None):
            consistent = not self._problems
        return ListingReport(
            seen=self._seen,
            vendor_total=self._total,
            duplicates=self._duplicates,
            pages=self._pages,
            finished=self._finished,
            consistent=consistent,
            problems=tuple(self._problems.values()),
            unreadable=self._unreadable.count,
        )

    @property
    def resume_token(self) -> str:
        """Opaque text with which a new listing continues after the last entry of this one.

        The page of that entry is read again. The entry is looked for in it, then in the pages before it, so that
        entries are not lost that moved up because others were deleted. If the entry was deleted, the list begins again
        and entries come a second time. The new listing's report continues this one's.
        """
        page, offset, anchor, duplicates = self._place
        point = ResumePoint(
            page=page,
            size=self._place_size,
            offset=offset,
            anchor=anchor,
            seen=self._seen,
            duplicates=duplicates,
            pages=self._pages,
            total=self._total,
            unreadable=self._unreadable.count,
            problems=self._problems,
        )
        return point.to_text(self._scope)

    def _is_new(self, item: T | UnreadableEntry) -> bool:
        """Pass an entry of the current page, and return whether it has not come before."""
        self._offset += 1
        identity = self._identity(item)
        if not self._known.add(identity):
            if self._offset <= self._expected:
                return False
            self._duplicates += 1
            self._problems.setdefault("duplicates", "entries came more than once")
            return False
        self._fresh = True
        assert self._page is not None
        self._place = (self._index, self._offset, identity, self._duplicates)
        self._place_size = self._page.size
        if isinstance(item, UnreadableEntry):
            return True
        self._seen += 1
        if self._left is not None:
            self._left -= 1
            if not self._left:
                self.close()
        return True

    def _identity(self, item: T | UnreadableEntry) -> int:
        return key_digest(item.key if isinstance(item, UnreadableEntry) else self._key(item))

    def _with_place(self, item: T | UnreadableEntry) -> T | UnreadableEntry:
        if isinstance(item, UnreadableEntry):
            return self._unreadable.add(item, page=self._index + 1, position=self._offset)
        return item

    def _take_next_page(self) -> bool:
        """Make the next page the current one; return False at the end of the list."""
        if self._page is None:
            index, page, offset = self._first_page()
            self._first_end = page.end or 0
            self._next = index + 1
        else:
            self._check_progress()
            taken = self._next_page()
            if taken is None:
                return False
            (index, page), offset = taken, 0
        self._record_page(index, page)
        if not self._seen:
            require_readable_entries(page.items)
        if not self._overlaps(index, page):
            self._problems.setdefault("shifted", "entries moved from one page to another")
        self._expected = self._count_shared(index)
        self._page, self._index, self._offset, self._fresh = page, index, offset, offset > 0
        self._rest = iter(page.items[offset:])
        if self._workers > 1:
            # Twice as many, because pages are read in order: a slow page must not leave the workers idle.
            while len(self._pending) < 2 * self._workers and self._needs_another_page():
                self._pending.append((self._next, self._prefetcher.submit(self._next, self._workers)))
                self._next += 1
        return True

    def _first_page(self) -> tuple[int, Page[T | UnreadableEntry], int]:
        """Return the first page, or that where an earlier listing stopped: its index, the page, the entries to skip."""
        index, passed, anchor, _ = self._place
        if anchor is None:
            return index, _materialize(self._fetch(index)), 0
        stopped = index * self._place_size + passed
        index = (stopped - 1) // (self._size or self._place_size)
        page = _materialize(self._fetch(index))
        if (right := (stopped - 1) // page.size) != index:  # the vendor counts in pages of another size
            index, page = right, _materialize(self._fetch(right))
        digests = self._digests(page.items)
        while anchor not in digests and index:
            # Deletions moved it to an earlier page. Pages past the end are passed over in one step.
            index = min(index - 1, max((page.end or index) - 1, 0))
            page = _materialize(self._fetch(index))
            digests = self._digests(page.items)
        offset = digests.index(anchor) + 1 if anchor in digests else 0
        if index * page.size + offset != stopped:
            self._problems.setdefault("moved", "entries moved between stopping and resuming")
        self._known.update(digests[:offset])
        return index, page, offset

    def _digests(self, items: Iterable[T | UnreadableEntry]) -> list[int]:
        return [self._identity(item) for item in items]

    def _next_page(self) -> tuple[int, Page[T | UnreadableEntry]] | None:
        while self._pending:
            index, coming = self._pending.popleft()
            try:
                page = _materialize(coming.result())
            except Exception:
                # It was requested before an earlier page showed that the list ends, so its failure means nothing.
                if self._end is None or index < self._end:
                    raise
            else:
                return index, page if self._fits(index, page) else self._read_again(index)
        if not self._needs_another_page():
            return None
        index = self._next
        self._next += 1
        return index, _materialize(self._fetch(index))

    def _fits(self, index: int, page: Page[T | UnreadableEntry]) -> bool:
        """Return whether a page that was fetched ahead continues the current page.

        It may show an older state of the list than the current page does. Entries that were inserted in between moved
        others from it to the current page's place and beyond, so these would be on neither page.
        """
        assert self._page is not None
        if self._count_shared(index):
            return self._overlaps(index, page)
        return self._page.total is None or page.total is None or page.total >= self._page.total

    def _read_again(self, index: int) -> Page[T | UnreadableEntry]:
        """Return the page as it is now: after the current page was read, as without workers."""
        log.info("page %d was fetched before page %d and does not fit it: it is read again", index, self._index)
        self._pages += 1
        return _materialize(self._fetch(index))

    def _needs_another_page(self) -> bool:
        """Return whether another page should be requested, besides those that were."""
        assert self._page is not None
        if self._end is not None and self._next >= self._end:
            return False
        coming = len(self._page.items) - self._offset + len(self._pending) * self._page.size
        return self._left is None or coming < self._left

    def _record_page(self, index: int, page: Page[T | UnreadableEntry]) -> None:
        """Record from a page where the list ends, and whether it is still the same list."""
        self._pages += 1
        if page.total is not None:
            if self._total not in (None, page.total):
                self._problems.setdefault(
                    "total", f"the total changed while reading, first from {self._total} to {page.total}"
                )
            self._total = page.total
        if self._page is not None and page.size != self._page.size:
            self._problems.setdefault("size", f"the page size changed, first from {self._page.size} to {page.size}")
        if not page.items and (page.end is None or page.end <= index):
            if page.end is not None or self._end is None:
                self._end = index
        elif page.end is not None:
            # Pages are requested together, so a later one may be older: only an empty page makes the list shorter.
            self._end = max(self._end or 0, page.end)

    def _count_shared(self, index: int) -> int:
        """Return how many entries the page with this index should share with the current page."""
        page = self._page
        if page is None or not page.overlap or index != self._index + 1:
            return 0
        return max(len(page.items) - page.size, 0)

    def _overlaps(self, index: int, page: Page[T | UnreadableEntry]) -> bool:
        """Return whether a page begins with the entries with which the current page ends."""
        shared = self._count_shared(index)
        if self._page is None or not shared:
            return True
        return self._digests(self._page.items[-shared:]) == self._digests(page.items[:shared])

    def _check_progress(self) -> None:
        self._stalled = 0 if self._fresh else self._stalled + 1
        if self._end is not None and self._index + 1 >= self._end:
            return
        beyond = min(self._stalled, self._index + 1 - self._first_end)
        if beyond >= self._max_stalled_beyond_end or self._stalled >= MAX_STALLED_PAGES_WITHIN:
            raise MalformedResponse(
                f"{self._stalled} pages in a row had no new entry, although the vendor's total promises more"
            )

    def _finish(self) -> None:
        self.close()
        self._finished = True
        came = self._seen + self._duplicates + self._unreadable.count
        if self._total not in (None, came):
            self._problems.setdefault("count", f"{came} entries came, the vendor counts {self._total}")


def _materialize(fetched: Fetched[T]) -> Page[T]:
    return fetched if isinstance(fetched, Page) else fetched()
