"""The commands between accounts and files: export and import."""

from __future__ import annotations

from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import typer

from voucher_gateway.cli import options as given
from voucher_gateway.cli.context import DECLINED, DIFFERENT, DONE, NOT_DONE, UNKNOWN, advising, cli_context_of
from voucher_gateway.cli.errors import exit_code, print_error
from voucher_gateway.cli.progress import print_file_form, progress_printer
from voucher_gateway.cli.tables import TableColumn, count_text, print_rows, tally_columns
from voucher_gateway.migration.plan.model import Action

if TYPE_CHECKING:
    from voucher_gateway.cli.output import Output
    from voucher_gateway.migration.run.progress import RunReport
    from voucher_gateway.migration.transfer import TransferReport

_Format = Annotated[
    Literal["jsonl", "csv"] | None,
    typer.Option("--format", help="The form of the file, if its name ends in neither .jsonl nor .csv."),
]
_Plan = Annotated[
    Path | None,
    typer.Option("--plan", metavar="PLAN", help="Where the plan is kept; beside the file by default."),
]
_Workers = Annotated[int, typer.Option("--workers", metavar="N", min=1, max=256, help="So many vouchers at a time.")]

_GIVE_FORMAT: Final = "Give it with --format jsonl or --format csv."

_DIFFERENCES: Final = (
    TableColumn("number", attrgetter("number"), right=True),
    TableColumn("voucher", attrgetter("source_id"), optional=True),
    TableColumn("code", attrgetter("code"), optional=True),
    TableColumn("difference", attrgetter("explanation")),
)
_CHANGES: Final = (
    TableColumn("voucher", attrgetter("source_id")),
    TableColumn("code", attrgetter("code"), optional=True),
    TableColumn("change", attrgetter("explanation")),
)


def export_vouchers(
    context: typer.Context,
    account: given.AccountName,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A new file, .jsonl or .csv.", show_default=False)],
    reveal: Annotated[
        bool, typer.Option("--reveal", help="Write codes and PINs. They are money: the file is then worth its sum.")
    ] = False,
    file_format: _Format = None,
    delimiter: given.Delimiter = None,
    decimal: given.DecimalSign = None,
    encoding: given.Encoding = None,
    byte_order_mark: given.ByteOrderMark = None,
    plan: _Plan = None,
    workers: _Workers = given.WORKERS,
) -> None:
    """Write all vouchers of ACCOUNT into FILE, read both again and compare them. ACCOUNT stays as it is.

    Without --reveal the codes are masked, and the file cannot be imported. What is left on a voucher is also written as
    its initial value. If the command is interrupted, run it again: it continues with the plan in FILE.plan.jsonl.

    Exit code 0: all vouchers are in the file. 1: some could not be read, and were left out. 5: there are differences,
    or vouchers were added or used since the plan was made; a new file would have them. Others as everywhere.

    Examples:
        voucher-gateway export shop vouchers.csv
        voucher-gateway export shop vouchers.jsonl --reveal
    """
    from voucher_gateway.migration.transfer import export_vouchers as run_export

    session = cli_context_of(context)
    output = session.output
    with session.gateway() as gateway, progress_printer(output) as printer, advising(_GIVE_FORMAT, "file_format"):
        report = run_export(
            gateway,
            account,
            file,
            reveal=reveal,
            file_format=file_format,
            file_settings=given.file_settings(
                delimiter=delimiter, decimal=decimal, encoding=encoding, byte_order_mark=byte_order_mark
            ),
            plan=plan,
            workers=workers,
            on_read=printer.print_plan,
            on_progress=printer.print_progress,
        )
    _print_report(output, report, "An export into a new file has them.")
    raise typer.Exit(_exit_code(report))


def import_vouchers(
    context: typer.Context,
    account: given.AccountName,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="The file, .jsonl or .csv.", exists=True, show_default=False)
    ],
    policy: Annotated[
        Path | None,
        typer.Option("--policy", metavar="FILE", help="What to do with which vouchers (TOML); the strictest without."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only plan, and say what would become of them.")] = False,
    file_format: _Format = None,
    delimiter: given.Delimiter = None,
    decimal: given.DecimalSign = None,
    date_order: given.DateOrder = None,
    time_zone: given.TimeZone = None,
    encoding: given.Encoding = None,
    currency: given.FileCurrency = None,
    columns: given.ColumnNames = None,
    plan: _Plan = None,
    workers: _Workers = given.WORKERS,
) -> None:
    """Issue the vouchers of FILE at ACCOUNT, read both again and compare them. FILE stays as it is.

    A voucher that the policy does not provide for, or that the account cannot keep as it is, is refused with a reason.
    How a CSV file is written is guessed, and said before anything is done; options say it exactly.
    If the command is interrupted, run it again: it continues with the plan in FILE.ACCOUNT.plan.jsonl, and issues
    nothing twice. Vouchers that were added to FILE since the plan was begun are named and left out. Importing a file
    into two accounts doubles its value.

    Exit code 0: all vouchers are there. 1: some were refused, and left out. 5: there are differences, or FILE was
    changed since it was planned. Others as everywhere.

    Examples:
        voucher-gateway import events vouchers.csv --dry-run
        voucher-gateway import events vouchers.csv --policy policy.toml
    """
    from voucher_gateway.migration.plan.policy import load_policy
    from voucher_gateway.migration.transfer import import_vouchers as run_import
    from voucher_gateway.migration.transfer import require_accepted_transfer

    session = cli_context_of(context)
    output = session.output
    rules = None if policy is None else load_policy(policy)
    with session.gateway() as gateway, progress_printer(output) as printer, advising(_GIVE_FORMAT, "file_format"):
        report = run_import(
            gateway,
            account,
            file,
            policy=rules,
            dry_run=dry_run,
            file_format=file_format,
            file_settings=given.file_settings(
                delimiter=delimiter,
                decimal=decimal,
                date_order=date_order,
                time_zone=time_zone,
                encoding=encoding,
                currency=currency,
                columns=columns,
            ),
            plan=plan,
            workers=workers,
            on_file_read=printer.print_plan,
            on_file_form=partial(print_file_form, output, file.name),
            on_read=printer.print_plan,
            on_progress=printer.print_progress,
        )
    if dry_run:
        _print_dry_run(output, report)
        require_accepted_transfer(report.plan, from_file=True)
    else:
        _print_report(output, report, "Import them from a file that has nothing else.")
    raise typer.Exit(_exit_code(report))


def _print_dry_run(output: Output, report: TransferReport) -> None:
    from voucher_gateway.migration.plan.text import join_amounts

    if output.as_json:
        output.object({"dry_run": True, **_plan_object(report)})
        return
    carried = report.plan.totals.of(Action.CARRY)
    target = report.plan.header.target.account
    output.show(f"{count_text(carried.count, 'voucher')} would go to {target}: {join_amounts(carried.money)}")
    _print_left_out(output, report)


def _print_report(output: Output, report: TransferReport, advice: str) -> None:
    """Print the result.

    Args:
        output: where to.
        report: the result.
        advice: what to do about vouchers that were added or changed since the plan was made.
    """
    run = report.run
    assert run is not None
    if report.resumed:
        output.note(f"Continued with the plan of {report.plan.header.made_at:%Y-%m-%d %H:%M} UTC.")
    if run.error is not None:
        print_error(output, run.error)
        output.note("The same command continues it.")
    elif output.as_json:
        outcome = {"run": run, "verified": report.verified, "differences": report.differences, "since": report.changes}
        output.object({"dry_run": False, "resumed": report.resumed, **_plan_object(report), **outcome})
    else:
        _print_run(output, report, run)
        _print_left_out(output, report)
        if report.changes:
            changes = "1 change" if len(report.changes) == 1 else f"{len(report.changes)} changes"
            output.show(f"{changes} at {report.plan.header.source.account} since it was planned, left out here:")
            print_rows(output, report.changes, _CHANGES)
            output.note(advice)


def _print_run(output: Output, report: TransferReport, run: RunReport) -> None:
    from voucher_gateway.migration.plan.text import join_amounts

    if run.left:
        output.show(f"{count_text(run.left, 'voucher')} left: run the command again")
    if run.in_doubt:
        in_doubt = count_text(run.in_doubt, "voucher")
        output.show(f"{in_doubt} in doubt: run `voucher-gateway recover`, then the command again")
    for voucher in run.noted:
        output.show(f"{voucher.source_id} {voucher.state.value}: {voucher.reason}")
    if report.differences:
        print_rows(output, report.differences, _DIFFERENCES)
    else:
        carried, target = report.plan.totals.of(Action.CARRY), report.plan.header.target.account
        sentence = f"{count_text(carried.count, 'voucher')} went to {target}, compared and found right"
        output.show(f"{sentence}: {join_amounts(carried.money)}")


def _print_left_out(output: Output, report: TransferReport) -> None:
    from voucher_gateway.migration.plan.losses import REPORTED

    totals = report.plan.totals
    if totals.reasons:
        print_rows(output, list(totals.reasons.items()), tally_columns("left out"))
    if losses := [(name, tally) for name, tally in totals.losses.items() if name not in REPORTED]:
        print_rows(output, losses, tally_columns("what is lost"))


def _plan_object(report: TransferReport) -> dict[str, Any]:

    plan = report.plan
    return {
        "plan": plan.id,
        "path": str(plan.path),
        "source": plan.header.source,
        "target": plan.header.target,
        "carried": plan.totals.of(Action.CARRY),
        "skipped": plan.totals.of(Action.SKIP),
        "refused": plan.totals.of(Action.REFUSE),
        "reasons": plan.totals.reasons,
        "losses": plan.totals.losses,
        "listing": plan.totals.listing,
    }


def _exit_code(report: TransferReport) -> int:
    run, refused = report.run, report.plan.totals.of(Action.REFUSE).count
    if run is None:
        return DECLINED if refused else DONE
    if run.error is not None:
        return exit_code(run.error)
    if run.in_doubt:
        return UNKNOWN
    if run.left:
        return NOT_DONE
    if report.differences or report.changes or run.not_moved:
        return DIFFERENT
    return DECLINED if refused else DONE
