"""Calls that are struck: every fault of the vendor at the requests of every changing verb, and what was said then.

The strikes are made once for each contract class; several promises look at them.
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
from voucher_gateway.outcome import Intent, Outcome
from voucher_gateway.provider import VoucherProvider
from voucher_gateway.testing.contracts.base import changing
from voucher_gateway.testing.harness.calls import BeforeSendRecorder, changing_of
from voucher_gateway.testing.harness.cases import OperationCase, make_case
from voucher_gateway.testing.harness.failed_lookups import FailedLookup, with_failing_lookups
from voucher_gateway.testing.harness.vendor import IMPATIENT, VendorUnderTest, select_settings
from voucher_gateway.testing.harness.vouchers import VoucherFactory

LAGGING: Final = "lagging-lookups"
"""The fault by which look-ups answer from the past, where a stage has it."""

_ALWAYS: Final = ("commit-then-drop", "wrong-echo", "error-before")
"""Drawn at the changing request of every verb, where a stage has them."""

_SURE: Final = frozenset({"rate-limit", "unauthorized"})
"""Refusals by which a client knows that nothing was done, so that it may send again."""

_LAGS: Final = 8
"""How many requests of a look-up lag."""


@attrs.frozen(kw_only=True)
class DryRun:
    """One verb without any fault.

    Attributes:
        deed: what was done.
        arrived: the requests, in order.
        changing: those of them that change something, by what reads were seen not to send.
        announced: before which of the requests an announcement was made, by their positions.
        intents: what was announced.
        times: how often it happened.
        result: what the call returned.
        said: the error, if it failed all the same.
    """

    deed: OperationCase
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
        operation: the verb.
        fault: the fault.
        at: the position of the request that met it.
        changing: whether that request changes something.
        commits: whether the vendor did what was asked in spite of the fault; None: as it would have.
        said: the error that was raised; None for a result.
        result: what was returned.
        times: how often it happened, by the ledger.
        intents: what was announced.
        repeats: how often the very request was sent again.
        repeatable: whether the provider declares that a repeat is safe.
        resolved: what `resolve` said right afterwards, without any fault; None where nothing was unknown.
        times_then: how often it had happened by then.
        deed: the call.
    """

    operation: Operation
    fault: str
    at: int
    changing: bool
    commits: bool | None
    error: Exception | None
    result: Any
    times: Decimal
    intents: list[Intent]
    repeats: int
    repeatable: bool
    resolved: Outcome | Exception | None
    times_then: Decimal
    deed: OperationCase

    @property
    def where(self) -> str:
        """What was struck, for messages."""
        kind = "changing" if self.changing else "reading"
        return f"{self.operation.value} with the fault {self.fault} at its request {self.at} (a {kind} one)"

    @property
    def reply_text(self) -> str:
        """What the call said, for messages."""
        return "it succeeded" if self.error is None else f"{type(self.error).__name__} was raised"

    @property
    def unknown(self) -> bool:
        """Whether it was said that the outcome is not known."""
        return isinstance(self.error, VoucherGatewayError) and self.error.outcome == "unknown"

    @property
    def ticket(self) -> Ticket | None:
        """The ticket of an unknown outcome."""
        return getattr(self.error, "ticket", None) if self.unknown else None


class FaultMatrix:
    """Strikes one verb after another on one stage.

    Args:
        stage: the vendor.
        thorough: whether every fault strikes every request.
    """

    def __init__(self, stage: VendorUnderTest, *, thorough: bool) -> None:
        self.stage = stage
        self.scenes = VoucherFactory(stage, stage.provider())
        self._thorough = thorough
        self._hasty = {key: value for key, value in IMPATIENT.items() if key != "tries"}
        self._random = random.Random(f"strikes at {self.scenes.provider.name}")  # noqa: S311 - the same in every run
        self.reading: frozenset[str] = frozenset()
        self.rehearsals: dict[Operation, DryRun] = {}
        self.strikes: list[FaultResult] = []
        self.lagging: list[FaultResult] = []
        self.blinded: list[FailedLookup] = []

    def run(self) -> FaultMatrix:
        """Rehearse and strike every changing verb of the provider."""
        self.reading = self.requests_of_reads()
        for operation in changing(self.scenes.provider):
            rehearsal = self.rehearse(operation)
            self.rehearsals[operation] = rehearsal
            if rehearsal.error is not None or not rehearsal.arrived:
                continue
            for fault, at in self._selected_faults(rehearsal):
                self.strikes.append(self._strike(rehearsal, fault, at))
            if operation in self.scenes.declared.resolvable:
                if LAGGING in self.stage.faults:
                    self.lagging.extend(self._lag(rehearsal))
                self.blinded.extend(self._blind(rehearsal))
        return self

    def rehearse(self, operation: Operation) -> DryRun:
        """Do a verb once with a provider that has sent nothing yet, not even for a log-in."""
        deed = make_case(operation, self.scenes)
        with self.fresh(hasty=False) as provider:
            start, witness = len(self.stage.requests()), BeforeSendRecorder(self.stage)
            error, result = self._call(deed, provider, witness)
            arrived = self.stage.requests()[start:]
        changes = changing_of(arrived, self.reading)
        return DryRun(
            deed=deed,
            arrived=arrived,
            changing=[index for index, request in enumerate(arrived) if request in changes],
            announced=[request - start for request in witness.after],
            intents=witness.intents,
            times=deed.times(),
            result=result,
            error=error,
        )

    @contextlib.contextmanager
    def fresh(self, *, hasty: bool = True) -> Iterator[VoucherProvider]:
        """Give a provider that has sent nothing yet, an impatient one unless nothing is to go wrong."""
        settings = select_settings(type(self.scenes.provider), self._hasty) if hasty else {}
        provider = self.stage.provider(**settings)
        try:
            yield provider
        finally:
            provider.close()

    def requests_of_reads(self) -> frozenset[str]:
        """Return what reads send, log-ins included, so that what else is sent changes something."""
        start = len(self.stage.requests())
        with self.fresh(hasty=False) as provider:
            for entry in self.stage.ledger()[:1]:
                provider.get(str(entry["id"]))
                provider.find(str(entry["code"]))
        return frozenset(self.stage.requests()[start:])

    def _selected_faults(self, rehearsal: DryRun) -> Sequence[tuple[str, int]]:
        faults, count = self.stage.faults, len(rehearsal.arrived)
        everything = [(fault, at) for at in range(count) for fault in sorted(faults)]
        if self._thorough:
            return everything
        at = rehearsal.changing[-1] if rehearsal.changing else count - 1
        drawn = [(fault, at) for fault in _ALWAYS if fault in faults]
        for commits, many in ((True, 2), (False, 1), (None, 1)):
            others = sorted(name for name in faults if faults[name] is commits and (name, at) not in drawn)
            drawn += [(name, at) for name in self._random.sample(others, min(many, len(others)))]
        others_at = [pair for pair in everything if pair not in drawn]
        return drawn + self._random.sample(others_at, min(2, len(others_at)))

    def _strike(self, rehearsal: DryRun, fault: str, at: int, *, lagging: bool = False) -> FaultResult:
        operation = rehearsal.deed.operation
        deed = make_case(operation, self.scenes)
        with self.fresh() as provider:
            start, witness = len(self.stage.requests()), BeforeSendRecorder(self.stage)
            self.stage.inject_fault(fault, at)
            if lagging:
                for lag in range(_LAGS):
                    self.stage.inject_fault(LAGGING, at + 1 + lag)
            error, result = self._call(deed, provider, witness)
            struck = self.stage.requests()[start:]
            if lagging:  # counting may read too, and only the look-up is to be shown the past
                resolved = self._resolve(error, deed, provider)
            self.stage.clear_faults()
            times = deed.times()
            if not lagging:
                resolved = self._resolve(error, deed, provider)
        repeats = struck[at + 1 :].count(struck[at]) if at < len(struck) else 0
        again = rehearsal.arrived[at + 1 :].count(rehearsal.arrived[at])
        surely_not = fault in _SURE or self.stage.faults[fault] is None
        return FaultResult(
            operation=operation,
            fault=fault,
            at=at,
            changing=at in rehearsal.changing,
            commits=self.stage.faults[fault],
            error=error,
            result=result,
            times=times,
            intents=witness.intents,
            repeats=0 if surely_not else max(0, repeats - again),
            repeatable=self.scenes.declared.of(operation).repeat in (RepeatSafety.VENDOR_KEY, RepeatSafety.NATURAL_KEY),
            resolved=resolved,
            times_then=deed.times(),
            deed=deed,
        )

    def _lag(self, rehearsal: DryRun) -> Iterator[FaultResult]:
        """Let the vendor do it, tell nobody, and show the past to whoever looks."""
        fault = next((name for name in _ALWAYS if self.stage.faults.get(name) is True), None)
        if fault is not None and rehearsal.changing:
            yield self._strike(rehearsal, fault, rehearsal.changing[-1], lagging=True)

    def _blind(self, rehearsal: DryRun) -> Iterator[FailedLookup]:
        """Let the vendor do it, tell nobody, and show nothing to whoever looks."""
        fault = next((name for name in _ALWAYS if self.stage.faults.get(name) is True), None)
        if fault is None or not rehearsal.changing:
            return
        strike = self._strike(rehearsal, fault, rehearsal.changing[-1])
        if strike.ticket is None or strike.times_then != 1:
            return  # nothing is in doubt, or E1 tells what is wrong with it
        intent, settings = Intent.from_ticket(strike.ticket), select_settings(type(self.scenes.provider), IMPATIENT)
        with contextlib.closing(self.stage.provider(**settings)) as provider:
            draw = None if self._thorough else self._random
            yield from with_failing_lookups(self.stage, provider, intent, strike.deed.code, draw)

    def _call(
        self, deed: OperationCase, provider: VoucherProvider, witness: BeforeSendRecorder
    ) -> tuple[Exception | None, Any]:
        with witness.watching():
            try:
                return None, deed.call(provider, self.scenes.reference())
            except Exception as error:  # noqa: BLE001 - whatever a stranger's provider raises is looked at
                return error, None

    def _resolve(
        self, exception: Exception | None, deed: OperationCase, provider: VoucherProvider
    ) -> Outcome | Exception | None:
        if not isinstance(exception, OutcomeUnknown):
            return None
        try:
            return provider.resolve(Intent.from_ticket(exception.ticket), deed.code)
        except Exception as error:  # noqa: BLE001 - as above
            return error
