"""A process dies at every point of every operation, and another one continues from what it left."""

from __future__ import annotations

import itertools
from typing import Final

import pytest

from tests.crash.outcomes import OPERATIONS, check_outcome, open_harness, split
from voucher_gateway.testing.harness.crash import CrashHarness

_SAMPLE: Final = ("jtl/redeem", "jtl/refund", "ticketing/redeem")
_EVERY: Final = 3
"""In the sample, each third point: points of a request and of a commit alternate."""


def _kill_at_each(name: str, harness: CrashHarness, every: int) -> int:
    """Kill a process at each point, then repeat its call, as a shop does, or only recover. Return how many."""
    _, operation = split(name)
    points = list(enumerate(harness.profile(operation).points))[::every]
    for (at, label), repeated in itertools.product(points, (True, False)):
        with harness.kill_at(operation, at, label) as attempt:
            if repeated:
                attempt.repeat()
            else:
                harness.recover()
            check_outcome(name, attempt, repeated=repeated)
    return len(points)


@pytest.mark.parametrize("name", _SAMPLE)
def test_a_killed_process_leaves_nothing_done_twice(name: str, sqlite_url: str) -> None:
    with open_harness(split(name)[0], sqlite_url) as harness:
        assert _kill_at_each(name, harness, _EVERY) > 2


def test_a_killed_process_leaves_nothing_done_twice_on_postgres(postgres_url: str) -> None:
    with open_harness("jtl", postgres_url) as harness:
        assert _kill_at_each("jtl/redeem", harness, _EVERY) > 2


@pytest.mark.slow
@pytest.mark.parametrize("name", OPERATIONS)
def test_a_process_killed_at_any_point_leaves_nothing_done_twice(
    name: str, either_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with open_harness(split(name)[0], either_url) as harness:
        points = _kill_at_each(name, harness, 1)
    with capsys.disabled():
        database = either_url.partition(":")[0]
        print(f"\n{name} on {database}: killed at {points} points, twice each", end="")  # noqa: T201 - for readers
