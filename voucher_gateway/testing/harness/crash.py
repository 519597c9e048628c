"""A gateway with a journal at a stage, and calls through it that are struck, repeated and held against the truth."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from decimal import Decimal
from typing import Any, Final

import attrs

from voucher_gateway.capabilities import RISKS, Capabilities, Operation, Support
from voucher_gateway.emulation.registry import with_emulations
from voucher_gateway.errors import DatabaseUnavailable, Declined, NotExecuted, OutcomeUnknown, VoucherGatewayError
from voucher_gateway.journal.records import OperationState
from voucher_gateway.testing.harness.calls import AccountClient, changing_of
from voucher_gateway.testing.harness.cases import OperationCase, make_case
from voucher_gateway.testing.harness.child_process import (
    ANSWERED,
    PATIENCE_S,
    SENDING,
    CrashPoints,
    GatewayProcess,
    must_have_struck,
    run_until_killed,
    working,
)
from voucher_gateway.testing.harness.fault_matrix import FaultMatrix
from voucher_gateway.testing.harness.vendor import ACCOUNT, IMPATIENT, VendorUnderTest, select_settings
from voucher_gateway.testing.harness.vouchers import VoucherFactory
from voucher_gateway.testing.promise_checks import require

SHARES: Final = 5
"""How often the voucher of a crowd holds one share, and a little more."""

_MARGIN_S: Final = 120.0

_HANG: Final = "commit-then-hang"
"""The fault at which the vendor does it and never answers, where a stage has it."""

_FAULTS: Final = ("commit-then-drop", "error-before", "truncate", "error-after-commit")
"""What strikes calls of a gateway unless a run is thorough."""


class CrashHarness:
    """A gateway on a journal, what its account can do, and how it is put to the test.

    Args:
        stage: the vendor.
        url: the journal's.
        thorough: whether everything is tried, and not only some of it.
    """

    def __init__(self, stage: VendorUnderTest, url: str, *, thorough: bool) -> None:
        self.stage = stage
        self.url = url
        self._thorough = thorough
        self.desk = GatewayProcess.open(stage, url)
        provider = self.desk.gateway.provider(ACCOUNT)
        self.can: Capabilities = with_emulations(provider.declared, frozenset(RISKS))
        self.scenes = VoucherFactory(stage, provider, self.desk.till)
        self.operations = [
            operation for operation in Operation if operation.changes and self.can.of(operation).available
        ]
        self._random = random.Random(f"crashes of {provider.name}")  # noqa: S311 - the same in every run
        self.reading = FaultMatrix(stage, thorough=False).requests_of_reads()
        self._labels: dict[Operation, list[str]] = {}
        self._requests: dict[Operation, int] = {}
        self._changing: dict[Operation, list[int]] = {}

    def ledger(self) -> list[Mapping[str, Any]]:
        """Return the stage's ledger, whose codes must not show in messages."""
        return self.stage.ledger()

    def close(self) -> None:
        """Close the gateway."""
        self.desk.close()

    @property
    def main_operation(self) -> Operation:
        """The verb that stands for all where one is enough: the one that takes value, if there is one."""
        for operation in (Operation.REDEEM, Operation.TOP_UP, Operation.ISSUE):
            if operation in self.operations:
                return operation
        return self.operations[0]

    def is_emulated(self, operation: Operation) -> bool:
        """Whether the gateway makes a verb out of others."""
        return self.can.of(operation).support is Support.EMULATED

    def start_case(self, operation: Operation, what: str) -> JournalledCall:
        """Prepare a verb and name its call."""
        emulation = self.can.of(operation).emulation if self.is_emulated(operation) else None
        # The vendor never hears of these: what is set aside lapses, or was taken before.
        silent = emulation == "release-by-expiry" or (
            emulation == "reserve-by-redeem" and operation is Operation.CAPTURE
        )
        deed = attrs.evolve(make_case(operation, self.scenes), visible_in_ledger=not silent)
        return JournalledCall(self, deed, self.scenes.reference(), f"{operation.value} {what}")

    def labels(self, operation: Operation) -> list[str]:
        """Return the points that a verb comes by, from a call that is not struck."""
        if operation not in self._labels:
            trial = self.start_case(operation, "rehearsed")
            before = len(self.stage.requests())
            with closing(GatewayProcess.open(self.stage, self.url)) as desk:
                points = CrashPoints()
                points.watch(desk.journal)
                trial.deed.call(desk.till, trial.reference)
            arrived = self.stage.requests()[before:]
            changes = changing_of(arrived, self.reading)
            self._labels[operation] = points.passed
            self._requests[operation] = len(arrived)
            self._changing[operation] = [index for index, request in enumerate(arrived) if request in changes]
            trial.check(after="repeated")
        return self._labels[operation]

    def last_changing(self, operation: Operation) -> int:
        """Return the position of the last request of a verb that changes something."""
        self.labels(operation)
        return self._changing[operation][-1]

    def points(self) -> Iterator[tuple[Operation, int, str]]:
        """Yield where processes are killed: right before each request and after the last answer, or everywhere."""
        for operation in self.operations:
            for at, label in enumerate(self.labels(operation)):
                if self._thorough or label in (SENDING, ANSWERED):
                    yield operation, at, label

    def last_change(self, operation: Operation) -> int:
        """Return the position of the last request of a verb that changes something."""
        self.labels(operation)
        return self._changing[operation][-1]

    def waiting(self) -> Iterator[tuple[Operation, int]]:
        """Yield where processes are killed while the vendor has their request, if a stage can keep one waiting."""
        if _HANG not in self.stage.faults:
            return
        for operation in self.operations if self._thorough else [self.main_operation]:
            self.labels(operation)
            for at in self._changing[operation][-1:]:
                yield operation, at

    @contextmanager
    def kill_while_waiting(self, operation: Operation, at: int) -> Iterator[JournalledCall]:
        """Kill a process while it waits for the answer to a request that the vendor has carried out."""
        trial = self.start_case(operation, "killed while it waited for an answer")
        start, deadline = len(self.stage.requests()), time.monotonic() + PATIENCE_S
        self.stage.inject_fault(_HANG, at)
        with working(self.stage, self.url, trial.call):
            while len(self.stage.requests()) <= start + at or trial.deed.times() == 0:
                require(time.monotonic() < deadline, f"{trial.name}: the vendor never got the request")
                time.sleep(0.005)
        self.stage.clear_faults()
        yield trial

    def selected_faults(self, operation: Operation) -> list[tuple[str, int]]:
        """Return which faults strike which requests of a verb."""
        self.labels(operation)
        everything = [(fault, at) for at in range(self._requests[operation]) for fault in sorted(self.stage.faults)]
        if self._thorough:
            return everything
        some = [(fault, at) for fault, at in everything if fault in _FAULTS] or everything
        return self._random.sample(some, min(3, len(some)))

    @contextmanager
    def kill_at(self, operation: Operation, at: int, label: str) -> Iterator[JournalledCall]:
        """Kill a process at a point of a verb."""
        trial = self.start_case(operation, f"killed {label}")
        with run_until_killed(self.stage, self.url, trial.call, at) as victim:
            must_have_struck(victim, trial.name)
            victim.wait_killed()
        require(trial.deed.times() in (0, 1), f"{trial.name}: it happened {trial.deed.times()} times")
        yield trial

    @contextmanager
    def impatient_gateway(self) -> Iterator[GatewayProcess]:
        """Give a gateway with an impatient provider that has sent nothing yet, on the same journal."""
        hasty = select_settings(type(self.scenes.provider), IMPATIENT)
        provider = self.stage.provider(**{key: value for key, value in hasty.items() if key != "tries"})
        try:
            yield self.desk.with_provider(provider)
        finally:
            provider.close()

    def recover(self, *, advancing: bool = True) -> None:
        """Let the gateway look for everything that is in doubt, now and when all reservations are over."""
        self.desk.gateway.recover(account=ACCOUNT, everything=True)
        if advancing:
            self.lapse()
            self.desk.gateway.recover(account=ACCOUNT, everything=True)
            self.desk.gateway.recover(account=ACCOUNT, everything=True)

    def lapse(self) -> None:
        """Let every reservation of now end."""
        rules = self.can.reservations
        life = rules.time_to_live.total_seconds() if rules is not None and rules.time_to_live is not None else 0.0
        self.stage.advance(life + _MARGIN_S)

    def count_changes(self) -> int:
        """Return how many changing requests arrived so far."""
        return len(changing_of(self.stage.requests(), self.reading))

    def require_sum(self, times: Decimal, answers: list[str], who: str) -> None:
        """Make sure that as much was taken as was said."""
        succeeded = answers.count("succeeded")
        unknown = answers.count("OutcomeUnknown") + answers.count("ConcurrentModification")
        summary = f"{succeeded} {who} were told that they had taken their share, {unknown} that nobody knows"
        require(times == int(times), f"{summary}, and {times} shares are gone")
        require(succeeded <= times <= succeeded + unknown, f"{summary}, and {times} shares are gone")
        require(times <= SHARES, f"the voucher held {SHARES} shares, and {times} are gone")
        require(succeeded, f"not one of the {who} could spend: {', '.join(sorted(set(answers)))}")


@attrs.frozen
class JournalledCall:
    """One call through the gateway, and what became of it.

    Attributes:
        rig: the gateway.
        deed: the call.
        reference: its reference.
        name: for messages.
    """

    rig: CrashHarness
    deed: OperationCase
    reference: str
    name: str

    def call(self, till: AccountClient) -> Any:
        """Make the call with any gateway."""
        return self.deed.call(till, self.reference)

    def perform(self) -> Any:
        """Make the call with the gateway of this process."""
        return self.call(self.rig.desk.till)

    @property
    def state(self) -> OperationState | None:
        """What the journal says of it."""
        entry = self.rig.desk.gateway.operation(ACCOUNT, self.deed.operation, self.reference)
        return None if entry is None else entry.state

    def repeat(self) -> None:
        """Repeat the call as a shop does: until it succeeds, is declined, or waiting is no use any more."""
        for _ in range(3):
            try:
                self.perform()
            except OutcomeUnknown:
                self.rig.lapse()
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
        """Hold what a call said against what happened."""
        times = self.deed.times()
        seen = (
            f"{self.name}: {'it succeeded' if error is None else type(error).__name__}, and it happened {times} times"
        )
        require(times in (0, 1), seen)
        # A vendor may be a database, too: only the journal's own trouble is meant.
        journal = self.rig.desk.journal.database.safe_url
        troubled = isinstance(error, DatabaseUnavailable) and journal in error.message
        require(not troubled, f"{seen}: nothing was wrong with the journal")
        if error is None:
            require(times == 1 or not self.deed.visible_in_ledger, seen)
        elif error.outcome != "unknown":
            require(times == 0, seen)

    def check(self, *, after: str, loud: bool = False) -> None:
        """Make sure that it happened once or not at all, and that the journal agrees or says unknown.

        Args:
            after: what was done since the call was made: repeated or recovered.
            loud: whether it was reported as unknown, so that a person may have to decide.
        """
        times, state, operation = self.deed.times(), self.state, self.deed.operation
        seen = f"{self.name}, then {after}: it happened {times} times, and the journal says {state and state.value}"
        require(times in (0, 1), seen)
        require(state is not OperationState.OPEN, seen)
        if operation is Operation.RELEASE:  # what was set aside may be over without it
            require(times == int(self.deed.visible_in_ledger) or state is not OperationState.SUCCEEDED, seen)
        elif not self.deed.visible_in_ledger or operation is Operation.RESERVE:  # which may be over meanwhile
            require(times == 0 or state in (OperationState.SUCCEEDED, OperationState.UNKNOWN), seen)
        elif times == 0:
            require(state is not OperationState.SUCCEEDED, seen)
        else:
            findable = operation in self.rig.can.resolvable and not loud
            allowed = (OperationState.SUCCEEDED,) if findable else (OperationState.SUCCEEDED, OperationState.UNKNOWN)
            require(state in allowed, seen)
