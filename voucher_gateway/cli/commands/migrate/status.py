"""The commands that watch a migration and let it pause."""

from __future__ import annotations

from datetime import timedelta
from operator import attrgetter
from typing import TYPE_CHECKING, Final

import typer

from voucher_gateway.cli.commands.migrate.run import (
    NOTED,
    UNKNOWN_PLAN,
    HtmlFile,
    PlanFile,
    plan_gateway,
    require_writable,
    write_status_page,
)
from voucher_gateway.cli.context import DIFFERENT, DONE, UNKNOWN, cli_context_of
from voucher_gateway.cli.tables import TableColumn, count_text, print_rows

if TYPE_CHECKING:
    from voucher_gateway.cli.output import Output
    from voucher_gateway.migration.run.progress import MigrationStatus
    from voucher_gateway.migration.run_records import RunRecord


def status(context: typer.Context, plan: PlanFile, html: HtmlFile = None) -> None:
    """Say how far a plan is: what stands where, in money, what is in doubt, and who works on it now.

    It also lists who has run, rolled back and verified the plan.

    Exit code 4: vouchers are in doubt. 5: vouchers were not moved, as they had changed or were refused, or stay at the
    target after a rollback; they are listed. 0: none of these.

    Examples:
        voucher-gateway migrate status move.plan --html status.html
    """
    from voucher_gateway.migration.plan.plan_file import open_plan
    from voucher_gateway.migration.run.progress import status_of
    from voucher_gateway.migration.schema import PlanState, RowState

    session = cli_context_of(context)
    require_writable(html, plan=plan)
    with open_plan(plan) as opened, plan_gateway(session, opened) as gateway:
        current = status_of(gateway, opened)
        if html is not None:
            write_status_page(gateway, opened, html)
    _print_status(session.output, current)
    if current.count(RowState.IN_DOUBT):
        raise typer.Exit(UNKNOWN)
    rolled_back = current.state is PlanState.ROLLED_BACK
    attention = (RowState.KEPT,) if rolled_back else (RowState.CHANGED, RowState.REFUSED, RowState.KEPT)
    raise typer.Exit(DIFFERENT if any(map(current.count, attention)) else DONE)


def pause(context: typer.Context, plan: PlanFile) -> None:
    """Stop all processes that work on a plan, on every machine, after the vouchers that are in progress.

    `migrate run` continues it.

    Examples:
        voucher-gateway migrate pause move.plan
    """
    from voucher_gateway.migration.plan.plan_file import open_plan
    from voucher_gateway.migration.run.progress import status_of
    from voucher_gateway.migration.run.runner import pause_plan

    session = cli_context_of(context)
    with open_plan(plan) as opened, plan_gateway(session, opened) as gateway:
        pause_plan(gateway, opened)
        current = status_of(gateway, opened)
    _print_status(session.output, current)


def _print_status(output: Output, status: MigrationStatus) -> None:
    if output.as_json:
        output.object(status)
        return
    from voucher_gateway.migration.plan.text import join_amounts, length_of

    where = "not begun" if status.state is None else status.state.value
    output.show(f"{status.source} to {status.target}: {where}")
    if status.state is None:
        output.note(UNKNOWN_PLAN)
    for state, total in status.vouchers.items():
        output.show(f"{count_text(total.count, 'voucher')} {state.value}: {join_amounts(total.money)}")
    if status.rest_s is not None:
        length = length_of(timedelta(seconds=status.rest_s))
        output.show(f"at the rate of the last run, what is left takes about {length}")
    for owner, count in status.workers.items():
        output.show(f"process {owner[:8]} works on {count_text(count, 'voucher')}")
    if status.left_behind:
        output.show(f"{count_text(status.left_behind, 'voucher')} left behind by a dead process; the next run goes on")
    if status.runs:
        print_rows(output, status.runs, _RUNS)
    if status.noted:
        print_rows(output, status.noted, NOTED)


def _work(record: RunRecord) -> str:
    from voucher_gateway.migration.run.record_text import work_text

    return work_text(record)


def _result(record: RunRecord) -> str:
    if record.ended_at is None:
        return "in progress" if record.working else "no end: the process was killed"
    return (record.result or "").replace("-", " ")


_RUNS: Final[tuple[TableColumn[RunRecord], ...]] = (
    TableColumn("work", _work),
    TableColumn("by", attrgetter("performed_by")),
    TableColumn("machine", attrgetter("host")),
    TableColumn("began (UTC)", attrgetter("began_at")),
    TableColumn("ended (UTC)", attrgetter("ended_at")),
    TableColumn("result", _result),
)
