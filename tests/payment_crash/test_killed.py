"""A worker is killed before and after each request and commit of a payment, and the books agree with it afterwards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

import pytest

from tests.payment_crash.findings import Findings
from tests.payment_crash.processes import points_of, prepare, run_step, spread
from tests.payment_crash.steps import CANCEL, CAPTURE, REPEAT, STEPS, WAYS, check_books, settle
from tests.payment_crash.world import PaymentWorld
from tests.support.long import first

SAMPLE: Final = {"check-out": CANCEL, "capture": CAPTURE, "refund": REPEAT}
"""How the shop goes on in the sample."""


def _kill(world: PaymentWorld, name: str, at: int, way: str, seen: Counter[str]) -> None:
    step = STEPS[name]
    order = prepare(world, step)
    with run_step(world, order, step, at) as child:
        message = child.next_message()
        if "reached" in message:
            child.wait_killed()
        else:  # threads pass a few points more or less
            seen["lived"] += 1
    seen["decided by a person"] += settle(world, order, step, way)
    seen[check_books(world, order, step, way)] += 1


def _kill_everywhere(world: PaymentWorld, name: str, ways: Sequence[str], count: int | None = None) -> Findings:
    findings = Findings()
    points = list(enumerate(points_of(world, STEPS[name])))
    for at, label in points if count is None else spread(points, count):
        for way in ways:
            with findings.case(f"{name}, killed {label} (point {at}), then {way}"):
                _kill(world, name, at, way, findings.seen)
    assert findings.seen["lived"] <= max(2, findings.seen["cases"] // 10), findings
    return findings


@pytest.mark.parametrize("name", first(list(SAMPLE), 2))
def test_a_killed_worker_leaves_a_payment_that_ends_right(
    name: str, make_world: Callable[[str], PaymentWorld], sqlite_url: str
) -> None:
    _kill_everywhere(make_world(sqlite_url), name, (SAMPLE[name],), 3).check(least=3)


@pytest.mark.slow
@pytest.mark.parametrize("name", STEPS)
def test_a_worker_killed_at_any_point_leaves_a_payment_that_ends_right(
    name: str, make_world: Callable[[str], PaymentWorld], either_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    findings = _kill_everywhere(make_world(either_url), name, WAYS)
    with capsys.disabled():
        print(f"\n{name} on {either_url.partition(':')[0]}: {findings}", end="")  # noqa: T201 - for readers
    findings.check()
