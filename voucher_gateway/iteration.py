"""Iterates over many items: in batches, or with a function that several threads call."""

from __future__ import annotations

import contextvars
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Final, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

_ITEMS_PER_WORKER: Final = 2
"""Queue up to this many items per worker, so that one slow item does not leave the other workers idle."""


def batched(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Yield the items in lists of a size; the last list can be shorter. From Python 3.12 on, itertools has it.

    Args:
        items: may be endless; only one list of them is in memory.
        size: the length of a list, at least 1.
    """
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch


def ordered_map(fn: Callable[[Item], Result], items: Iterable[Item], workers: int) -> Generator[Result, None, None]:
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
            pending.append(pool.submit(contextvars.copy_context().run, fn, item))
            if len(pending) >= _ITEMS_PER_WORKER * workers:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
