"""The lazy listing itself."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Final, Self, TypeAlias, TypeVar

from voucher_gateway.errors import InvalidRequest, MalformedResponse
from voucher_gateway.listing.page import ListingReport, Page
from voucher_gateway.listing.prefetch import Prefetcher
from voucher_gateway.listing.resume_token import ResumePoint, digest

T = TypeVar("T")

Fetched: TypeAlias = Page[T] | Callable[[], Page[T]]
"""What a fetch brings: a page, or what is left to do to make one."""

STALLED_BEYOND: Final = 3
"""So many pages in a row without a new entry, past the end that the first page told, end a listing in an error.

A list that grows in front of the reader as fast as it is read looks the same, and is not readable by pages either.
"""
STALLED_WITHIN: Final = 1000
"""The same before that end, where holes may be honest (a vendor that filters after cutting its pages)."""


class Listing(Iterator[T]):
    """The entries of a paged list, one by one, each once.

    Creating one sends nothing. The first `next` reads a page; then up to `workers` pages are under way at a time, and
    twice as many under way or waiting to be taken. Memory holds those, the page in hand and one small hash an entry.
    A listing belongs to one thread at a time. Use it in a ``with`` block, or call `close`, when it may be left early;
    a forgotten one stops when it is collected.

    The list ends where the totals say, and grows with them; an empty page before that does not end it. Without
    totals the first empty page is the end. `STALLED_BEYOND` and `STALLED_WITHIN` keep a confused vendor from turning
    it into an endless loop. Where entries are only appended (sorted by creation, ascending), every entry that was
    there throughout is given; with one worker also where they are inserted. Deletions meanwhile may hide entries from
    any reader of pages; `report` tells them by the total, and where pages overlap (`Page.overlap`) also by that: up to
    as many deletions between two pages as they share are then made good, too.

    An error of `fetch` is raised in its place, after the entries before it; the iterator is finished then, and
    `resume_token` leads to a new one that goes on.

    Args:
        fetch: reads the page with an index counted from 0; called from other threads too, except for the first
            page, and from none with one worker. It must not refer to the listing. It may return a function that makes
            the page of what it read, which is then called on the thread that reads the listing: the other threads then
            hold the interpreter's lock only for moments, and so do not keep one another waiting for it.
        key: the entry's identity: the vendor's id, never a code, as resume tokens hold a hash of one.
        workers: how many pages may be under way at a time.
        limit: at most so many entries from this object; no page is asked for that it does not need.
        resume: the `resume_token` of an earlier listing, whose pages may have had another size.
        scope: a fingerprint of everything that decides which entries are listed in which order: account and query.
        size: entries from one page to the next as `fetch` asks for them; only needed to resume.

    Raises:
        InvalidRequest: if `resume` is not a token of this scope, or `workers`, `limit` or `size` is below one.
        MalformedResponse: while iterating, when pages repeat without end.
    """

    def __init__(
        self,
        fetch: Callable[[int], Fetched[T]],
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
        mark = ResumePoint() if resume is None else ResumePoint.from_text(resume, scope)
        # Where the last entry given was: page index, entries of the page passed, its hash, duplicates until then.
        self._place = (mark.page, mark.offset, mark.anchor, mark.duplicates)
        self._place_size = mark.size
        self._size = size
        self._fetch = fetch
        self._key = key
        self._workers = workers
        self._left = limit
        self._ahead = Prefetcher(fetch)
        self._pending: deque[tuple[int, Future[Fetched[T]]]] = deque()
        self._closed = False
        # The page in hand.
        self._page: Page[T] | None = None
        self._rest: Iterator[T] = iter(())
        self._index = 0
        self._offset = 0
        self._expected = 0  # entries of the page in hand that the page before it ended with
        # What is known of the whole.
        self._known: set[int] = set()
        self._next = 0
        self._end: int | None = None
        self._first_end = 0
        self._stalled = 0
        self._fresh = False
        # The report, going on where an earlier listing stopped.
        self._seen = mark.seen
        self._duplicates = mark.duplicates
        self._pages = mark.pages
        self._total = mark.total
        self._problems = mark.problems
        self._finished = False

    def __next__(self) -> T:
        if self._closed:
            raise StopIteration
        try:
            while True:
                for item in self._rest:
                    if self._is_new(item):
                        return item
                if not self._turn():
                    break
        except BaseException as error:  # an interrupt too: no thread goes on reading for nobody
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
        """Stop fetching ahead; what is under way ends by itself, unseen. The report and the token stay."""
        self._closed = True
        self._pending.clear()
        self._rest = iter(())
        self._ahead.stop()

    @property
    def report(self) -> ListingReport:
        """What was seen up to now."""
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
        )

    @property
    def resume_token(self) -> str:
        """Opaque text by which a new listing goes on after the last entry that this one gave.

        The page of that entry is read again and the entry is looked for in it, then in the pages before it, so that
        entries which moved up because others went are not lost. If it is gone altogether, the list begins anew and
        entries come again. The new listing's report goes on from this one's.
        """
        page, offset, anchor, duplicates = self._place
        mark = ResumePoint(
            page=page,
            size=self._place_size,
            offset=offset,
            anchor=anchor,
            seen=self._seen,
            duplicates=duplicates,
            pages=self._pages,
            total=self._total,
            problems=self._problems,
        )
        return mark.to_text(self._scope)

    def _is_new(self, item: T) -> bool:
        """Pass one entry of the page in hand, and say whether it is to be given to the caller."""
        self._offset += 1
        identity = digest(self._key(item))
        if identity in self._known:
            if self._offset <= self._expected:
                return False
            self._duplicates += 1
            self._problems.setdefault("duplicates", "entries came more than once")
            return False
        self._known.add(identity)
        self._fresh = True
        self._seen += 1
        assert self._page is not None
        self._place = (self._index, self._offset, identity, self._duplicates)
        self._place_size = self._page.size
        if self._left is not None:
            self._left -= 1
            if not self._left:
                self.close()
        return True

    def _turn(self) -> bool:
        """Take the next page in hand; False at the end of the list."""
        if self._page is None:
            index, page, offset = self._begin()
            self._first_end = page.end or 0
            self._next = index + 1
        else:
            self._check_progress()
            taken = self._take()
            if taken is None:
                return False
            (index, page), offset = taken, 0
        self._note(index, page)
        self._expected = self._count_overlap(index, page)
        self._page, self._index, self._offset, self._fresh = page, index, offset, offset > 0
        self._rest = iter(page.items[offset:])
        if self._workers > 1:
            # Twice as many, because they are taken in order: one that is late must not keep the workers idle.
            while len(self._pending) < 2 * self._workers and self._more_wanted():
                self._pending.append((self._next, self._ahead.submit(self._next, self._workers)))
                self._next += 1
        return True

    def _begin(self) -> tuple[int, Page[T], int]:
        """Read the first page, or find where an earlier listing stopped. Returns index, page and entries to skip."""
        index, passed, anchor, _ = self._place
        if anchor is None:
            return index, _materialize(self._fetch(index)), 0
        stopped = index * self._place_size + passed
        index = (stopped - 1) // (self._size or self._place_size)
        page = _materialize(self._fetch(index))
        if (right := (stopped - 1) // page.size) != index:  # the vendor counts in pages of a size of its own
            index, page = right, _materialize(self._fetch(right))
        digests = self._digests(page)
        while anchor not in digests and index:
            # Deletions moved it to an earlier page. Pages past the end are passed over in one step.
            index = min(index - 1, max((page.end or index) - 1, 0))
            page = _materialize(self._fetch(index))
            digests = self._digests(page)
        offset = digests.index(anchor) + 1 if anchor in digests else 0
        if index * page.size + offset != stopped:
            self._problems.setdefault("moved", "entries moved between stopping and resuming")
        self._known.update(digests[:offset])
        return index, page, offset

    def _digests(self, page: Page[T]) -> list[int]:
        return [digest(self._key(item)) for item in page.items]

    def _take(self) -> tuple[int, Page[T]] | None:
        while self._pending:
            index, coming = self._pending.popleft()
            try:
                return index, _materialize(coming.result())
            except Exception:
                # Asked for ahead, before an earlier page said that the list ends: its failure means nothing.
                if self._end is None or index < self._end:
                    raise
        if not self._more_wanted():
            return None
        index = self._next
        self._next += 1
        return index, _materialize(self._fetch(index))

    def _more_wanted(self) -> bool:
        """Whether one more page should be asked for, on top of those under way."""
        assert self._page is not None
        if self._end is not None and self._next >= self._end:
            return False
        coming = len(self._page.items) - self._offset + len(self._pending) * self._page.size
        return self._left is None or coming < self._left

    def _note(self, index: int, page: Page[T]) -> None:
        """Learn from a page how far the list goes, and whether it is still the same list."""
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
            # Pages are read side by side, so a later one may know less: only an empty page makes the list shorter.
            self._end = max(self._end or 0, page.end)

    def _count_overlap(self, index: int, page: Page[T]) -> int:
        """Return how many entries the page shares with the one before, and note if they are not those that are due."""
        before = self._page
        if before is None or not before.overlap or index != self._index + 1:
            return 0
        shared = len(before.items) - before.size
        if shared > 0 and self._digests(before)[-shared:] != self._digests(page)[:shared]:
            self._problems.setdefault("shifted", "entries moved from one page to another")
        return max(shared, 0)

    def _check_progress(self) -> None:
        self._stalled = 0 if self._fresh else self._stalled + 1
        if self._end is not None and self._index + 1 >= self._end:
            return
        beyond = min(self._stalled, self._index + 1 - self._first_end)
        if beyond >= STALLED_BEYOND or self._stalled >= STALLED_WITHIN:
            raise MalformedResponse(f"{self._stalled} pages in a row held nothing new, and the vendor promises more")

    def _finish(self) -> None:
        self.close()
        self._finished = True
        came = self._seen + self._duplicates
        if self._total not in (None, came):
            self._problems.setdefault("count", f"{came} entries came, the vendor counts {self._total}")


def _materialize(fetched: Fetched[T]) -> Page[T]:
    return fetched if isinstance(fetched, Page) else fetched()
