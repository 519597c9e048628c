"""Ctrl-C at any point, in a process that lives on: the state is written down and the operation is free."""

from __future__ import annotations

import itertools
from typing import Final

import pytest

from tests.crash.truth import Scene, count_points, scene
from tests.crash.verbs import VERBS
from tests.crash.worker import Job, at_work
from voucher_gateway.journal.journal import Journal
from voucher_gateway.journal.records import OperationState

_accounts: Final = itertools.count(1)


def _interrupt(one: Scene, verb: str, at: int) -> None:
    with at_work(Job(one.site, verb, one.prepared, at, "interrupt")) as worker:
        struck = worker.heard()
        assert struck[0] == "struck"
        assert worker.heard()[:2] == ("over", "KeyboardInterrupt"), struck
        assert one.state() is not OperationState.OPEN, struck
        one.retry()  # no OperationInProgress, although the process lives
        worker.let_end()
    one.check(repeated=True)


@pytest.mark.parametrize("verb", ["jtl/redeem", "ticketing/redeem"])
def test_ctrl_c_leaves_an_operation_free_for_others(verb: str, sqlite_journal: Journal, sqlite_url: str) -> None:
    for at in range(0, len(count_points(verb, sqlite_journal, sqlite_url, "first")), 3):
        with scene(VERBS[verb], sqlite_journal, sqlite_url, f"shop{next(_accounts)}") as one:
            _interrupt(one, verb, at)


@pytest.mark.slow
@pytest.mark.parametrize("verb", VERBS)
def test_ctrl_c_at_any_point_leaves_an_operation_free(verb: str, journal: Journal, either_url: str) -> None:
    for at in range(len(count_points(verb, journal, either_url, "first"))):
        with scene(VERBS[verb], journal, either_url, f"shop{next(_accounts)}") as one:
            _interrupt(one, verb, at)
