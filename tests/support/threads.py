"""Calls that many threads make at the same moment."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

T = TypeVar("T")

_PATIENCE_S = 30.0


def run_in_threads(tasks: Sequence[Callable[[], T]]) -> list[T]:
    """Run each task in a thread, and return the results in order. All tasks start at the same moment."""
    ready = threading.Barrier(len(tasks))

    def start(task: Callable[[], T]) -> T:
        ready.wait(_PATIENCE_S)
        return task()

    with ThreadPoolExecutor(max_workers=len(tasks)) as pool:
        return list(pool.map(start, tasks))


def run_numbered_threads(count: int, call: Callable[[int], T]) -> list[T]:
    """Make a call with each number below `count`, as `run_in_threads` does."""
    return run_in_threads([partial(call, number) for number in range(count)])
