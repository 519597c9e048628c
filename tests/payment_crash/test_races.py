"""Two workers at one payment at the same moment: one winner, and the sum is right."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, closing
from decimal import Decimal
from typing import Any, Final

import attrs
import pytest

from tests.payment_crash.processes import prepare
from tests.payment_crash.steps import CANCEL, CAPTURE, STEPS, Act, Shop, Step, check_books, settle
from tests.payment_crash.world import CURRENCY, TOTAL, WAIT_S, Order, PaymentWorld
from voucher_gateway import Money
from voucher_gateway.testing.harness.child_process import Say, outcome_name, run_forked

START_S: Final = 0.15
"""How long both workers have to start, in seconds."""

WAITS: Final = (0.0, WAIT_S)
"""How long a worker waits for the other one."""


@attrs.frozen
class Hasty(Shop):
    """A worker that waits a given time for another one.

    Attributes:
        wait_s: how long.
    """

    wait_s: float = 0.0

    def payment(self, total: Any = TOTAL) -> Any:
        return self.gateway.payment(self.order.number, total=total, other=self.card, wait=self.wait_s)


def race(world: PaymentWorld, step: Step, *acts: Act, wait_s: float) -> tuple[list[str], str]:
    """Let workers act at the same moment at a new order; return their outcomes, and the payment's state in the end."""
    order = prepare(world, step)
    outcomes = race_at(world, order, *acts, wait_s=wait_s)
    # Nothing is decided from here on: what was decided is completed.
    way = CAPTURE if outcomes[-1] == "OperationInProgress" else CANCEL
    settle(world, order, step, way)
    return outcomes, check_books(world, order, step, way)


def race_at(world: PaymentWorld, order: Order, *acts: Act, wait_s: float) -> list[str]:
    """Let workers act at the same moment at an order, and return their outcomes."""
    start = time.monotonic() + START_S
    with ExitStack() as stack:
        children = []
        for act in acts:

            def work(say: Say, act: Act = act) -> None:
                shop = Hasty(world, order, world.gateway(), world.card(order), wait_s)
                time.sleep(max(0.0, start - time.monotonic()))
                say({"outcome": outcome_name(act, shop)})

            children.append(stack.enter_context(run_forked(work)))
        return [child.next_message()["outcome"] for child in children]


def _capture_against_cancel(world: PaymentWorld, races: int) -> Counter[str]:
    seen: Counter[str] = Counter()
    for number in range(races):
        wait_s = WAITS[number % 2]
        outcomes, state = race(
            world, STEPS["capture"], STEPS["capture"].act, STEPS["cancel-authorized"].act, wait_s=wait_s
        )
        seen[f"capture {outcomes[0]}, cancel {outcomes[1]}: {state}"] += 1
        assert (state == "cancelled") == (outcomes[1] == "succeeded"), seen
        assert outcomes != ["OperationInProgress", "OperationInProgress"], seen
    return seen


def test_capture_against_cancel_has_one_winner(make_world: Callable[[str], PaymentWorld], either_url: str) -> None:
    _capture_against_cancel(make_world(either_url), 2)


@pytest.mark.slow
def test_a_hundred_races_of_capture_against_cancel_have_one_winner_each(
    make_world: Callable[[str], PaymentWorld], either_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    seen = _capture_against_cancel(make_world(either_url), 100)
    with capsys.disabled():
        print(f"\n{either_url.partition(':')[0]}: {dict(seen)}", end="")  # noqa: T201 - for readers


def _refund(reference: str) -> Act:
    def act(shop: Shop) -> None:
        shop.payment().refund(Money("60.00", CURRENCY), reference=reference)

    return act


@pytest.mark.slow
def test_two_returns_at_the_same_time_give_back_what_was_paid_at_most(
    make_world: Callable[[str], PaymentWorld], either_url: str
) -> None:
    world, step = make_world(either_url), STEPS["refund"]
    for number in range(10):
        order = prepare(world, step)
        outcomes = race_at(world, order, _refund("return-1"), _refund("return-2"), wait_s=WAITS[number % 2])
        with closing(world.gateway()) as gateway:
            gateway.recover(everything=True, other=world.card(order))
            ids = tuple(record.id for record in gateway.payments(order=order.number))
        assert outcomes.count("succeeded") == 1, outcomes
        assert sum(world.taken(order, ids).values()) == Decimal("30.00"), outcomes


@pytest.mark.slow
@pytest.mark.parametrize("name", ["check-out", "authorize", "capture", "cancel-captured", "refund", "supersede"])
def test_two_workers_that_do_the_same_do_it_once(
    name: str, make_world: Callable[[str], PaymentWorld], either_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    world, step, seen = make_world(either_url), STEPS[name], Counter[str]()
    for number in range(20):
        outcomes, state = race(world, step, step.act, step.act, wait_s=WAITS[number % 2])
        seen[f"{' and '.join(sorted(outcomes))}: {state}"] += 1
    with capsys.disabled():
        print(f"\n{name} on {either_url.partition(':')[0]}: {dict(seen)}", end="")  # noqa: T201 - for readers
