"""Brings the vouchers of a migration back to the source, if that is possible."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import attrs

from voucher_gateway.errors import InvalidRequest, VoucherGatewayError
from voucher_gateway.gateway.gateway import Gateway
from voucher_gateway.instants import now
from voucher_gateway.migration.plan.plan_file import Plan, open_plan
from voucher_gateway.migration.run.child_processes import ChildProcesses, ChildrenEnd, wait_for_death
from voucher_gateway.migration.run.context import MigrationContext
from voucher_gateway.migration.run.load import require_begun
from voucher_gateway.migration.run.process_run import RunEnd
from voucher_gateway.migration.run.progress import OnProgress, RunCounter, log, log_end, run_details
from voucher_gateway.migration.run.pruned import require_not_pruned
from voucher_gateway.migration.run.rollback_part import RollbackPart
from voucher_gateway.migration.run.rows import ReportedVoucher
from voucher_gateway.migration.run.state import MigrationState
from voucher_gateway.migration.run.vendor_check import require_answers
from voucher_gateway.migration.run_records import record_run
from voucher_gateway.migration.schema import PlanState, RowState, Work
from voucher_gateway.money import Money

_POLL_S: Final = 0.25
_WAIT_FOR_RUNS_S: Final = 30.0
"""A rollback waits this long for the runs of the plan to stop."""
_LOOK_S: Final = 60.0
"""At the end of a rollback, vouchers in doubt are looked at for about this long."""


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
        lost_processes: sentences about the processes of the rollback that ended without a report.
    """

    plan_id: str
    undone: int
    money: Mapping[str, Money] = attrs.field(hash=False)
    kept: tuple[ReportedVoucher, ...] = ()
    not_undone: int = 0
    in_doubt: int = 0
    remarks: tuple[ReportedVoucher, ...] = ()
    error: VoucherGatewayError | None = attrs.field(default=None, eq=False)
    lost_processes: tuple[str, ...] = ()


def rollback_plan(
    gateway: Gateway,
    plan: Path | Plan,
    *,
    processes: int = 1,
    by: str | None = None,
    on_progress: OnProgress | None = None,
) -> RollbackReport:
    """Bring the moved vouchers back to the source, and return a report of those that could not be brought back.

    A voucher that was used at the target stays there. A rollback can be interrupted and called again: each step happens
    once. Afterwards the plan cannot be run again. At its end it looks once more at the vouchers that are in doubt.

    Args:
        gateway: has a journal and both accounts.
        plan: the plan's file, or the open plan.
        processes: the number of processes that share the work; see `run_plan`.
        by: the name of the person who rolls it back, for the records; by default the user of the operating system.
        on_progress: is called repeatedly, on the thread of the caller.

    Raises:
        ConfigurationError: if the plan was changed, is for other accounts, or was not run with this journal.
        InvalidRequest: if `processes` is below one, or a prune has removed operations of the plan.
        OperationInProgress: if another process rolls the plan back.
        ProviderUnavailable: if a vendor does not answer at the begin.
    """
    if processes < 1:
        raise InvalidRequest("processes must be a whole number above zero", field="processes", rule="at least 1")
    with open_plan(plan) as opened:
        summary = opened.summary
    context = MigrationContext(gateway, summary.id, summary.header)
    state = MigrationState.of(gateway, summary)
    require_begun(state, "there is nothing to roll back")
    require_not_pruned(context, "it cannot be rolled back any more")
    with (
        state.one_process("rollback", "another process is rolling this plan back"),
        record_run(state.database, state.plan_id, Work.ROLLBACK, by, processes=processes) as record,
    ):
        report, counts = _Rollback(context, state, processes, on_progress).run()
        if report.not_undone:
            record.result = "incomplete"
        record.details |= run_details(counts, report.money, report.error)
        return report


class _Rollback:
    """One rollback of a plan, in one process or several."""

    def __init__(
        self, context: MigrationContext, state: MigrationState, processes: int, on_progress: OnProgress | None
    ) -> None:
        self._context = context
        self._state = state
        self._processes = processes
        self._on_progress = on_progress
        self._began = now()
        self._counter = RunCounter(0, RowState.UNDONE)

    def run(self) -> tuple[RollbackReport, Mapping[RowState, int]]:
        """Bring the vouchers back, and return the report and the number of vouchers by state."""
        state = self._state
        if RollbackPart(self._context, state).count():
            require_answers(self._context)
        state.set_plan_state(PlanState.ROLLED_BACK, only_from=tuple(PlanState))  # all runs stop, on every machine
        _wait_for_runs(state)
        self._began = now()
        counter = self._counter = RunCounter(RollbackPart(self._context, state).count(), RowState.UNDONE)
        log.info("plan %s: a rollback begins: %d vouchers", state.plan_id[:12], counter.total)
        ended = self._undo_moves()
        end = self._look_at_doubts(ended.end)
        log_end(state.plan_id, "rollback", counter.counts)
        error = end.error
        if error is not None and not isinstance(error, VoucherGatewayError):
            raise error
        report = RollbackReport(
            plan_id=state.plan_id,
            undone=counter.counts[RowState.UNDONE],
            money=counter.money_by_currency(),
            kept=tuple(voucher for voucher in counter.noted if voucher.state is not RowState.UNDONE),
            not_undone=counter.total - counter.counts[RowState.UNDONE],
            in_doubt=state.counts_by_state()[RowState.IN_DOUBT],
            remarks=tuple(voucher for voucher in counter.noted if voucher.state is RowState.UNDONE),
            error=error,
            lost_processes=ended.lost,
        )
        return report, counter.counts

    def _report_progress(self) -> None:
        if self._on_progress is not None:
            self._on_progress(self._counter.progress())

    def _undo_moves(self) -> ChildrenEnd:
        context, state, counter = self._context, self._state, self._counter
        if self._processes == 1:
            return ChildrenEnd(end=RollbackPart(context, state).run(counter, self._report_progress))
        shared = MigrationContext(context.gateway, context.plan_id, context.header)
        parts = [RollbackPart(shared, state, rest=rest, parts=self._processes) for rest in range(self._processes)]
        ended = ChildProcesses(parts, shared.stop, state, counter).run(self._report_progress)
        return attrs.evolve(ended, end=self._take_over(ended)) if ended.can_be_taken_over else ended

    def _take_over(self, ended: ChildrenEnd) -> RunEnd:
        """Bring back what children that died have left. What they have done before is not done again."""
        wait_for_death(self._state, ended.lost_owners)
        self._state.release_abandoned()
        end = ended.end
        for part in ended.lost_works:
            assert isinstance(part, RollbackPart)
            end = _merge(end, part.since(self._began).run(self._counter, self._report_progress))
        return end

    def _look_at_doubts(self, end: RunEnd) -> RunEnd:
        """Look once more at the vouchers in doubt: a vendor that failed a moment ago may tell now what it did."""
        if end.error is not None and end.stopped == "error":
            return end
        doubts = RollbackPart(
            self._context, self._state, only=RowState.IN_DOUBT, untried_since=now(), until=time.monotonic() + _LOOK_S
        )
        return _merge(end, doubts.run(self._counter, self._report_progress))


def _merge(end: RunEnd, later: RunEnd) -> RunEnd:
    return RunEnd(stopped=end.stopped or later.stopped, error=end.error or later.error)


def _wait_for_runs(state: MigrationState) -> None:
    """Wait for the runs to stop: a voucher that is being moved cannot be brought back."""
    deadline = time.monotonic() + _WAIT_FOR_RUNS_S
    state.release_abandoned()
    while state.owners() and time.monotonic() < deadline:
        time.sleep(_POLL_S)
        state.release_abandoned()
