"""Predicts a run: reads both sides again and changes nothing."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import closing

import attrs

from voucher_gateway.capabilities import Operation
from voucher_gateway.errors import VoucherGatewayError, VoucherNotFound
from voucher_gateway.journal.records import OperationRecord
from voucher_gateway.migration.plan.plan_file import Plan
from voucher_gateway.migration.run.context import ACTIVATE, CREATE, FREEZE, RETIRE, MigrationContext
from voucher_gateway.migration.run.load import vouchers_not_loaded
from voucher_gateway.migration.run.mover import CODE_TAKEN, RETIRING, TargetDiffers, VoucherMover
from voucher_gateway.migration.run.progress import (
    OnProgress,
    RunCounter,
    RunReport,
    totals_by_state,
    vouchers_for_attention,
)
from voucher_gateway.migration.run.rows import MoveResult, VoucherRow
from voucher_gateway.migration.run.state import MigrationState
from voucher_gateway.migration.run.vendor_check import require_answers
from voucher_gateway.migration.schema import RowState
from voucher_gateway.models.requests import NewVoucher


def predict_run(
    context: MigrationContext,
    state: MigrationState,
    plan: Plan,
    *,
    limit: int | None,
    workers: int,
    on_progress: OnProgress | None,
) -> RunReport:
    """Read each voucher that a run would move, and return the report of such a run."""

    def predict(row: VoucherRow) -> MoveResult:
        return PredictedMove(context, state, row).run()

    counter = RunCounter(sum(1 for _ in _rows_to_move(state, plan, limit)))
    if counter.total:
        require_answers(context)
    error: VoucherGatewayError | None = None
    failures = 0
    with closing(context.ordered_map(predict, _rows_to_move(state, plan, limit), workers)) as results:
        for result in results:
            counter.add(result)
            if on_progress is not None:
                on_progress(counter.progress())
            failures = 0 if result.error is None else failures + 1
            if result.state is RowState.PLANNED and isinstance(result.error, VoucherGatewayError):
                error = error or result.error
            if failures >= 2 * workers:  # the other vouchers would fail as well
                break
    return RunReport(
        plan_id=context.plan_id,
        dry_run=True,
        counts=dict(counter.counts),
        moved=counter.money_by_currency(),
        left=counter.total,
        put_off=counter.put_off,
        vouchers=totals_by_state(state),
        noted=vouchers_for_attention(state, counter),
        stopped=None if error is None else "error",
        error=error,
    )


def _rows_to_move(state: MigrationState, plan: Plan, limit: int | None) -> Iterator[VoucherRow]:
    """Yield the vouchers that a run would claim, in the same order."""
    abandoned = state.abandoned_numbers()
    loaded = (
        row
        for row in state.rows(RowState.PLANNED, RowState.IN_DOUBT, RowState.WORKING)
        if row.state is not RowState.WORKING or row.number in abandoned
    )
    rows = itertools.chain(loaded, vouchers_not_loaded(state, plan.vouchers()))
    return (attrs.evolve(row, attempts=row.attempts + 1) for row in itertools.islice(rows, limit))


class PredictedMove(VoucherMover):
    """The steps of a move, without the requests that would change something."""

    def run(self) -> MoveResult:
        """Return the predicted result of the move."""
        record = self._record_in_doubt() if self._row.undo_target_state is None else None
        if record is None:
            return super().run()
        key = record.key
        reason = f"the outcome of its {key.verb} at {key.account} is unknown; a run looks it up"
        return self.result(RowState.IN_DOUBT, reason)

    def undo(self, target_state: RowState, reason: str, *, cause: VoucherGatewayError | None = None) -> MoveResult:
        """Return the predicted result of an undo; it stays in doubt if an earlier undo was."""
        if self._row.undo_target_state is not None and self._row.state is RowState.IN_DOUBT:
            return self.result(RowState.IN_DOUBT, self._row.reason)
        return self.result(target_state, reason, error=cause)

    def _record_in_doubt(self) -> OperationRecord | None:
        """Return a step of an interrupted move whose outcome is not known yet, or None."""
        context, row = self._context, self._row
        if row.attempts == 1:
            return None
        steps = [
            (context.source, Operation.DEACTIVATE, FREEZE),
            (context.target, Operation.ISSUE, CREATE),
            *((context.source, verb, RETIRE) for verb in RETIRING),
            (context.target, Operation.ACTIVATE, ACTIVATE),
        ]
        records = (context.entry(account, verb, row, step) for account, verb, step in steps)
        return next((record for record in records if record is not None and record.state.is_unresolved), None)

    def _freeze(self) -> None:
        context, row = self._context, self._row
        if self._needs_freeze() and row.attempts > 1:
            self._frozen = context.has_succeeded(context.source, Operation.DEACTIVATE, row, FREEZE)

    def _issue(self, new: NewVoucher) -> None:
        context, code = self._context, new.code
        if code is None or not context.target_can.of(Operation.FIND).available:
            return
        target = context.gateway.provider(context.target)
        try:
            existing = context.retry_while_safe(target.find, code)
        except VoucherNotFound:
            return
        raise TargetDiffers(f"{CODE_TAKEN} ({existing.id})")

    def _retire(self) -> None:
        pass

    def _activate(self) -> None:
        pass
