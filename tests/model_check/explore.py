"""Exploration of all interleavings, the shortest first."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Hashable, Iterator, Mapping
from typing import Generic, TypeVar

import attrs

from tests.model_check.callers import callers
from tests.model_check.invariants import broken
from tests.model_check.payment_rules import PaymentRules
from tests.model_check.payment_system import Card, Leg, Payment, broken_payment
from tests.model_check.payment_workers import payment_steps
from tests.model_check.rules import Rules
from tests.model_check.system import Operation, System
from tests.model_check.workers import surroundings, workers

S = TypeVar("S", bound=Hashable)
R = TypeVar("R")


@attrs.frozen
class Story(Generic[S, R]):
    """Where an exploration begins, what can happen, and what must hold.

    Attributes:
        start: the first state.
        steps: gives what can happen next in a state under some rules, with the state after it.
        broken: gives the promise that a state breaks; None if it keeps all of them.
    """

    start: S
    steps: Callable[[S, R], Iterator[tuple[str, S]]]
    broken: Callable[[S], str | None]


def _operation_steps(system: System, rules: Rules) -> Iterator[tuple[str, System]]:
    yield from callers(system, rules)
    yield from workers(system, rules)
    yield from surroundings(system, rules)


def _operations(start: System) -> Story[System, Rules]:
    return Story(start, _operation_steps, broken)


def _payment(start: Payment) -> Story[Payment, PaymentRules]:
    return Story(start, payment_steps, broken_payment)


STORIES = {
    "two refunds": _operations(System(operations=(Operation("refund"), Operation("refund")), refunds=(-1,))),
    "two redemptions": _operations(System(operations=(Operation("redeem"), Operation("redeem")))),
}
"""What the two buyers are about to do; the story with fewer states first."""

PAYMENT_STORIES = {
    "a payment that is open": _payment(
        Payment("open", legs=(Leg(holdable=True), Leg(holdable=False, state="planned")))
    ),
    "a payment that is authorized": _payment(
        Payment("authorized", card=Card("authorized", "live", keys=frozenset({("authorize", 0)})))
    ),
}
"""A payment of two legs and a card; the story with fewer states first."""


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


def explore(story: Story[S, R], rules: R) -> Exploration:
    """Reach every state from the start of a story, or the first that breaks a promise."""
    begun = time.perf_counter()
    came_from: dict[S, tuple[S, str] | None] = {story.start: None}
    queue = deque([story.start])
    while queue:
        state = queue.popleft()
        promise = story.broken(state)
        if promise is not None:
            return Exploration(len(came_from), time.perf_counter() - begun, promise, _way(came_from, state))
        for what, after in story.steps(state, rules):
            if after not in came_from:
                came_from[after] = (state, what)
                queue.append(after)
    return Exploration(len(came_from), time.perf_counter() - begun)


def counter_example(stories: Mapping[str, Story[S, R]], rules: R) -> tuple[str, Exploration] | None:
    """Return the first story in which a promise is broken, and how; None if there is none."""
    for name, story in stories.items():
        found = explore(story, rules)
        if found.promise is not None:
            return name, found
    return None


def _way(came_from: Mapping[S, tuple[S, str] | None], state: S) -> tuple[str, ...]:
    way: list[str] = []
    step = came_from[state]
    while step is not None:
        state, what = step
        way.append(what)
        step = came_from[state]
    return tuple(reversed(way))
