"""Workers of the shop in processes of their own that die, freeze or are cut off at a point of a step."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import TypeVar

from tests.payment_crash.steps import Shop, Step
from tests.payment_crash.world import Order, PaymentWorld
from voucher_gateway.testing.harness.child_process import (
    PATIENCE_S,
    ChildProcess,
    CrashPoints,
    Say,
    outcome_name,
    run_forked,
)

T = TypeVar("T")


def spread(values: Sequence[T], count: int) -> list[T]:
    """Return some of the values, from all over."""
    return [values[(2 * number + 1) * len(values) // (2 * count)] for number in range(count)]


@contextmanager
def run_step(
    world: PaymentWorld, order: Order, step: Step, at: int | None, signal_number: int = signal.SIGKILL
) -> Iterator[ChildProcess]:
    """Take a step in a child that sends itself a signal at a point. It says that point, and the outcome if it lives on.

    Points lie before and after each commit, each request to a vendor and each call of the card.
    """

    def work(say: Say) -> None:
        def report_point(label: str) -> None:
            say({"reached": label})

        points = CrashPoints(at, signal_number, report_point)
        shop = Shop(world, order, world.gateway(), world.card(order, points.reach))
        with points.watching():
            outcome = outcome_name(step.act, shop)
        say({"outcome": outcome, "passed": "|".join(points.passed)})
        time.sleep(PATIENCE_S)

    with run_forked(work) as child:
        yield child


def prepare(world: PaymentWorld, step: Step, card: str = "tok_good") -> Order:
    """Return a new order for which everything before a step is done."""
    order = world.order(card=card, at_once=step.at_once)
    with closing(world.gateway()) as gateway:
        step.prepare(Shop(world, order, gateway, world.card(order)))
    return order


def points_of(world: PaymentWorld, step: Step) -> list[str]:
    """Return the points that a step passes where nothing goes wrong."""
    with run_step(world, prepare(world, step), step, None) as child:
        return child.next_message()["passed"].split("|")
