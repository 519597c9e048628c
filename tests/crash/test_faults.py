"""Every fault of the simulator at every request of every operation: nothing twice, and no wrong report about it."""

from __future__ import annotations

import itertools
from typing import Any, Final

import pytest

from tests.crash.outcomes import OPERATIONS, check_outcome, open_harness, split
from voucher_gateway.errors import ConcurrentModification, OutcomeUnknown, VoucherGatewayError
from voucher_gateway.http import retry
from voucher_gateway.simulator import FAULTS
from voucher_gateway.testing import SimulatedVendor
from voucher_gateway.testing.harness.crash import CrashHarness, JournalledCall

_LASTING: Final = frozenset({"lagging-lookups", "clock-skew", "insert-while-paging"})
"""Faults that do not meet one request, but hold from it on."""

_SURE: Final = frozenset({"rate-limit", "unauthorized"})
"""Refusals that say that nothing was done."""


@pytest.fixture(autouse=True)
def quick_repeats(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the waits between repeats: they are another test's subject."""
    monkeypatch.setattr(retry, "FIRST_WAIT_S", 0.001)


def _inject(vendor: SimulatedVendor, fault: str, at: int) -> None:
    if fault == "lagging-lookups":
        vendor.inject(fault, times=0, after=at, lag_s=1e6)
    elif fault in _LASTING:
        vendor.inject(fault, times=0, after=at)
    else:
        vendor.inject_fault(fault, at)


def _call_with_fault(harness: CrashHarness, attempt: JournalledCall, fault: str, at: int) -> VoucherGatewayError | None:
    """Make the call with an impatient gateway and a fault at one of its requests, and return the error."""
    vendor: Any = harness.vendor
    error: VoucherGatewayError | None = None
    with harness.impatient_gateway() as process:
        _inject(vendor, fault, at)
        try:
            attempt.call(process.client)
        except VoucherGatewayError as raised:
            error = raised
        vendor.clear_faults()
    return error


def _try_fault(name: str, harness: CrashHarness, fault: str, at: int) -> None:
    """Make a call with a fault, and compare what the gateway reports with the ledger."""
    _, operation = split(name)
    attempt = harness.start_case(operation, f"with {fault} at its request {at}")
    error = _call_with_fault(harness, attempt, fault, at)
    attempt.judge(error)
    profile = harness.profile(operation)
    changing = profile.changing
    # This fault lasts, so a reading that follows the change, to see what became of it, lags as well.
    reads_back = fault == "lagging-lookups" and bool(changing) and changing[-1] < profile.requests - 1
    before = not changing or at < changing[0]
    sure = at in changing and (fault in _SURE or FAULTS[fault].commits is None)
    if (before or sure) and not reads_back:
        assert not isinstance(error, OutcomeUnknown), f"{attempt.name}: its outcome can be known: {error}"
    attempt.repeat()
    # Readings that lag behind look as if another party had changed the value. A reservation that names another voucher
    # than the code's leads to that voucher's history, which proves nothing: a person must look.
    wrong_history = fault == "wrong-voucher" and name == "jtl/redeem" and bool(changing) and at == changing[0]
    check_outcome(name, attempt, repeated=True, loud=isinstance(error, ConcurrentModification) or wrong_history)


def _try_everywhere(name: str, harness: CrashHarness, faults: list[str]) -> int:
    cases = list(itertools.product(range(harness.profile(split(name)[1]).requests), faults))
    # From a changed reference on, the journal takes no absence at this vendor for a proof.
    cases.sort(key=lambda case: case[1] == "rewrite-reference")
    for at, fault in cases:
        _try_fault(name, harness, fault, at)
    return len(cases)


@pytest.mark.parametrize("name", ["jtl/redeem", "jtl/refund", "ticketing/redeem"])
def test_what_the_gateway_reports_of_a_call_with_a_fault_is_true(name: str, sqlite_url: str) -> None:
    faults = ["commit-then-drop", "error-before", "truncate", "lagging-lookups"]
    with open_harness(split(name)[0], sqlite_url) as harness:
        assert _try_everywhere(name, harness, faults) >= 12


@pytest.mark.slow
@pytest.mark.parametrize("name", OPERATIONS)
def test_what_the_gateway_reports_is_true_whatever_the_fault(
    name: str, sqlite_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with open_harness(split(name)[0], sqlite_url) as harness:
        vendor: Any = harness.vendor
        faults = sorted(set(FAULTS) - vendor.simulator.faults_without_meaning)
        tried = _try_everywhere(name, harness, faults)
    with capsys.disabled():
        print(f"\n{name}: {tried} faults", end="")  # noqa: T201 - for readers
