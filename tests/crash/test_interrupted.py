"""Ctrl-C at any point, in a process that lives on: the state is recorded, and others may continue the operation."""

from __future__ import annotations

import signal

import pytest

from tests.crash.outcomes import OPERATIONS, check_outcome, open_harness, split
from voucher_gateway.journal.records import OperationState
from voucher_gateway.testing.harness.child_process import require_reached, run_with_signal
from voucher_gateway.testing.harness.crash import CrashHarness


def _interrupt_at(name: str, harness: CrashHarness, at: int) -> None:
    attempt = harness.start_case(split(name)[1], f"interrupted at its point {at}")
    with run_with_signal(harness.vendor, harness.url, attempt.call, at, signal.SIGINT) as child:
        label = require_reached(child, attempt.name)
        assert child.next_message() == {"outcome": "KeyboardInterrupt"}, label
        assert attempt.state is not OperationState.OPEN, label
        attempt.repeat()  # no OperationInProgress, although the process lives
        check_outcome(name, attempt, repeated=True)


@pytest.mark.parametrize("name", ["jtl/redeem", "ticketing/redeem"])
def test_ctrl_c_leaves_an_operation_free_for_others(name: str, sqlite_url: str) -> None:
    with open_harness(split(name)[0], sqlite_url) as harness:
        for at in range(0, len(harness.profile(split(name)[1]).points), 3):
            _interrupt_at(name, harness, at)


@pytest.mark.slow
@pytest.mark.parametrize("name", OPERATIONS)
def test_ctrl_c_at_any_point_leaves_an_operation_free(name: str, either_url: str) -> None:
    with open_harness(split(name)[0], either_url) as harness:
        for at in range(len(harness.profile(split(name)[1]).points)):
            _interrupt_at(name, harness, at)
