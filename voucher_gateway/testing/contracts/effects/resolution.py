"""Promises about looking up the outcome of an earlier call."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Final

from voucher_gateway.capabilities import Operation
from voucher_gateway.errors import VoucherGatewayError
from voucher_gateway.outcome import Effect, Intent, Outcome
from voucher_gateway.provider.provider import VoucherProvider
from voucher_gateway.request_hooks import use_before_send_hook
from voucher_gateway.testing.contracts.effects.outcomes import EffectsContract
from voucher_gateway.testing.contracts.effects.references import MONEY
from voucher_gateway.testing.harness.calls import BeforeSendRecorder, RefusingRecorder
from voucher_gateway.testing.harness.cases import OperationCase, make_case, make_money_case, similar_references
from voucher_gateway.testing.harness.fault_matrix import FaultMatrix, FaultResult
from voucher_gateway.testing.harness.vendor import VendorUnderTest
from voucher_gateway.testing.harness.vouchers import VoucherFactory
from voucher_gateway.testing.promises.checks import for_promise, not_tried, require

_LAPSES: Final = frozenset({Operation.RESERVE})
"""Operations that move no value: a look-up need not find them, only say in the end that they are over."""


_MINOR: Final = 107
"""How much a call moves, in minor units, where several calls are to follow at its voucher."""


class ResolutionContract(EffectsContract):
    """Resolution of unknown outcomes."""

    @for_promise("U1")
    def test_what_happened_is_found(self, matrix: Callable[[], FaultMatrix]) -> None:
        declared = matrix().factory.declared.resolvable
        untried = {operation for operation in matrix().dry_runs if operation in declared} - _LAPSES
        for result, outcome in _outcomes(matrix().results):
            if result.times_then != 1 or result.operation not in declared or result.operation in _LAPSES:
                continue
            untried.discard(result.operation)
            require(
                outcome.effect is Effect.SUCCEEDED,
                f"{result.where}: it happened, `resolvable` names it, and `resolve` says {outcome.effect.value}:"
                f" {outcome.reason}",
            )
        _require_tried(untried, "was in doubt and had happened")

    @for_promise("U2")
    def test_nothing_is_proved_that_is_not_so(self, matrix: Callable[[], FaultMatrix]) -> None:
        untried = set(matrix().factory.declared.resolvable & matrix().dry_runs.keys())
        for result, outcome in _outcomes(matrix().results):
            untried.discard(result.operation)
            if outcome.effect is Effect.SUCCEEDED:
                require(result.times_then == 1, f"{result.where}: `resolve` says that it happened, and it did not")
            elif outcome.effect is not Effect.UNKNOWN:
                require(
                    result.times_then == 0,
                    f"{result.where}: `resolve` says {outcome.effect.value}, and it happened: {outcome.reason}",
                )
        _require_tried(untried, "was in doubt")

    @for_promise("U3")
    def test_a_look_up_that_lags_or_fails_proves_nothing(self, matrix: Callable[[], FaultMatrix]) -> None:
        untried = {
            operation.value for operation in matrix().dry_runs if operation in matrix().factory.declared.resolvable
        }
        untried -= {lookup.operation for lookup in matrix().failed_lookups}
        for result, outcome in _outcomes(matrix().lagging):
            untried.discard(result.operation.value)
            if outcome.effect in (Effect.NOT_EXECUTED, Effect.DECLINED):
                require(
                    result.times_then == 0,
                    f"{result.operation.value} happened, the look-up lagged behind, and `resolve` says"
                    f" {outcome.effect.value}: {outcome.reason}",
                )
        for lookup in matrix().failed_lookups:
            seen = f"{lookup.operation} happened, its look-up met {lookup.met}, and `resolve`"
            if isinstance(lookup.result, Exception):
                known = isinstance(lookup.result, VoucherGatewayError)
                require(known, f"{seen} raised {type(lookup.result).__name__}, not an error of voucher_gateway")
            else:
                honest = lookup.result.effect not in (Effect.NOT_EXECUTED, Effect.DECLINED)
                require(honest, f"{seen} says {lookup.result.effect.value}: {lookup.result.reason}")
        _require_tried(untried, "was in doubt while a look-up lagged behind or failed")

    @for_promise("U4")
    def test_a_call_that_was_never_sent_is_not_found(self, provider_: VoucherProvider, factory: VoucherFactory) -> None:
        for operation in sorted(provider_.declared.resolvable):
            if not factory.native(operation):
                continue
            recorder = RefusingRecorder()
            case = make_money_case(operation, factory, _MINOR) if operation in MONEY else make_case(operation, factory)
            # The hook refuses it; E4 checks the error.
            with use_before_send_hook(recorder), suppress(Exception):
                case.call(provider_, factory.reference())
            require(recorder.intents, f"{operation.value} announced nothing")
            _check_not_found(provider_, recorder.intents[-1], case, "was never sent")
            if case.voucher is not None:
                _check_not_found_among_others(provider_, factory, recorder.intents[-1], case)

    @for_promise("U5")
    def test_a_reservation_in_doubt_is_over_in_the_end(
        self, vendor: VendorUnderTest, provider_: VoucherProvider, factory: VoucherFactory
    ) -> None:
        rules = provider_.declared.reservations
        assert rules is not None
        assert rules.time_to_live is not None
        recorder = BeforeSendRecorder(vendor)
        with recorder.watching():
            make_case(Operation.RESERVE, factory).call(provider_, factory.reference())
        first = provider_.resolve(recorder.intents[-1])
        require(first.effect is not Effect.NOT_EXECUTED, "a reservation is active, and `resolve` says that none is")
        vendor.advance(rules.time_to_live.total_seconds() + 150)
        then = provider_.resolve(recorder.intents[-1])
        require(
            then.effect is not Effect.UNKNOWN, f"long after its end, `resolve` says of a reservation: {then.reason}"
        )

    @for_promise("U6")
    def test_a_changed_reference_is_not_taken_for_absence(
        self, matrix: Callable[[], FaultMatrix], vendor: VendorUnderTest, factory: VoucherFactory
    ) -> None:
        rules = factory.declared.reservations
        life = rules.time_to_live if rules is not None else None
        for operation in MONEY:
            if not factory.native(operation) or operation not in factory.declared.resolvable:
                continue
            at = matrix().dry_runs[operation].changing[-1]
            case, recorder = make_case(operation, factory), BeforeSendRecorder(vendor)
            provider = vendor.provider()
            vendor.inject_fault("rewrite-reference", at)
            vendor.inject_fault("commit-then-drop", at)
            with recorder.watching(), suppress(VoucherGatewayError):
                case.call(provider, factory.reference())
            vendor.clear_faults()
            require(
                case.times() == 1, f"{operation.value} under a changed reference did not happen, although it was sent"
            )
            vendor.advance((life or timedelta(days=1)).total_seconds() + 150)
            outcome = provider.resolve(recorder.intents[-1], case.code)
            require(
                outcome.effect not in (Effect.NOT_EXECUTED, Effect.DECLINED),
                f"{operation.value} happened, the vendor keeps it under a changed reference, and `resolve` says"
                f" {outcome.effect.value}: {outcome.reason}",
            )


def _require_tried(untried: Collection[str], what: str) -> None:
    """End the test as not tried if some operations never came into the situation."""
    if untried:
        not_tried(f"no call of {' or '.join(sorted(untried))} {what}")


def _check_not_found_among_others(
    provider: VoucherProvider, factory: VoucherFactory, intent: Intent, case: OperationCase
) -> None:
    """Check that a call that was never sent is not found after calls under other names, and calls of other kinds."""
    reference, voucher = str(intent.reference), case.voucher
    kinds = [operation for operation in MONEY if operation is not case.operation and factory.native(operation)]
    others = [(case.operation, name) for name in (factory.reference(), *similar_references(reference))]
    others += [(operation, reference) for operation in kinds]
    for number, (operation, name) in enumerate(others):
        other = case if number == 0 else make_money_case(operation, factory, _MINOR, voucher)
        before = factory.snapshot()
        other.call(provider, name)
        assert case.voucher_id is not None
        (movement,) = factory.snapshot().new_movements(case.voucher_id, before)
        if movement["reference"] is not None:  # by which the vendor tells the two apart
            how = "another reference" if name != reference else f"its reference for a {operation.value}"
            _check_not_found(provider, intent, case, f"was never sent, another call was under {how}")


def _check_not_found(provider: VoucherProvider, intent: Intent, case: OperationCase, what: str) -> None:
    outcome = provider.resolve(intent, case.code)
    seen = f"{case.operation.value} {what}, and `resolve` says {outcome.effect.value}: {outcome.reason}"
    require(outcome.effect is not Effect.SUCCEEDED, seen)


def _outcomes(results: list[FaultResult]) -> Iterator[tuple[FaultResult, Outcome]]:
    """Yield the results with an unknown outcome, each with the outcome that `resolve` returned."""
    for result in results:
        if result.resolved is None:
            continue
        outcome = result.resolved
        if isinstance(outcome, VoucherGatewayError):
            continue  # the look-up failed; the gateway keeps the outcome unknown
        require(not isinstance(outcome, Exception), f"{result.where}: `resolve` raised {type(outcome).__name__}")
        assert isinstance(outcome, Outcome)
        yield result, outcome
