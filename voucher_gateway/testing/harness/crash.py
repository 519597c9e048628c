"""A gateway with a journal at a vendor, and calls that crash or meet faults and are compared with the ledger."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from decimal import Decimal
from typing import Any, Final

import attrs

from voucher_gateway.capabilities import Capabilities, Operation, Support
from voucher_gateway.emulation.registry import RISKS, find_emulation, with_emulations
from voucher_gateway.errors import DatabaseUnavailable, Declined, NotExecuted, OutcomeUnknown, VoucherGatewayError
from voucher_gateway.journal.records import OperationState
from voucher_gateway.testing.harness.calls import AccountClient, catch_error, changing_requests
from voucher_gateway.testing.harness.cases import OperationCase, make_case
from voucher_gateway.testing.harness.child_process import (
    ANSWERED,
    PATIENCE_S,
    SENDING,
    CrashPoints,
    GatewayProcess,
    require_reached,
    run_with_signal,
)
from voucher_gateway.testing.harness.fault_injection import LOST, LookupLag, own_faults
from voucher_gateway.testing.harness.fault_matrix import FaultMatrix
from voucher_gateway.testing.harness.vendor import ACCOUNT, IMPATIENT, VendorUnderTest, select_settings
from voucher_gateway.testing.harness.vouchers import VoucherFactory
from voucher_gateway.testing.promises.checks import require

SHARES: Final = 5
"""How many shares a voucher holds that many threads spend at once."""

_MARGIN_S: Final = 120.0

_REPEATS: Final = 5
"""How often a shop repeats a call at the most."""

_HANG: Final = "commit-then-hang"
"""The fault at which the vendor carries the request out and never answers, if the vendor has it."""

_FAULTS: Final = ("commit-then-drop", "error-before", "truncate", "error-after-commit")
"""The faults of which a run that is not thorough injects some, if the vendor has them."""


@attrs.frozen
class CallProfile:
    """The requests and the crash points of one call that meets no fault.

    Attributes:
        points: the labels of the points at which a process can die, in order.
        requests: the number of requests that the vendor gets, log-ins included.
        changing: the positions of the requests that change something.
    """

    points: list[str]
    requests: int
    changing: list[int]


class CrashHarness:
    """A gateway on a journal at a vendor, with methods that make its calls fail.

    Args:
        vendor: the vendor.
        url: the URL of the journal.
        thorough: whether all points and faults are tried, and not a selection.
    """

    def __init__(self, vendor: VendorUnderTest, url: str, *, thorough: bool) -> None:
        self.vendor = vendor
        self.url = url
        self._thorough = thorough
        self.process = GatewayProcess.open(vendor, url)
        provider = self.process.gateway.provider(ACCOUNT)
        self.can: Capabilities = with_emulations(provider.declared, frozenset(RISKS))
        self.factory = VoucherFactory(vendor, provider, self.process.client)
        self.operations = [
            operation for operation in Operation if operation.changes and self.can.of(operation).available
        ]
        self._random = random.Random(f"crashes of {provider.name}")  # noqa: S311 - the same in every run
        self.reading = FaultMatrix(vendor, thorough=False).requests_of_reads()
        self.lag = LookupLag(vendor)
        self._profiles: dict[Operation, CallProfile] = {}

    def ledger(self) -> Sequence[Mapping[str, Any]]:
        """Return the vendor's ledger, whose codes must not show in messages."""
        return self.vendor.ledger()

    def close(self) -> None:
        """Close the gateway."""
        self.process.close()

    @property
    def main_operation(self) -> Operation:
        """The operation for tests that need only one: the one that takes value, if the provider has it."""
        for operation in (Operation.REDEEM, Operation.TOP_UP, Operation.ISSUE):
            if operation in self.operations:
                return operation
        return self.operations[0]

    def is_emulated(self, operation: Operation) -> bool:
        """Whether the gateway makes an operation out of others."""
        return self.can.of(operation).support is Support.EMULATED

    def start_case(self, operation: Operation, what: str) -> JournalledCall:
        """Prepare a call of an operation, and name it for messages."""
        emulated = find_emulation(self.can, operation)
        sends_nothing = emulated is not None and emulated.requests == 0
        case = attrs.evolve(make_case(operation, self.factory), visible_in_ledger=not sends_nothing)
        return JournalledCall(self, case, self.factory.reference(), f"{operation.value} {what}")

    def profile(self, operation: Operation) -> CallProfile:
        """Return what a call of an operation does, from one that meets no fault."""
        if operation not in self._profiles:
            attempt = self.start_case(operation, "without a fault")
            before = len(self.vendor.request_lines)
            points = CrashPoints()
            with closing(GatewayProcess.open(self.vendor, self.url)) as process, points.watching(process.journal):
                attempt.call(process.client)
            arrived = self.vendor.request_lines[before:]
            changes = changing_requests(arrived, self.reading)
            changing = [index for index, request in enumerate(arrived) if request in changes]
            self._profiles[operation] = CallProfile(points.passed, len(arrived), changing)
            attempt.check(after="repeated")
        return self._profiles[operation]

    def points(self) -> Iterator[tuple[Operation, int, str]]:
        """Yield where processes are killed: right before each request and after the last answer, or everywhere."""
        for operation in self.operations:
            for at, label in enumerate(self.profile(operation).points):
                if self._thorough or label in (SENDING, ANSWERED):
                    yield operation, at, label

    def waiting(self) -> Iterator[tuple[Operation, int]]:
        """Yield where processes are killed while the vendor has their request, if the vendor can keep one waiting."""
        if _HANG not in self.vendor.faults:
            return
        for operation in self.operations if self._thorough else [self.main_operation]:
            for at in self.profile(operation).changing[-1:]:
                yield operation, at

    @contextmanager
    def kill_while_waiting(self, operation: Operation, at: int) -> Iterator[JournalledCall]:
        """Kill a process while it waits for the answer to a request that the vendor has carried out."""
        attempt = self.start_case(operation, "killed while it waited for an answer")
        start, deadline = len(self.vendor.request_lines), time.monotonic() + PATIENCE_S
        self.lag.prepare()
        self.vendor.inject_fault(_HANG, at)
        with run_with_signal(self.vendor, self.url, attempt.call, None):
            while len(self.vendor.request_lines) <= start + at or attempt.case.times() == 0:
                require(time.monotonic() < deadline, f"{attempt.name}: the vendor never got the request")
                time.sleep(0.005)
        attempt.wait_until_abandoned()
        yield attempt
        self.vendor.clear_faults()

    def faults_to_try(self, operation: Operation) -> list[tuple[str, int]]:
        """Return the faults to inject, each with the position of the request that meets it."""
        requests = range(self.profile(operation).requests)
        everything = [(fault, at) for at in requests for fault in sorted(self.vendor.faults)]
        if self._thorough:
            return everything
        names = [fault for fault in (LOST, *own_faults(self.vendor)) if fault in self.vendor.faults]
        always = [(fault, at) for fault in names for at in self.profile(operation).changing[-1:]]
        some = [pair for pair in everything if pair[0] in _FAULTS and pair not in always]
        return always + self._random.sample(some, min(2, len(some)))

    @contextmanager
    def kill_at(self, operation: Operation, at: int, label: str) -> Iterator[JournalledCall]:
        """Kill a process at a point of a call."""
        attempt = self.start_case(operation, f"killed {label}")
        if self._thorough or label != SENDING:  # right before a request is sent, nothing can be shown
            self.lag.prepare()
        with run_with_signal(self.vendor, self.url, attempt.call, at) as child:
            require_reached(child, attempt.name)
            child.wait_killed()
        attempt.wait_until_abandoned()
        require(attempt.case.times() in (0, 1), f"{attempt.name}: it happened {attempt.case.times()} times")
        yield attempt
        self.vendor.clear_faults()

    @contextmanager
    def impatient_gateway(self) -> Iterator[GatewayProcess]:
        """Open a gateway on the same journal, with an impatient provider that has sent nothing yet."""
        impatient = select_settings(type(self.factory.provider), IMPATIENT)
        provider = self.vendor.provider(**{key: value for key, value in impatient.items() if key != "tries"})
        try:
            yield self.process.with_provider(provider)
        finally:
            provider.close()

    def recover(self, *, advancing: bool = True) -> None:
        """Let the gateway look up every unknown outcome, now and again after all reservations have ended."""
        self.process.gateway.recover(account=ACCOUNT, everything=True)
        if advancing:
            self.lapse()
            self.process.gateway.recover(account=ACCOUNT, everything=True)
            self.process.gateway.recover(account=ACCOUNT, everything=True)

    def lapse(self) -> None:
        """Move the vendor's clock until every reservation has ended."""
        rules = self.can.reservations
        life = rules.time_to_live.total_seconds() if rules is not None and rules.time_to_live is not None else 0.0
        self.vendor.advance(life + _MARGIN_S)

    def count_changes(self) -> int:
        """Return how many changing requests arrived so far."""
        return len(changing_requests(self.vendor.request_lines, self.reading))

    def require_sum(self, times: Decimal, answers: list[str], who: str) -> None:
        """Check that the value that was taken fits the reported outcomes."""
        succeeded = answers.count("succeeded")
        unknown = answers.count("OutcomeUnknown") + answers.count("ConcurrentModification")
        summary = f"{succeeded} {who} reported success, and {unknown} an unknown outcome"
        require(times == int(times), f"{summary}, and {times} shares are gone")
        require(succeeded <= times <= succeeded + unknown, f"{summary}, and {times} shares are gone")
        require(times <= SHARES, f"the voucher held {SHARES} shares, and {times} are gone")
        require(succeeded, f"not one of the {who} could spend: {', '.join(sorted(set(answers)))}")


@attrs.frozen
class JournalledCall:
    """One call through the gateway, and its outcome.

    Attributes:
        harness: the gateway.
        case: the call.
        reference: its reference.
        name: for messages.
    """

    harness: CrashHarness
    case: OperationCase
    reference: str
    name: str

    def call(self, client: AccountClient) -> Any:
        """Make the call with any gateway."""
        return self.case.call(client, self.reference)

    def perform(self) -> Any:
        """Make the call with the gateway of this process."""
        return self.call(self.harness.process.client)

    @property
    def state(self) -> OperationState | None:
        """The state of its operation in the journal; None if it has none."""
        entry = self.harness.process.gateway.operation(ACCOUNT, self.case.operation, self.reference)
        return None if entry is None else entry.state

    def wait_until_abandoned(self) -> None:
        """Wait until the lock of a dead process is free: PostgreSQL needs a moment to notice the lost connection."""
        process, deadline = self.harness.process, time.monotonic() + PATIENCE_S
        record = process.gateway.operation(ACCOUNT, self.case.operation, self.reference)
        while record is not None and process.journal.is_owner_alive(record):
            require(time.monotonic() < deadline, f"{self.name}: the lock of a dead process is not freed")
            time.sleep(0.002)

    def repeat_while_lookups_lag(self) -> None:
        """Repeat the call once while look-ups show the ledger of before it, and judge it; only if that was prepared."""
        if not self.harness.lag.prepared:
            return
        with self.harness.lag.lagging(), catch_error() as caught:
            self.perform()
        self.judge(caught.error)

    def repeat(self) -> None:
        """Repeat the call as a shop does: until it succeeds, is declined, or fails in another way."""
        for _ in range(_REPEATS):
            try:
                self.perform()
            except OutcomeUnknown:
                self.harness.lapse()
            except NotExecuted:
                continue
            except VoucherGatewayError as error:
                require(
                    isinstance(error, Declined) or error.outcome == "unknown",
                    f"{self.name}: a repeat raised {type(error).__name__}: {error.message}",
                )
                return
            else:
                return

    def judge(self, error: VoucherGatewayError | None) -> None:
        """Compare the error or success of a call with what happened."""
        times = self.case.times()
        outcome = "it succeeded" if error is None else type(error).__name__
        seen = f"{self.name}: {outcome}, and it happened {times} times"
        require(times in (0, 1), seen)
        # A vendor may be a database, too: only an error of the journal counts.
        journal = self.harness.process.journal.database.safe_url
        troubled = isinstance(error, DatabaseUnavailable) and journal in error.message
        require(not troubled, f"{seen}: nothing was wrong with the journal")
        if error is None:
            require(times == 1 or not self.case.visible_in_ledger, seen)
        elif error.outcome != "unknown":
            require(times == 0, seen)

    def check(self, *, after: str, loud: bool = False) -> None:
        """Check that it happened once or not at all, and that the journal agrees or says unknown.

        Args:
            after: what was done after the call: repeated or recovered.
            loud: whether it was reported as unknown, so that it may stay unknown.
        """
        times, state, operation = self.case.times(), self.state, self.case.operation
        seen = f"{self.name}, then {after}: it happened {times} times, and the journal says {state and state.value}"
        require(times in (0, 1), seen)
        require(state is not OperationState.OPEN, seen)
        if operation is Operation.RELEASE:  # the reservation may have ended without it
            require(times == int(self.case.visible_in_ledger) or state is not OperationState.SUCCEEDED, seen)
        elif not self.case.visible_in_ledger or operation is Operation.RESERVE:  # which may have ended since
            require(times == 0 or state in (OperationState.SUCCEEDED, OperationState.UNKNOWN), seen)
        elif times == 0:
            require(state is not OperationState.SUCCEEDED, seen)
        else:
            findable = operation in self.harness.can.resolvable and not loud
            allowed = (OperationState.SUCCEEDED,) if findable else (OperationState.SUCCEEDED, OperationState.UNKNOWN)
            require(state in allowed, seen)
