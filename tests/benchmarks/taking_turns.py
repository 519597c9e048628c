"""Ways to do the same, timed in rounds that take turns, so that a change of the machine's speed meets them all."""

from __future__ import annotations

import gc
import os
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

ROUNDS: Final = 15


def compared(
    ways: Mapping[str, Callable[[], object]],
    *,
    calls: int,
    rounds: int = ROUNDS,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, float]:
    """Return the median microseconds of one call of each way.

    Args:
        ways: by name.
        calls: of one way in a round.
        rounds: of all ways, after one that does not count.
        clock: in seconds; `time.process_time` counts this process's work only.
    """
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds + 1):
        for name, way in ways.items():
            times[name].append(_seconds(way, calls, clock))
    return {name: statistics.median(taken[1:]) / calls * 1e6 for name, taken in times.items()}


def _seconds(way: Callable[[], object], calls: int, clock: Callable[[], float]) -> float:
    gc.collect()
    start = clock()
    for _ in range(calls):
        way()
    return clock() - start


@contextmanager
def one_core() -> Iterator[None]:
    """Keep this thread, and the processes that it starts in the meantime, on one core, where the system can.

    A client and its server on two cores wake each other for each answer. What that takes is up to the scheduler, and
    was seen to be from nothing to more than all else that a short statement takes, for each connection another. On one
    core it is the same for all, and least: so whatever is compared there stands out most.
    """
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
