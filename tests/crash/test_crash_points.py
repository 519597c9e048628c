"""A process dies at every point of every verb, and another one takes up what it left."""

from __future__ import annotations

import itertools
from typing import Final

import pytest

from tests.crash.truth import count_points, scene
from tests.crash.verbs import VERBS
from tests.crash.worker import Job, at_work
from voucher_gateway.journal.journal import Journal

_accounts: Final = itertools.count(1)

_SAMPLE: Final = ("jtl/redeem", "jtl/refund", "ticketing/redeem")
_EVERY: Final = 3
"""In the sample, each third point: those of a request and those of a commit come in turn."""


def _kill(verb: str, journal: Journal, url: str, at: int, label: str, *, repeated: bool) -> None:
    """Kill a process at a point; then repeat its call, as a shop does, or only look, as `recover` does."""
    with scene(VERBS[verb], journal, url, f"shop{next(_accounts)}") as one:
        with at_work(Job(one.site, verb, one.prepared, at)) as worker:
            assert worker.heard() == ("struck", label)
            worker.wait_killed()
        one.wait_until_free()
        if repeated:
            one.retry()
        else:
            one.recover()
        one.check(repeated=repeated)


def _kill_at_each(verb: str, journal: Journal, url: str, every: int) -> int:
    struck = list(enumerate(count_points(verb, journal, url, "first")))[::every]
    for (at, label), repeated in itertools.product(struck, (True, False)):
        _kill(verb, journal, url, at, label, repeated=repeated)
    return len(struck)


@pytest.mark.parametrize("verb", _SAMPLE)
def test_a_killed_process_leaves_nothing_done_twice(verb: str, sqlite_journal: Journal, sqlite_url: str) -> None:
    assert _kill_at_each(verb, sqlite_journal, sqlite_url, _EVERY) > 2


def test_a_killed_process_leaves_nothing_done_twice_on_postgres(postgres_journal: Journal, postgres_url: str) -> None:
    assert _kill_at_each("jtl/redeem", postgres_journal, postgres_url, _EVERY) > 2


@pytest.mark.slow
@pytest.mark.parametrize("verb", VERBS)
def test_a_process_killed_at_any_point_leaves_nothing_done_twice(
    verb: str, journal: Journal, either_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    struck = _kill_at_each(verb, journal, either_url, 1)
    with capsys.disabled():
        kind = either_url.partition(":")[0]
        print(f"\n{verb} on {kind}: killed at {struck} points, twice each", end="")  # noqa: T201 - for who reads along
