"""Exploration of all interleavings, the shortest first."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator

import attrs

from tests.model_check.callers import Step, callers
from tests.model_check.invariants import broken
from tests.model_check.rules import Rules
from tests.model_check.system import Operation, System
from tests.model_check.workers import surroundings, workers

STORIES = {
    "two refunds": System(operations=(Operation("refund"), Operation("refund")), refunds=(-1,)),
    "two redemptions": System(operations=(Operation("redeem"), Operation("redeem"))),
}
"""What the two buyers are about to do; the story with fewer states first."""


@attrs.frozen
class Exploration:
    """What was found.

    Attributes:
        states: how many different states were reached.
        seconds: how long it took.
        promise: the promise that was broken; None if all were kept.
        trace: the shortest way there, step by step.
    """

    states: int
    seconds: float
    promise: str | None = None
    trace: tuple[str, ...] = ()


def explore(start: System, rules: Rules) -> Exploration:
    """Reach every state from a start, or the first that breaks a promise."""
    begun = time.perf_counter()
    came_from: dict[System, tuple[System, str] | None] = {start: None}
    queue = deque([start])
    while queue:
        system = queue.popleft()
        promise = broken(system)
        if promise is not None:
            return Exploration(len(came_from), time.perf_counter() - begun, promise, _way(came_from, system))
        for what, after in _steps(system, rules):
            if after not in came_from:
                came_from[after] = (system, what)
                queue.append(after)
    return Exploration(len(came_from), time.perf_counter() - begun)


def counter_example(rules: Rules) -> tuple[str, Exploration] | None:
    """Return the first story in which a promise is broken, and how; None if there is none."""
    for name, start in STORIES.items():
        found = explore(start, rules)
        if found.promise is not None:
            return name, found
    return None


def _steps(system: System, rules: Rules) -> Iterator[Step]:
    yield from callers(system, rules)
    yield from workers(system, rules)
    yield from surroundings(system, rules)


def _way(came_from: dict[System, tuple[System, str] | None], system: System) -> tuple[str, ...]:
    way: list[str] = []
    step = came_from[system]
    while step is not None:
        system, what = step
        way.append(what)
        step = came_from[system]
    return tuple(reversed(way))
