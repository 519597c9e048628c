"""Runs a plan and pauses its runs. All processes that share the journal can run the same plan."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from voucher_gateway.errors import ConfigurationError, InvalidRequest
from voucher_gateway.gateway.gateway import Gateway
from voucher_gateway.instants import now
from voucher_gateway.limits.work_class import WorkClass, use_work_class
from voucher_gateway.migration.plan.losses import require_accepted_risks
from voucher_gateway.migration.plan.plan_file import Plan, open_plan
from voucher_gateway.migration.run.context import MigrationContext
from voucher_gateway.migration.run.dry_run import predict_run
from voucher_gateway.migration.run.load import load_vouchers
from voucher_gateway.migration.run.migration_run import MigrationRun
from voucher_gateway.migration.run.process_run import RunTask
from voucher_gateway.migration.run.progress import OnProgress, RunReport, run_details
from voucher_gateway.migration.run.state import MigrationState
from voucher_gateway.migration.run_records import record_run
from voucher_gateway.migration.schema import RUNNABLE, PlanState, Work

_ROLLED_BACK: Final = "this plan was rolled back and cannot be run again; make a new plan"
_ONE_PROCESS: Final = (
    "another process runs this plan; with two processes, more value could be spent twice than was accepted"
)


@use_work_class(WorkClass.MIGRATE)
def run_plan(
    gateway: Gateway,
    plan: Path | Plan,
    *,
    dry_run: bool = False,
    limit: int | None = None,
    workers: int | None = None,
    processes: int = 1,
    accept: Collection[str] = (),
    by: str | None = None,
    on_progress: OnProgress | None = None,
) -> RunReport:
    """Run a plan, or continue it where it was interrupted.

    After Ctrl-C the run completes the moves that have begun, and begins no new one. At its end it looks once more at
    the vouchers that are in doubt.

    Args:
        gateway: has a journal and both accounts.
        plan: the plan's file, or the open plan.
        dry_run: whether to read both sides only, and return what a run would do. Nothing is changed.
        limit: the largest number of vouchers to move, for a pilot. The next run continues.
        workers: the number of vouchers that each process moves at a time; by default that of the plan.
        processes: the number of processes that move vouchers. With more than one, children are forked from this
            process, so no other thread of it should be at work at that moment. With one, nothing is forked: a program
            with threads takes that, or starts the command line.
        accept: names of risks to accept besides those that the policy of the plan accepts.
        by: the name of the person who runs it, for the records; by default the user of the operating system.
        on_progress: is called a few times a second, on the thread of the caller.

    Raises:
        ConfigurationError: if the plan was changed, is for other accounts, or was rolled back.
        InvalidRequest: if a risk of the plan is not accepted, a number is below one, or a plan with vouchers that may
            be spendable twice is to be run by several processes.
        OperationInProgress: if vouchers may be spendable twice for a while, and another process runs the plan. The
            limit of the plan holds for one process.
        ProviderUnavailable: if a vendor does not answer at the begin.
        DatabaseUnavailable: if the results cannot be written. The next run reads them from the journal.
    """
    for name, number in (("limit", limit), ("workers", workers), ("processes", processes)):
        if number is not None and number < 1:
            raise InvalidRequest(f"{name} must be a whole number above zero", field=name, rule="at least 1")
    with open_plan(plan) as opened, ExitStack() as locks:
        context = MigrationContext(gateway, opened.id, opened.header)
        state = MigrationState.of(gateway, opened.summary)
        if state.plan_state() is PlanState.ROLLED_BACK:
            raise ConfigurationError(_ROLLED_BACK)
        workers = workers or opened.header.workers
        if dry_run:
            return predict_run(context, state, opened, limit=limit, workers=workers, on_progress=on_progress)
        require_accepted_risks(opened.header, opened.totals, *accept)
        if opened.totals.double_spendable and not context.leaves_source:
            _require_one_process(processes)
            locks.enter_context(state.one_process("window", _ONE_PROCESS))
            workers = min(workers, opened.header.workers)
        load_vouchers(state, opened.vouchers())
        if not state.set_plan_state(PlanState.RUNNING, only_from=RUNNABLE):
            raise ConfigurationError(_ROLLED_BACK)
        task = RunTask(began=now(), workers=workers, limit=limit)
        asked = {"workers": workers, "processes": processes, "limit": limit, "accept": sorted(accept)}
        with record_run(state.database, state.plan_id, Work.RUN, by, **asked) as record:
            report = MigrationRun(context, state, task, processes, on_progress).run()
            if report.left or report.in_doubt:
                record.result = report.stopped or "incomplete"
            record.details |= run_details(report.counts, report.moved, report.error)
            record.details["voucher_ms"] = report.voucher_ms
            return report


def pause_plan(gateway: Gateway, plan: Path | Plan) -> None:
    """Stop all runs of a plan, on every machine, after the moves that have begun.

    Raises:
        ConfigurationError: if the plan is not being run.
    """
    with open_plan(plan) as opened:
        state = MigrationState.of(gateway, opened.summary)
    if not state.set_plan_state(PlanState.PAUSED, only_from=(PlanState.RUNNING, PlanState.PAUSED)):
        current = state.plan_state() or "not begun"
        raise ConfigurationError(f"there is nothing to pause: the plan {state.plan_id[:12]} is {current}")


def _require_one_process(processes: int) -> None:
    if processes > 1:
        raise InvalidRequest(
            "vouchers of this plan are spendable at both accounts for a moment, so one process runs it: with several,"
            " more value could be spent twice than was accepted",
            field="processes",
            rule="1, for this plan",
        )
