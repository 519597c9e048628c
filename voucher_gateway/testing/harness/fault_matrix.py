"""Calls with faults: every fault of the vendor at the requests of every changing operation, and the results.

The calls are made once for each contract class; several promises check the results.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any, Final

import attrs

from voucher_gateway.capabilities import Operation, RepeatSafety
from voucher_gateway.errors import OutcomeUnknown, Ticket, VoucherGatewayError
from voucher_gateway.money import Money
from voucher_gateway.outcome import Intent, Outcome
from voucher_gateway.provider.provider import VoucherProvider
from voucher_gateway.testing.harness.calls import BeforeSendRecorder, changing_requests, native_changes
from voucher_gateway.testing.harness.cases import OperationCase, make_case
from voucher_gateway.testing.harness.failed_lookups import FailedLookup, with_failing_lookups
from voucher_gateway.testing.harness.fault_injection import (
    LAGGING,
    LOST,
    UNDOCUMENTED,
    inject_lasting,
    lasts,
    lift_fault,
    own_faults,
)
from voucher_gateway.testing.harness.vendor import IMPATIENT, VendorUnderTest, select_settings
from voucher_gateway.testing.harness.vouchers import VoucherFactory

_ALWAYS: Final = (LOST, "wrong-echo", "error-before", "rate-limit", *UNDOCUMENTED)
"""Injected at the changing request of every operation until the call is over, if the vendor has them."""

_ONCE: Final = (LOST, "wrong-echo")
"""Injected once as well, where a repeat is declared safe: the answer to the repeat is the true one then."""

_REFUSES: Final = ("error-before", "drop-before", "rate-limit", "unauthorized", "foreign-404")
"""Injected at reads after a change, and at repeats under a key, if the vendor has them."""

_SURE: Final = frozenset({"rate-limit", "unauthorized"})
"""Refusals after which the vendor surely did nothing, so that a client may send again."""


@attrs.frozen(kw_only=True)
class DryRun:
    """One operation without a fault.

    Attributes:
        case: the call.
        arrived: the requests, in order.
        changing: the positions of those that change something: reads do not send them.
        announced: the positions of the requests before which the before-send hook was called.
        intents: the intents that the hook got.
        times: how often it happened.
        result: what the call returned.
        error: the error, if the call failed without a fault.
    """

    case: OperationCase
    arrived: list[str]
    changing: list[int]
    announced: list[int]
    intents: list[Intent]
    times: Decimal
    result: Any
    error: Exception | None


@attrs.frozen(kw_only=True)
class FaultResult:
    """One call that met a fault.

    Attributes:
        operation: the operation.
        fault: the fault.
        at: the position of the request that met it.
        lasting: whether every later request of the call met it, too.
        changing: whether that request changes something.
        commits: whether the vendor carried the request out in spite of the fault; None if the fault does not
            decide that.
        error: the error that was raised; None for a result.
        result: what was returned.
        times: how often it happened, by the ledger.
        remaining: the true remaining value of the voucher right after the call; None if the vendor has no such voucher.
        intents: the announced intents.
        repeats: how often the same request was sent again.
        repeatable: whether the provider declares that a repeat is safe.
        resolved: the result or the error of `resolve` right afterwards, without a fault; None if nothing was unknown.
        times_then: how often it had happened after that.
        case: the call.
    """

    operation: Operation
    fault: str
    at: int
    lasting: bool
    changing: bool
    commits: bool | None
    error: Exception | None
    result: Any
    times: Decimal
    remaining: Money | None
    intents: list[Intent]
    repeats: int
    repeatable: bool
    resolved: Outcome | Exception | None
    times_then: Decimal
    case: OperationCase

    @property
    def where(self) -> str:
        """The call and its fault, for messages."""
        kind = "changing" if self.changing else "reading"
        at = f"at its request {self.at} (a {kind} one)"
        end = ", and at all later ones" if self.lasting else ""
        return f"{self.operation.value} with the fault {self.fault} {at}{end}"

    @property
    def reply_text(self) -> str:
        """The outcome of the call, for messages."""
        return "it succeeded" if self.error is None else f"{type(self.error).__name__} was raised"

    @property
    def unknown(self) -> bool:
        """Whether the outcome was reported as unknown."""
        return isinstance(self.error, VoucherGatewayError) and self.error.outcome == "unknown"

    @property
    def ticket(self) -> Ticket | None:
        """The ticket of an unknown outcome."""
        return getattr(self.error, "ticket", None) if self.unknown else None


class FaultMatrix:
    """Runs the operations of a provider at one vendor, without and with faults.

    Args:
        vendor: the vendor.
        thorough: whether every fault is injected at every request.
    """

    def __init__(self, vendor: VendorUnderTest, *, thorough: bool) -> None:
        self.vendor = vendor
        self.factory = VoucherFactory(vendor, vendor.provider())
        self._thorough = thorough
        self._impatient = {key: value for key, value in IMPATIENT.items() if key != "tries"}
        self._random = random.Random(f"faults at {self.factory.provider.name}")  # noqa: S311 - the same in every run
        self.reading: frozenset[str] = frozenset()
        self.dry_runs: dict[Operation, DryRun] = {}
        self.results: list[FaultResult] = []
        self.lagging: list[FaultResult] = []
        self.in_doubt: list[FaultResult] = []
        self.failed_lookups: list[FailedLookup] = []

    def run(self) -> FaultMatrix:
        """Run every changing operation of the provider without and with faults."""
        self.reading = self.requests_of_reads()
        for operation in native_changes(self.factory.provider):
            dry_run = self.run_without_fault(operation)
            self.dry_runs[operation] = dry_run
            if dry_run.error is not None or not dry_run.arrived:
                continue
            for fault, at, lasting in self._faults_to_try(dry_run):
                self.results.append(self._run_with_fault(dry_run, fault, at, lasting=lasting))
            if dry_run.changing:
                self.results.extend(self._run_later_reads(dry_run))
                self.in_doubt.extend(self._run_in_doubt(dry_run))
            if operation in self.factory.declared.resolvable:
                if LAGGING in self.vendor.faults:
                    self.lagging.extend(self._run_lagging(dry_run))
                self.failed_lookups.extend(self._fail_lookups(dry_run))
        return self

    def run_without_fault(self, operation: Operation) -> DryRun:
        """Make a call once, with a provider that has sent nothing yet, not even for a log-in."""
        case = make_case(operation, self.factory)
        with self.new_provider(impatient=False) as provider:
            start, recorder = len(self.vendor.request_lines), BeforeSendRecorder(self.vendor)
            error, result = self._call(case, provider, recorder)
            arrived = self.vendor.request_lines[start:]
        changes = changing_requests(arrived, self.reading)
        return DryRun(
            case=case,
            arrived=arrived,
            changing=[index for index, request in enumerate(arrived) if request in changes],
            announced=[request - start for request in recorder.after],
            intents=recorder.intents,
            times=case.times(),
            result=result,
            error=error,
        )

    @contextlib.contextmanager
    def new_provider(self, *, impatient: bool = True) -> Iterator[VoucherProvider]:
        """Open a provider that has sent nothing yet; an impatient one for a call that meets a fault."""
        settings = select_settings(type(self.factory.provider), self._impatient) if impatient else {}
        provider = self.vendor.provider(**settings)
        try:
            yield provider
        finally:
            provider.close()

    def requests_of_reads(self) -> frozenset[str]:
        """Return the requests of reads, log-ins included; every other request changes something."""
        start = len(self.vendor.request_lines)
        with self.new_provider(impatient=False) as provider:
            for entry in self.vendor.ledger()[:1]:
                provider.get(str(entry["id"]))
                provider.find(str(entry["code"]))
        return frozenset(self.vendor.request_lines[start:])

    def _faults_to_try(self, dry_run: DryRun) -> Sequence[tuple[str, int, bool]]:
        """Return the faults to inject, each with the position of the request and whether all later ones meet it too."""
        faults, count = self.vendor.faults, len(dry_run.arrived)
        everything = [
            (fault, at, lasting)
            for at in range(count)
            for fault in sorted(faults)
            for lasting in self._forms(dry_run, fault, at)
        ]
        if self._thorough:
            return everything
        at = dry_run.changing[-1] if dry_run.changing else count - 1
        drawn = [(fault, at, True) for fault in (*_ALWAYS, *own_faults(self.vendor)) if fault in faults]
        if self._is_repeatable(dry_run.case.operation):
            drawn += [(fault, at, False) for fault in _ONCE if fault in faults]
        chosen = {fault for fault, _, _ in drawn}
        for commits, many in ((True, 2), (False, 1), (None, 1)):
            others = sorted(name for name in faults if faults[name] is commits and name not in chosen)
            drawn += [(name, at, commits is True) for name in self._random.sample(others, min(many, len(others)))]
        others_at = [choice for choice in everything if choice not in drawn]
        return drawn + self._random.sample(others_at, min(2, len(others_at)))

    def _forms(self, dry_run: DryRun, fault: str, at: int) -> tuple[bool, ...]:
        """Return whether a fault is injected once (False), until the call is over (True), or in both ways.

        Both matter only for a request that may be sent again.
        """
        if at not in dry_run.changing or not lasts(self.vendor, fault):
            return (False,)
        return (True, False) if fault in _SURE or self._is_repeatable(dry_run.case.operation) else (True,)

    def _is_repeatable(self, operation: Operation) -> bool:
        safety = self.factory.declared.of(operation).repeat
        return safety in (RepeatSafety.VENDOR_KEY, RepeatSafety.NATURAL_KEY)

    def _run_later_reads(self, dry_run: DryRun) -> Iterator[FaultResult]:
        """Let the requests after the last changing one fail, or lag behind."""
        at = dry_run.changing[-1] + 1
        if at < len(dry_run.arrived):
            for fault in (*_REFUSES, LAGGING):
                if fault in self.vendor.faults:
                    yield self._run_with_fault(dry_run, fault, at, lasting=True)

    def _run_in_doubt(self, dry_run: DryRun) -> Iterator[FaultResult]:
        """Lose the first answer under a key, and answer each repeat with an error."""
        if self.factory.declared.of(dry_run.case.operation).repeat is not RepeatSafety.VENDOR_KEY:
            return
        own = [fault for fault in own_faults(self.vendor) if self.vendor.faults[fault] is False]
        for fault in (*_REFUSES, *own):
            if LOST in self.vendor.faults and fault in self.vendor.faults:
                yield self._run_with_fault(dry_run, fault, dry_run.changing[-1], lasting=True, after=LOST)

    def _run_with_fault(
        self, dry_run: DryRun, fault: str, at: int, *, lasting: bool, lagging: bool = False, after: str | None = None
    ) -> FaultResult:
        """Make a call that meets a fault, and look its outcome up if it is unknown.

        Args:
            dry_run: the same operation without a fault.
            fault: the fault.
            at: the position of the request that meets it.
            lasting: whether every later request of the call meets it, too.
            lagging: whether look-ups show the ledger of before the call.
            after: a fault that the request meets before: at the request after it, `fault` begins.
        """
        operation = dry_run.case.operation
        case = make_case(operation, self.factory)
        with self.new_provider() as provider:
            start, recorder = len(self.vendor.request_lines), BeforeSendRecorder(self.vendor)
            if lagging:
                inject_lasting(self.vendor, LAGGING, at)
            if after is not None:
                self.vendor.inject_fault(after, at)
            if lasting:
                inject_lasting(self.vendor, fault, at if after is None else at + 1)
            else:
                self.vendor.inject_fault(fault, at)
            error, result = self._call(case, provider, recorder)
            arrived = self.vendor.request_lines[start:]
            if lagging:  # `times` may read, too, and only the look-up should get the old ledger
                lift_fault(self.vendor, fault)
                resolved = self._resolve(error, case, provider)
            self.vendor.clear_faults()
            times, remaining = case.times(), self._remaining(case)
            if not lagging:
                resolved = self._resolve(error, case, provider)
        repeats = arrived[at + 1 :].count(arrived[at]) if at < len(arrived) else 0
        again = dry_run.arrived[at + 1 :].count(dry_run.arrived[at])
        surely_not = after is None and (fault in _SURE or self.vendor.faults[fault] is None)
        return FaultResult(
            operation=operation,
            fault=fault if after is None else f"{after}, then {fault},",
            at=at,
            lasting=lasting,
            changing=at in dry_run.changing,
            commits=self.vendor.faults[fault],
            error=error,
            result=result,
            times=times,
            remaining=remaining,
            intents=recorder.intents,
            repeats=0 if surely_not else max(0, repeats - again),
            repeatable=self._is_repeatable(operation),
            resolved=resolved,
            times_then=case.times(),
            case=case,
        )

    def _run_lagging(self, dry_run: DryRun) -> Iterator[FaultResult]:
        """Let the vendor carry the request out, lose the answer, and answer look-ups from an older ledger."""
        fault = self._losing_fault()
        if fault is not None and dry_run.changing:
            can_last = callable(getattr(self.vendor, "lift_fault", None))
            at = dry_run.changing[-1]
            yield self._run_with_fault(dry_run, fault, at, lasting=can_last, lagging=True)

    def _losing_fault(self) -> str | None:
        """Return a fault by which the vendor carries a request out and the answer is lost; None if it has none."""
        return next((name for name in _ALWAYS if self.vendor.faults.get(name) is True), None)

    def _fail_lookups(self, dry_run: DryRun) -> Iterator[FailedLookup]:
        """Let the vendor carry the request out, lose the answer, and let look-ups fail."""
        fault = self._losing_fault()
        if fault is None or not dry_run.changing:
            return
        result = self._run_with_fault(dry_run, fault, dry_run.changing[-1], lasting=True)
        if result.ticket is None or result.times_then != 1:
            return  # the outcome is known, or E1 reports it
        intent, settings = Intent.from_ticket(result.ticket), select_settings(type(self.factory.provider), IMPATIENT)
        with contextlib.closing(self.vendor.provider(**settings)) as provider:
            draw = None if self._thorough else self._random
            yield from with_failing_lookups(self.vendor, provider, intent, result.case.code, draw)

    def _remaining(self, case: OperationCase) -> Money | None:
        snapshot = self.factory.snapshot()
        if case.voucher_id is None or case.voucher_id not in snapshot.entries:
            return None
        return snapshot.remaining(case.voucher_id)

    def _call(
        self, case: OperationCase, provider: VoucherProvider, recorder: BeforeSendRecorder
    ) -> tuple[Exception | None, Any]:
        with recorder.watching():
            try:
                return None, case.call(provider, self.factory.reference())
            except Exception as error:  # noqa: BLE001 - whatever a stranger's provider raises is looked at
                return error, None

    def _resolve(
        self, exception: Exception | None, case: OperationCase, provider: VoucherProvider
    ) -> Outcome | Exception | None:
        if not isinstance(exception, OutcomeUnknown):
            return None
        try:
            return provider.resolve(Intent.from_ticket(exception.ticket), case.code)
        except Exception as error:  # noqa: BLE001 - as above
            return error
