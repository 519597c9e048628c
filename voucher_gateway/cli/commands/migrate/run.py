"""The commands that carry a migration out and undo it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from voucher_gateway.cli.context import DIFFERENT, DONE, NOT_DONE, UNKNOWN, CliContext, cli_context_of
from voucher_gateway.cli.errors import exit_code, print_error
from voucher_gateway.cli.output import group_number
from voucher_gateway.cli.progress import progress_printer
from voucher_gateway.cli.tables import TableColumn, count_text, print_rows
from voucher_gateway.errors import InvalidRequest

if TYPE_CHECKING:
    from voucher_gateway.cli.output import Output
    from voucher_gateway.gateway.gateway import Gateway
    from voucher_gateway.migration.plan.plan_file import Plan
    from voucher_gateway.migration.run.progress import RunReport
    from voucher_gateway.migration.run.rollback import RollbackReport
    from voucher_gateway.migration.run.rows import ReportedVoucher

PlanFile = Annotated[Path, typer.Argument(metavar="PLAN", help="The file that `migrate plan` wrote.")]
Processes = Annotated[
    int,
    typer.Option("--processes", metavar="N", min=1, max=64, help="Share the work among N processes, one for a core."),
]
ByName = Annotated[
    str | None,
    typer.Option("--by", metavar="NAME", help="Who does it, for the records; else the user of this system."),
]

HtmlFile = Annotated[
    Path | None, typer.Option("--html", metavar="FILE", help="Write a page about the status of the plan there, too.")
]

UNKNOWN_PLAN: Final = "This journal knows no run of the plan. If it was run, name the journal of that run."


def _reason(voucher: ReportedVoucher) -> str:
    from voucher_gateway.html.document import set_gaps_in_sentence

    return set_gaps_in_sentence(voucher.reason)


NOTED: Final = (
    TableColumn("number", attrgetter("number"), right=True),
    TableColumn("voucher", attrgetter("source_id")),
    TableColumn("code", attrgetter("code"), optional=True),
    TableColumn("value", attrgetter("value"), right=True),
    TableColumn("is", attrgetter("state")),
    TableColumn("because", _reason),
)


def run(
    context: typer.Context,
    plan: PlanFile,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only look at both ends again, and say what would become of each voucher.")
    ] = False,
    limit: Annotated[
        int | None, typer.Option("--limit", metavar="N", min=1, help="A pilot: N vouchers at most. Run again to go on.")
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option("--workers", metavar="N", min=1, max=256, help="So many vouchers at a time; else as planned."),
    ] = None,
    processes: Processes = 1,
    accept: Annotated[
        list[str] | None, typer.Option("--accept", metavar="NAME", help="Accept a risk of the plan; may be repeated.")
    ] = None,
    reveal: Annotated[
        bool, typer.Option("--reveal", help="Write codes and PINs into a target that is a file. They are money.")
    ] = False,
    by: ByName = None,
    html: HtmlFile = None,
) -> None:
    """Carry a plan out, or go on where it was broken off: killed at any moment, nothing is moved twice or lost.

    One process uses one core: --processes uses more. The same command may also run on several machines that share a
    journal in PostgreSQL. Ctrl-C, or `migrate pause`, ends it after the vouchers that are in progress.

    Exit code 0: all vouchers have moved, or as many as --limit says. 3: vouchers are left, because the run was paused
    or others work on them; run it again. 4: vouchers are in doubt; run it again, and it looks them up first. 5:
    vouchers of the plan had changed since they were planned, or were refused, in this run or an earlier one; they are
    listed, and are where they were: plan them again with --after. Others as everywhere.

    Examples:
        voucher-gateway migrate run move.plan --limit 10
    """
    from voucher_gateway.migration.plan.plan_file import open_plan
    from voucher_gateway.migration.run.runner import run_plan

    session = cli_context_of(context)
    require_writable(html, plan=plan)
    with open_plan(plan) as opened:
        _require_codes(opened, reveal=reveal or dry_run)
        with plan_gateway(session, opened, reveal=reveal) as gateway, progress_printer(session.output) as printer:
            report = run_plan(
                gateway,
                opened,
                dry_run=dry_run,
                limit=limit,
                workers=workers,
                processes=processes,
                accept=accept or (),
                by=by,
                on_progress=printer.print_progress,
            )
            if html is not None:
                write_status_page(gateway, opened, html)
    _print_run(session.output, report)
    raise typer.Exit(_run_code(report))


def rollback(context: typer.Context, plan: PlanFile, processes: Processes = 1, by: ByName = None) -> None:
    """Bring back to the source what was moved, and list what cannot be brought back and why: spent since, say.

    Exit code 0: all is back. 4: vouchers are in doubt; give the command again. 5: vouchers stay at the target. Others
    as everywhere.

    Examples:
        voucher-gateway migrate rollback move.plan
    """
    from voucher_gateway.migration.plan.plan_file import open_plan
    from voucher_gateway.migration.run.rollback import rollback_plan

    session = cli_context_of(context)
    with (
        open_plan(plan) as opened,
        plan_gateway(session, opened) as gateway,
        progress_printer(session.output) as printer,
    ):
        report = rollback_plan(gateway, opened, processes=processes, by=by, on_progress=printer.print_progress)
    _print_rollback(session.output, report)
    raise typer.Exit(_rollback_code(report))


def require_writable(page: Path | None, option: str = "--html", *, plan: Path) -> None:
    """Say what is wrong with the path of a file before the work, not after it. The plan is not overwritten."""
    if page is not None and page.resolve() == plan.resolve():
        raise InvalidRequest(
            f"{option} names the plan itself, which is needed to run it and to roll it back; name another file",
            field=option,
            rule="another file than the plan",
        )
    if page is not None and (page.is_dir() or not page.absolute().parent.is_dir()):
        raise InvalidRequest(
            f"{page} cannot be written: it must be a file in a folder that exists",
            field=option,
            rule="a file in a folder that exists",
        )


def write_status_page(gateway: Gateway, plan: Plan, path: Path) -> None:
    """Write a page about the status of a plan."""
    from voucher_gateway.html.render import write
    from voucher_gateway.instants import now
    from voucher_gateway.migration.run.html import status_page
    from voucher_gateway.migration.run.progress import status_of

    write(status_page(status_of(gateway, plan), now()), path)


def _require_codes(plan: Plan, *, reveal: bool) -> None:
    """Refuse a run into a file without codes before it refuses voucher after voucher."""
    from voucher_gateway.migration.file_accounts import is_file_name

    if is_file_name(plan.header.target.account) and not reveal:
        raise InvalidRequest(
            "the target is a file, and codes and PINs, which are money, are written into one with --reveal only;"
            " `voucher-gateway export` writes one to look at",
            field="reveal",
            rule="given, where the target is a file",
        )


@contextmanager
def plan_gateway(session: CliContext, plan: Plan, *, reveal: bool = False) -> Iterator[Gateway]:
    """Open the gateway of a plan, with its files as accounts."""
    from voucher_gateway.migration.file_accounts import add_file_accounts

    source, target = plan.header.source, plan.header.target
    with (
        session.gateway() as configured,
        add_file_accounts(
            configured, source.account, target.account, reveal=reveal, settings={source.account: source.settings}
        ) as gateway,
    ):
        yield gateway


def _run_code(report: RunReport) -> int:
    if report.error is not None:
        return exit_code(report.error)
    if report.in_doubt:
        return UNKNOWN
    if report.left and not report.dry_run and report.stopped != "limit":
        return NOT_DONE
    return DIFFERENT if report.not_moved else DONE


def _rollback_code(report: RollbackReport) -> int:
    if report.in_doubt:
        return UNKNOWN
    if report.error is not None:
        return exit_code(report.error)
    return DIFFERENT if report.not_undone else DONE


def _print_run(output: Output, report: RunReport) -> None:
    if output.as_json:
        output.object(report)
    else:
        output.show(_result_sentence(report))
        _print_counts(output, report)
        if report.noted:
            print_rows(output, report.noted, NOTED)
        if report.left and not report.dry_run:
            output.show(_rest_sentence(report))
        _print_lost_processes(output, report.lost_processes)
    if report.error is not None:
        print_error(output, report.error)


def _print_lost_processes(output: Output, sentences: Sequence[str]) -> None:
    for sentence in sentences:
        output.note(f"Warning: {sentence}. What it had begun goes on from the journal.", "bold yellow")


def _result_sentence(report: RunReport) -> str:
    from voucher_gateway.migration.plan.text import join_amounts
    from voucher_gateway.migration.schema import RowState

    would = "would move" if report.dry_run else "moved"
    if count := report.counts.get(RowState.MOVED, 0):
        return f"{count_text(count, 'voucher')} {would}: {join_amounts(report.moved)}"
    before, total = report.vouchers.get(RowState.MOVED), sum(part.count for part in report.vouchers.values())
    if before is None or report.counts or report.left:
        return "No voucher would move" if report.dry_run else "No voucher was moved"
    amounts = join_amounts(before.money)
    if before.count == total:
        return f"All {count_text(total, 'voucher')} have moved already: {amounts}"
    return f"{group_number(before.count)} of {count_text(total, 'voucher')} have moved already: {amounts}"


def _print_counts(output: Output, report: RunReport) -> None:
    from voucher_gateway.migration.schema import RowState

    for state, count in sorted(report.counts.items()):
        if state is not RowState.MOVED:
            output.show(f"{count_text(count, 'voucher')} {state.value}")
    for state, count in report.not_moved.items():
        if before := count - report.counts.get(state, 0):
            output.show(f"{count_text(before, 'voucher')} {state.value} in another run")


def _rest_sentence(report: RunReport) -> str:
    from voucher_gateway.migration.plan.text import length_of

    reasons = {
        "limit": "the limit is reached",
        "paused": "paused",
        "rolled-back": "the plan is being rolled back",
        "error": "broken off",
    }
    reason = reasons.get(report.stopped or "", "others work on them, or run it again")
    length = (
        "" if report.rest_s is None else f"; at this rate they take about {length_of(timedelta(seconds=report.rest_s))}"
    )
    return f"{count_text(report.left, 'voucher')} left: {reason}{length}"


def _print_rollback(output: Output, report: RollbackReport) -> None:
    if output.as_json:
        output.object(report)
        return
    from voucher_gateway.migration.plan.text import join_amounts

    output.show(f"{count_text(report.undone, 'voucher')} brought back: {join_amounts(report.money)}")
    for noted in (report.remarks, report.kept):
        if noted:
            print_rows(output, noted, NOTED)
    _print_lost_processes(output, report.lost_processes)
    if report.error is not None:
        print_error(output, report.error)
