"""The operations of our vendors, and what may be the outcome of a call that crashed or met a fault.

The processes, the points and the faults are those of the crash kit that ships, `voucher_gateway.testing.harness`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Final

from voucher_gateway.capabilities import Operation
from voucher_gateway.emulation.registry import RISKS, with_emulations
from voucher_gateway.journal.records import OperationState
from voucher_gateway.provider.provider import VoucherProvider
from voucher_gateway.reconciliation.reconcile import reconcile
from voucher_gateway.testing import SimulatedVendor
from voucher_gateway.testing.harness.crash import CrashHarness, JournalledCall
from voucher_gateway.testing.harness.vendor import ACCOUNT
from voucher_gateway_jtl import JtlProvider
from voucher_gateway_ticketing import TicketingProvider

PROVIDERS: Final[Mapping[str, type[VoucherProvider]]] = {"jtl": JtlProvider, "ticketing": TicketingProvider}


def _operations() -> Iterator[str]:
    for name, provider in PROVIDERS.items():
        available = with_emulations(provider.declared, frozenset(RISKS))
        for operation in Operation:
            if operation.changes and available.of(operation).available:
                yield f"{name}/{operation.value}"


OPERATIONS: Final = tuple(_operations())
"""Every changing operation of every vendor, emulated ones included, as VENDOR/OPERATION."""

OVER_S: Final = 32 * 60
"""Longer than a reservation at JTL and the margin after it, in seconds."""

_OVERWRITTEN: Final = "a value that is not there may still arrive, or was overwritten since"
MAY_STAY_UNKNOWN: Final[Mapping[str, str]] = {
    "jtl/top_up": "a recharge that is not there may still arrive: nothing puts an end to the request",
    "jtl/refund": "no refund of ours is there, but refunds carry no reference: a person must decide",
    "ticketing/issue": "a voucher that is not there may still arrive",
    "ticketing/top_up": _OVERWRITTEN,
    "ticketing/redeem": _OVERWRITTEN,
    "ticketing/refund": _OVERWRITTEN,
}
"""Where the rules of the vendors cannot prove that something did not happen. What happened is always found."""

RESUMES_BY_REPEAT: Final[Mapping[str, str]] = {
    "jtl/issue": "the id is ours: a repeat cannot make a second one",
    "jtl/activate": "the status was read first",
    "jtl/deactivate": "a repeat does no harm",
    "jtl/update": "a repeat does no harm",
    "jtl/delete": "a repeat does no harm",
    "ticketing/update": "a repeat reads the amount again and does no harm",
}
"""What is not there stays unknown as long as only `recover` looks; the caller's repeat then does it."""

LAPSES: Final[Mapping[str, str]] = {
    "jtl/capture": "the reservation is over by the time its absence is proved",
    "jtl/reserve": "the reservation may be over by now, which leaves no trace",
}
"""What the caller's repeat cannot bring about any more."""


def split(name: str) -> tuple[str, Operation]:
    """Return the vendor and the operation of an item of `OPERATIONS`."""
    vendor, _, operation = name.partition("/")
    return vendor, Operation(operation)


@contextmanager
def open_harness(vendor: str, url: str) -> Iterator[CrashHarness]:
    """Start a simulator, and open a gateway on a journal there. At the end journal and vendor must agree."""
    with closing(SimulatedVendor(PROVIDERS[vendor], settings={"workers": 4}, vouchers=2)) as simulated:
        simulated.announcement.pop("currency", None)  # so the provider asks for it, which are more requests to fail
        with closing(CrashHarness(simulated, url, thorough=True)) as harness:
            yield harness
            # Reservations that nobody can capture any more lapse; the vendor's clock is known from its latest answer.
            simulated.clock.advance(OVER_S)
            gateway = harness.process.gateway
            gateway.provider(ACCOUNT).check()
            assert reconcile(gateway, ACCOUNT).differences == ()
            assert gateway.verify_journal().differences == ()


def check_outcome(name: str, attempt: JournalledCall, *, repeated: bool, loud: bool = False) -> None:
    """Check that a call happened once or not at all, and that the journal says exactly that.

    Args:
        name: the item of `OPERATIONS`.
        attempt: the call.
        repeated: whether the caller repeated the call, which brings it about where that is possible.
        loud: whether the gateway reported that another party changed the voucher, so that a person must decide.
    """
    attempt.check(after="repeated" if repeated else "recovered", loud=loud)
    times, state = attempt.case.times(), attempt.state
    seen = f"{attempt.name}: it happened {times} times, and the journal says {state}"
    if not attempt.case.visible_in_ledger:
        assert state is OperationState.SUCCEEDED or not repeated, seen
    elif times:
        assert state is (OperationState.UNKNOWN if loud else OperationState.SUCCEEDED), seen
    elif name == "jtl/reserve":
        assert state is OperationState.SUCCEEDED or (not repeated and state is not OperationState.UNKNOWN), seen
    else:
        unproved = name in MAY_STAY_UNKNOWN or (name in RESUMES_BY_REPEAT and not repeated)
        allowed: set[OperationState | None] = {OperationState.UNKNOWN} if unproved else set()
        if not repeated or name in LAPSES:
            allowed |= {None, OperationState.DECLINED, OperationState.NOT_EXECUTED}
        assert state in allowed, seen
