"""How far a verification is: it reads both accounts, and then compares every voucher."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, TypeVar

import attrs

from voucher_gateway.listing.listing import Listing

T = TypeVar("T")

_REPORT_EVERY: Final = 100


@attrs.frozen(kw_only=True)
class VerificationProgress:
    """The progress of one part of a verification.

    Attributes:
        work: what is done, in words that follow a number of vouchers, such as ``read at shop``.
        count: the number of vouchers that are done.
        total: the number of vouchers of this part, as far as it is known.
    """

    work: str
    count: int
    total: int | None


OnVerificationProgress = Callable[[VerificationProgress], None]


class ProgressReporter:
    """Counts the vouchers of each part of a verification.

    Args:
        on_progress: is called now and then; None for no reports.
    """

    def __init__(self, on_progress: OnVerificationProgress | None = None) -> None:
        self._on_progress = on_progress

    def count_listed(self, items: Iterable[T], listing: Listing[Any], account: str) -> Iterator[T]:
        """Yield the items of a listing, and report how many there were."""
        count = 0
        for count, item in enumerate(items, 1):
            if count % _REPORT_EVERY == 0:
                self._report(f"read at {account}", count, listing.report.vendor_total)
            yield item
        self._report(f"read at {account}", count, count)

    def count_items(self, items: Iterable[T], work: str, total: int) -> Iterator[T]:
        """Yield vouchers, and report how many there were.

        Args:
            items: the vouchers.
            work: what is done with them, in words that follow a number of vouchers.
            total: the number of them.
        """
        for count, item in enumerate(items, 1):
            yield item
            if count % _REPORT_EVERY == 0 or count == total:
                self._report(work, count, total)

    def _report(self, work: str, count: int, total: int | None) -> None:
        if self._on_progress is not None:
            self._on_progress(VerificationProgress(work=work, count=count, total=total))
