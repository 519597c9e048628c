"""Work that is done on several threads."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

_ITEMS_PER_WORKER: Final = 2
"""Queue up to this many items per worker, so that one slow item does not leave the other workers idle."""


def ordered_map(fn: Callable[[Item], Result], items: Iterable[Item], workers: int) -> Iterator[Result]:
    """Call a function for each item on several threads, and yield the results in the order of the items.

    It is lazy: no thread starts before the first result is asked for. Items are taken one by one on the thread of the
    caller, at most two per worker ahead of the results, so memory stays flat however many items there are. When the
    iterator ends, by an error or by `close()`, calls that have not started are cancelled and the others are waited for.

    Args:
        fn: is called by several threads at a time.
        items: may be endless.
        workers: the number of threads, at least 1.

    Raises:
        Exception: the error of a call, in the place of its result; the error of `items` at once. No result follows it.
    """
    pending: deque[Future[Result]] = deque()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="ordered-map")
    try:
        for item in items:
            pending.append(pool.submit(fn, item))
            if len(pending) >= _ITEMS_PER_WORKER * workers:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
