"""Brings the vouchers of a migration back to the source, if that is possible."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import attrs

from voucher_gateway.errors import ConcurrentModification, OutcomeUnknown, VoucherGatewayError
from voucher_gateway.gateway.gateway import Gateway
from voucher_gateway.migration.plan.plan_file import Plan, open_plan
from voucher_gateway.migration.run.context import MigrationContext
from voucher_gateway.migration.run.progress import OnProgress, RunCounter, log, log_end, log_result, run_details
from voucher_gateway.migration.run.rows import MoveResult, ReportedVoucher, VoucherRow
from voucher_gateway.migration.run.state import MigrationState
from voucher_gateway.migration.run.undo import CannotUndo, Undo
from voucher_gateway.migration.run_records import record_run
from voucher_gateway.migration.schema import PlanState, RowState, Work
from voucher_gateway.money import Money
from voucher_gateway.work_class import WorkClass, use_work_class

_BATCH: Final = 64
_POLL_S: Final = 0.25
_WAIT_FOR_RUNS_S: Final = 30.0
"""A rollback waits this long for the runs of the plan to stop."""
_TO_UNDO: Final = (RowState.MOVED, RowState.KEPT, RowState.IN_DOUBT, RowState.PLANNED, RowState.WORKING)


@attrs.frozen(kw_only=True)
class RollbackReport:
    """The result of a rollback.

    Attributes:
        plan_id: the plan.
        undone: the number of vouchers that are at the source again.
        money: their value, by currency.
        kept: the vouchers that could not be undone, with the reason; at most `MOST_NOTED`.
        not_undone: the number of vouchers that could not be undone.
        in_doubt: the number of these that are in doubt. The next rollback looks them up again.
        remarks: vouchers that were undone and differ from before in a detail.
        error: an error because of which vouchers were not undone. The next rollback may undo them.
    """

    plan_id: str
    undone: int
    money: Mapping[str, Money] = attrs.field(hash=False)
    kept: tuple[ReportedVoucher, ...] = ()
    not_undone: int = 0
    in_doubt: int = 0
    remarks: tuple[ReportedVoucher, ...] = ()
    error: VoucherGatewayError | None = attrs.field(default=None, eq=False)


@use_work_class(WorkClass.MIGRATE)
def rollback_plan(
    gateway: Gateway, plan: Path | Plan, *, by: str | None = None, on_progress: OnProgress | None = None
) -> RollbackReport:
    """Bring the moved vouchers back to the source, and return a report of those that could not be brought back.

    A voucher that was used at the target stays there. A rollback can be interrupted and called again: each step happens
    once. Afterwards the plan cannot be run again.

    Args:
        gateway: has a journal and both accounts.
        plan: the plan's file, or the open plan.
        by: the name of the person who rolls it back, for the records; by default the user of the operating system.
        on_progress: is called repeatedly, on the thread of the caller.

    Raises:
        ConfigurationError: if the plan was changed, or is for other accounts.
        OperationInProgress: if another process rolls the plan back.
    """
    with open_plan(plan) as opened:
        summary = opened.summary
    context = MigrationContext(gateway, summary.id, summary.header)
    state = MigrationState.of(gateway, summary)
    if state.plan_state() is None:
        return RollbackReport(plan_id=summary.id, undone=0, money={})
    with (
        state.one_process("rollback", "another process is rolling this plan back"),
        record_run(state.database, state.plan_id, Work.ROLLBACK, by) as record,
    ):
        report, counts = _roll_back(context, state, on_progress)
        if report.not_undone:
            record.result = "incomplete"
        record.details |= run_details(counts, report.money, report.error)
        return report


def _roll_back(
    context: MigrationContext, state: MigrationState, on_progress: OnProgress | None
) -> tuple[RollbackReport, Mapping[RowState, int]]:
    state.set_plan_state(PlanState.ROLLED_BACK, only_from=tuple(PlanState))  # all runs stop, on every machine
    _wait_for_runs(state)
    by_state = state.counts_by_state()
    counter = RunCounter(sum(by_state[row_state] for row_state in _TO_UNDO), RowState.UNDONE)
    log.info("plan %s: a rollback begins: %d vouchers", state.plan_id[:12], counter.total)

    def undo(row: VoucherRow) -> tuple[MoveResult, bool]:
        return _undo_row(context, state, row)

    results: list[MoveResult] = []
    error: VoucherGatewayError | None = None
    for result, claimed in context.ordered_map(undo, _rows_to_undo(state)):
        counter.add(result)
        log_result(state.plan_id, result)
        if isinstance(result.error, VoucherGatewayError):
            error = error or result.error
        if claimed:
            results.append(result)
        if len(results) >= _BATCH:
            state.finish(results)
            results = []
            if on_progress is not None:
                on_progress(counter.progress())
    state.finish(results)
    log_end(state.plan_id, "rollback", counter.counts)
    return _report(state, counter, error), counter.counts


def _wait_for_runs(state: MigrationState) -> None:
    """Wait for the runs to stop: a voucher that is being moved cannot be brought back."""
    deadline = time.monotonic() + _WAIT_FOR_RUNS_S
    state.release_abandoned()
    while state.owners() and time.monotonic() < deadline:
        time.sleep(_POLL_S)
        state.release_abandoned()


def _rows_to_undo(state: MigrationState) -> Iterator[VoucherRow]:
    """Yield the vouchers that may have to be undone, without those that were never claimed."""
    for row in state.rows(*_TO_UNDO):
        if row.attempts or row.state is not RowState.PLANNED:
            yield row


def _report(state: MigrationState, counter: RunCounter, error: VoucherGatewayError | None) -> RollbackReport:
    return RollbackReport(
        plan_id=state.plan_id,
        undone=counter.counts[RowState.UNDONE],
        money=counter.money_by_currency(),
        kept=tuple(voucher for voucher in counter.noted if voucher.state is not RowState.UNDONE),
        not_undone=sum(count for row_state, count in counter.counts.items() if row_state is not RowState.UNDONE),
        in_doubt=state.counts_by_state()[RowState.IN_DOUBT],
        remarks=tuple(voucher for voucher in counter.noted if voucher.state is RowState.UNDONE),
        error=error,
    )


def _undo_row(context: MigrationContext, state: MigrationState, row: VoucherRow) -> tuple[MoveResult, bool]:
    """Undo the move of one voucher. Return the result, and whether this process may write it."""
    if row.state is RowState.WORKING or not state.claim_for_undo(row):
        reason = "another process is moving it; call the rollback again"
        return MoveResult(row=row, state=RowState.WORKING, reason=reason), False
    return _RowRollback(context, state, row).run(), True


class _RowRollback:
    """The rollback of one voucher by one worker."""

    def __init__(self, context: MigrationContext, state: MigrationState, row: VoucherRow) -> None:
        self._state = state
        self._undo = Undo(context)
        self._row = row
        self._target_id = row.target_id
        self._begun = row.undo_target_state is RowState.UNDONE

    def run(self) -> MoveResult:
        """Bring the voucher back and return the result."""
        row = self._row
        try:
            remark = self._run_steps()
        except CannotUndo as obstacle:
            if not self._is_at_target():
                return self._not_undone(RowState.IN_DOUBT, str(obstacle))
            self._begun = False
            return self._not_undone(RowState.KEPT, str(obstacle))
        except (OutcomeUnknown, ConcurrentModification) as error:
            return self._not_undone(RowState.IN_DOUBT, error.message, error)
        except VoucherGatewayError as error:
            return self._not_undone(RowState.IN_DOUBT if self._begun else row.state, str(error), error)
        return MoveResult(row=row, state=RowState.UNDONE, target_id=self._target_id, reason=remark)

    def _is_at_target(self) -> bool:
        """Return whether the voucher was moved, and no step has restored the source yet."""
        row = self._row
        moved = row.state in (RowState.MOVED, RowState.KEPT) or row.undo_target_state is RowState.UNDONE
        return moved and self._target_id is not None and not self._undo.may_have_restored_source(row)

    def _run_steps(self) -> str:
        """Undo all steps, and return a remark for the report; empty for none."""
        row, undo = self._row, self._undo
        self._target_id = undo.target_voucher_id(row)
        undo.check_source(row)
        if self._target_id is not None:
            undo.require_unspent(row, self._target_id)
        self._state.begin_undo(row, RowState.UNDONE, self._target_id, row.reason)
        self._begun = True
        if self._target_id is not None:
            undo.withdraw_from_target(row, self._target_id)
        return undo.restore_source(row)

    def _not_undone(self, state: RowState, reason: str, error: VoucherGatewayError | None = None) -> MoveResult:
        return MoveResult(
            row=self._row,
            state=state,
            target_id=self._target_id,
            reason=reason,
            drift_s=self._row.drift_s,
            undo_target_state=RowState.UNDONE if self._begun else None,
            error=error,
        )
