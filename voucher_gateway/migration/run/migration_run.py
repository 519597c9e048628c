"""One run of a plan, in one process or several: from the first look at its vouchers to the report."""

from __future__ import annotations

import math
import time
from typing import Final

import attrs

from voucher_gateway.errors import VoucherGatewayError
from voucher_gateway.instants import now
from voucher_gateway.migration.run.changed_vouchers import exclude_changed_vouchers
from voucher_gateway.migration.run.child_processes import ChildProcesses, ChildrenEnd, wait_for_death
from voucher_gateway.migration.run.context import MigrationContext
from voucher_gateway.migration.run.process_run import ProcessRun, ResultLog, RunEnd, RunTask, release_abandoned
from voucher_gateway.migration.run.progress import (
    OnProgress,
    RunCounter,
    RunReport,
    log,
    log_end,
    log_result,
    seconds_for,
    totals_by_state,
    vouchers_for_attention,
)
from voucher_gateway.migration.run.state import MigrationState
from voucher_gateway.migration.run.vendor_check import require_answers
from voucher_gateway.migration.schema import PlanState, RowState

_LOOK_S: Final = 60.0
"""At the end of a run, vouchers in doubt are looked at for about this long."""


@attrs.frozen
class _Moves:
    """The moves of one child.

    Attributes:
        context: what all moves of the plan share.
        state: the state of the plan.
        task: what the child has to do.
    """

    context: MigrationContext
    state: MigrationState
    task: RunTask

    def run(self, result_log: ResultLog) -> RunEnd:
        """Move vouchers until none is left or the run is stopped."""
        return ProcessRun(self.context, self.state, self.task, result_log).run()


class MigrationRun:
    """One run of a plan.

    Args:
        context: what all moves of the plan share.
        state: the state of the plan. Its vouchers are loaded.
        task: what is to be done.
        processes: the number of processes that do it.
        on_progress: is called a few times a second, on the thread of the caller.
    """

    def __init__(
        self,
        context: MigrationContext,
        state: MigrationState,
        task: RunTask,
        processes: int,
        on_progress: OnProgress | None,
    ) -> None:
        self._context = context
        self._state = state
        self._task = task
        self._processes = processes
        self._on_progress = on_progress
        self._counter = RunCounter(0)

    def run(self) -> RunReport:
        """Move vouchers until none is left or the run is stopped, and return the report."""
        state, task = self._state, self._task
        release_abandoned(state)
        by_state = state.counts_by_state()
        waiting = by_state[RowState.PLANNED] + by_state[RowState.IN_DOUBT]
        if waiting:
            require_answers(self._context)
        counter = self._counter = RunCounter(waiting if task.limit is None else min(waiting, task.limit))
        self._processes = max(1, min(self._processes, counter.total))  # none is forked for nothing
        log.info("plan %s: a run begins: %d vouchers, %d workers", state.plan_id[:12], counter.total, task.workers)
        try:
            ended = self._exclude_and_move_vouchers()
            end = self._look_at_doubts(ended.end)
        finally:
            log_end(state.plan_id, "run", counter.counts)
        self._report_progress()
        return self._report(end, ended)

    def _report_progress(self) -> None:
        if self._on_progress is not None:
            self._on_progress(self._counter.progress())

    # --- moving ---

    def _exclude_and_move_vouchers(self) -> ChildrenEnd:
        """Exclude the vouchers that have changed since the plan, and move the others."""
        try:
            for result in exclude_changed_vouchers(self._context, self._state, limit=self._task.limit):
                self._counter.add(result)
                log_result(self._state.plan_id, result)
        except VoucherGatewayError as error:  # the source cannot be listed
            return ChildrenEnd(end=RunEnd(stopped="error", error=error))
        self._state.requeue_in_doubt()
        return self._move_vouchers()

    def _move_vouchers(self) -> ChildrenEnd:
        if self._processes == 1:
            return ChildrenEnd(end=self._run_here(self._task))
        context, task = self._context, self._task
        shared = MigrationContext(context.gateway, context.plan_id, context.header)
        works = [_Moves(shared, self._state, part) for part in _divide(task, self._processes)]
        ended = ChildProcesses(works, shared.stop, self._state, self._counter).run(self._report_progress)
        return attrs.evolve(ended, end=self._take_over(ended)) if ended.can_be_taken_over else ended

    def _run_here(self, task: RunTask) -> RunEnd:
        return ProcessRun(self._context, self._state, task, self._counter).run(self._report_progress)

    def _take_over(self, ended: ChildrenEnd) -> RunEnd:
        """Move what children that died at the end have left, when the others had nothing to do any more."""
        wait_for_death(self._state, ended.lost_owners)
        limit, tried = self._task.limit, self._counter.counts.total() + self._counter.put_off
        if limit is not None and tried >= limit:
            return ended.end
        end = self._run_here(attrs.evolve(self._task, limit=None if limit is None else limit - tried))
        return RunEnd(stopped=end.stopped or ended.end.stopped, error=ended.end.error or end.error)

    def _look_at_doubts(self, end: RunEnd) -> RunEnd:
        """Look once more at the vouchers in doubt: a vendor that failed a moment ago may tell now what it did."""
        if end.error is not None or end.stopped not in (None, "limit"):
            return end
        if not self._state.counts_by_state()[RowState.IN_DOUBT]:
            return end
        look = RunTask(
            began=now(), workers=self._task.workers, state=RowState.IN_DOUBT, until=time.monotonic() + _LOOK_S
        )
        looked = self._run_here(look)
        return RunEnd(stopped=looked.stopped or end.stopped, error=looked.error)

    # --- reporting ---

    def _report(self, end: RunEnd, ended: ChildrenEnd) -> RunReport:
        state, counter = self._state, self._counter
        totals = totals_by_state(state)
        left = sum(totals[of].count for of in (RowState.PLANNED, RowState.WORKING) if of in totals)
        in_doubt = totals[RowState.IN_DOUBT].count if RowState.IN_DOUBT in totals else 0
        if left + in_doubt == 0:
            state.set_plan_state(PlanState.DONE, only_from=(PlanState.RUNNING,))
        error = end.error
        if error is not None and not isinstance(error, VoucherGatewayError):
            raise error
        stopped = end.stopped if left else None
        voucher_ms = self._voucher_ms()
        return RunReport(
            plan_id=state.plan_id,
            counts=dict(counter.counts),
            moved=counter.money_by_currency(),
            left=left,
            put_off=counter.put_off,
            voucher_ms=voucher_ms,
            rest_s=seconds_for(left, voucher_ms),
            vouchers=totals,
            noted=vouchers_for_attention(state, counter),
            in_doubt=in_doubt,
            stopped="error" if error is not None else stopped,
            error=error,
            lost_processes=ended.lost,
        )

    def _voucher_ms(self) -> int | None:
        """Return the time of a voucher in the whole run: by the time of a move, and by the time of the processors."""
        seconds = self._counter.mean_move_s
        if seconds is None:
            return None
        return math.ceil(1000 * max(seconds.elapsed / self._task.workers, seconds.processor) / self._processes)


def _divide(task: RunTask, processes: int) -> list[RunTask]:
    """Return the tasks of several processes. A limit is divided among them."""
    if task.limit is None:
        return [task] * processes
    share, rest = divmod(task.limit, processes)
    return [attrs.evolve(task, limit=share + (number < rest)) for number in range(processes)]
