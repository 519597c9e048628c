"""How far the reading for a plan is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Final, TypeVar

import attrs

T = TypeVar("T")

_REPORT_EVERY: Final = 100


@attrs.frozen(kw_only=True)
class PlanProgress:
    """The progress of one part of a plan.

    Attributes:
        work: what is done, in words that follow a number of vouchers, such as ``read``.
        count: the number of vouchers that are done.
        total: the number of vouchers of this part; None if it is not known.
        estimated: whether the total is estimated, by the bytes of the file that were read.
    """

    work: str
    count: int
    total: int | None = None
    estimated: bool = False


OnPlanProgress = Callable[[PlanProgress], None]


def file_reporter(on_progress: OnPlanProgress | None) -> Callable[[int, int | None], None] | None:
    """Return a function that reports how many vouchers of a file were checked, and about how many it has."""
    return None if on_progress is None else partial(_report_file, on_progress)


def _report_file(on_progress: OnPlanProgress, count: int, total: int | None) -> None:
    on_progress(PlanProgress(work="checked in the file", count=count, total=total, estimated=total != count))


def count_items(
    items: Iterable[T], work: str, total: Callable[[], int | None], on_progress: OnPlanProgress | None
) -> Iterator[T]:
    """Yield items, and report now and then how many there were.

    Args:
        items: what is counted.
        work: what is done, in words that follow a number of vouchers.
        total: returns how many there are in all; None if that is not known.
        on_progress: is called after every hundred of them, and after the last one; None for no reports.
    """
    count = 0
    for count, item in enumerate(items, 1):
        yield item
        if on_progress is not None and count % _REPORT_EVERY == 0:
            on_progress(PlanProgress(work=work, count=count, total=total()))
    if on_progress is not None and count:
        on_progress(PlanProgress(work=work, count=count, total=count))
