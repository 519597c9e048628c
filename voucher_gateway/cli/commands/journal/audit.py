"""Commands that verify the journal, and anchor it."""

from __future__ import annotations

from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from voucher_gateway.cli.context import DIFFERENT, DONE, cli_context_of
from voucher_gateway.cli.tables import TableColumn, count_text, print_rows, text_of
from voucher_gateway.errors import InvalidRequest

if TYPE_CHECKING:
    from voucher_gateway.audit.report import AuditReport
    from voucher_gateway.cli.output import Output

_COLUMNS: Final = (
    TableColumn("found", attrgetter("kind")),
    TableColumn("in", attrgetter("table")),
    TableColumn("reference", attrgetter("reference"), optional=True),
    TableColumn("explanation", attrgetter("explanation")),
)


def verify(
    context: typer.Context,
    anchor: Annotated[
        Path | None,
        typer.Option("--anchor", metavar="FILE", help="Compare with the lines that `audit anchor` wrote into a file."),
    ] = None,
) -> None:
    """Find rows of the journal that were changed, removed or inserted by something else than this library.

    It verifies the tables of the journal, of payments and of sales under the journal's key. It only reads, and other
    workers go on. Exit code 0 if nothing differs, 5 if something does. Without an anchor it cannot see that the
    whole database was replaced by an older copy.

    Examples:
        voucher-gateway audit verify
        voucher-gateway audit verify --anchor /media/elsewhere/anchors.jsonl
    """
    session = cli_context_of(context)
    lines = _read_lines(anchor)
    with session.gateway() as gateway, session.output.progress("verifying the journal") as line:
        report = gateway.verify_journal(anchors=lines, on_progress=line.update)
    _print_report(session.output, report)
    raise typer.Exit(DONE if report.is_clean else DIFFERENT)


def anchor(
    context: typer.Context,
    file: Annotated[
        Path | None,
        typer.Option("--file", metavar="FILE", help="Append the line to a file, which is made if it is not there."),
    ] = None,
) -> None:
    """Print one line that shows later whether the journal was replaced by an older copy.

    Keep it where whoever can write the database cannot write: on another machine, in a mail, on paper.

    Examples:
        voucher-gateway audit anchor
        voucher-gateway audit anchor --file /media/elsewhere/anchors.jsonl
    """
    session = cli_context_of(context)
    with session.gateway() as gateway:
        line = gateway.journal_anchor()
    if file is None:
        session.output.text(line)
        return
    try:
        with file.open("a", encoding="utf-8") as stream:
            stream.write(f"{line}\n")
    except OSError as error:
        raise InvalidRequest(f"{file} cannot be written: {error.strerror}", field="file", rule="a file") from None
    if session.output.as_json:
        session.output.object({"file": str(file)})
    else:
        session.output.show(f"Appended an anchor to {file}.")


def _read_lines(file: Path | None) -> list[str]:
    if file is None:
        return []
    try:
        return file.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        rule = "a file that `audit anchor` wrote"
        raise InvalidRequest(f"{file} cannot be read: {reason}", field="--anchor", rule=rule) from None


def _print_report(output: Output, report: AuditReport) -> None:
    if output.as_json:
        output.object(report)
        return
    if report.differences:
        print_rows(output, report.differences, _COLUMNS)
    if report.difference_count > len(report.differences):
        output.note(f"Only the first {len(report.differences)} differences are shown.", "yellow")
    counts = [
        count_text(report.operations, "operation"),
        count_text(report.payments, "payment"),
        count_text(report.sales, "sale"),
        f"{count_text(report.events, 'event')} in {count_text(report.chains, 'chain')}",
    ]
    compared = f" and compared with {count_text(report.anchors, 'anchor')}" if report.anchors else ""
    output.show(f"Verified {', '.join(counts)}{compared}: {count_text(report.difference_count, 'difference')}.")
    for moment in report.restored_at:
        output.note(
            f"The journal was restored from a backup on {text_of(moment)}. What was written between the backup and that"
            " moment is not in it.",
            "yellow",
        )
