"""The command that lists vouchers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Final, Literal

import typer
from rich.text import Text

from voucher_gateway.cli import arguments as given
from voucher_gateway.cli.inputs import filters_from, instant_from
from voucher_gateway.cli.jsonform import to_plain
from voucher_gateway.cli.output import Output
from voucher_gateway.cli.session import cli_context_of
from voucher_gateway.cli.tables import print_rows, voucher_columns
from voucher_gateway.listing.listing import Listing
from voucher_gateway.listing.page import ListingReport
from voucher_gateway.models.requests import VoucherQuery
from voucher_gateway.models.voucher import Status, Voucher

_REPORTED_EVERY: Final = 100
"""So many vouchers between two changes of the progress line, or two hand-overs of JSON lines to a pipe."""

_Status = Annotated[Literal["active", "inactive"] | None, typer.Option("--status", help="Only with this status.")]
_Limit = Annotated[int | None, typer.Option("--limit", metavar="N", min=1, help="At most so many vouchers.")]
_From = Annotated[str | None, typer.Option("--created-from", metavar="MOMENT", help="Created then or later.")]
_To = Annotated[str | None, typer.Option("--created-to", metavar="MOMENT", help="Created up to then.")]
_ValidFrom = Annotated[
    str | None, typer.Option("--valid-until-from", metavar="MOMENT", help="Valid until then or later.")
]
_ValidTo = Annotated[
    str | None, typer.Option("--valid-until-to", metavar="MOMENT", help="Valid until then at the latest.")
]


def list_vouchers(
    context: typer.Context,
    account: given.AccountName,
    status: _Status = None,
    limit: _Limit = None,
    native: Annotated[
        list[str] | None,
        typer.Option("--filter", metavar="NAME=VALUE", help="A filter of the vendor's own; may be repeated."),
    ] = None,
    created_from: _From = None,
    created_to: _To = None,
    valid_until_from: _ValidFrom = None,
    valid_until_to: _ValidTo = None,
    sku: given.Sku = None,
    batch: given.Batch = None,
    has_value: Annotated[
        bool | None,
        typer.Option("--has-value/--no-value", help="Only with value left, or only used up.", show_default=False),
    ] = None,
    newest_first: Annotated[
        bool | None,
        typer.Option("--newest-first/--oldest-first", help="The order by creation.", show_default=False),
    ] = None,
    resume: Annotated[
        str | None, typer.Option("--resume", metavar="TOKEN", help="Go on where an earlier listing stopped.")
    ] = None,
) -> None:
    """List vouchers as the vendor gives them, page by page; amounts in each voucher's currency, moments in UTC.

    MOMENT is like 2026-12-31T23:59:59Z. A filter that the vendor lacks is refused. At the end stderr says how many
    there were and whether they agree with the vendor's total, or, if it stopped early, how to go on.
    """
    query = VoucherQuery(
        status=None if status is None else Status(status),
        created_from=instant_from(created_from, "--created-from"),
        created_to=instant_from(created_to, "--created-to"),
        valid_until_from=instant_from(valid_until_from, "--valid-until-from"),
        valid_until_to=instant_from(valid_until_to, "--valid-until-to"),
        sku=sku,
        batch=batch,
        has_value=has_value,
        native=filters_from(native or ()),
        newest_first=newest_first,
        limit=limit,
        resume=resume,
    )
    session = cli_context_of(context)
    output = session.output
    with session.gateway(account) as gateway, gateway.vouchers(account, query) as listing:
        delivery = _ResumableRows(output, listing)
        try:
            if output.as_json:
                for number, voucher in enumerate(delivery, 1):
                    output.object(voucher)
                    if number % _REPORTED_EVERY == 0:
                        output.flush()
            else:
                print_rows(output, delivery, voucher_columns())
        finally:
            # a reader that closed the pipe wants no report either
            if not output.unread:
                _report(output, listing.report, delivery.token)


class _ResumableRows:
    """Gives the vouchers on, and remembers how far they were taken.

    Attributes:
        token: resumes after the last voucher that was surely taken. An interruption can come between one that the
            listing gave and its line; the listing's own token would pass over it.
    """

    def __init__(self, output: Output, listing: Listing[Voucher]) -> None:
        self._output = output
        self._listing = listing
        self.token = listing.resume_token

    def __iter__(self) -> Iterator[Voucher]:
        err = self._output.err
        if not err.is_terminal or self._output.out.is_terminal:
            yield from self._iterate()
            return
        # a line of progress, on a terminal that the rows do not go to
        with err.status("listing") as line:
            for number, voucher in enumerate(self._iterate(), 1):
                if number % _REPORTED_EVERY == 0:
                    total = self._listing.report.vendor_total
                    line.update(Text(f"{number:,} vouchers" + (f" of {total:,}" if total is not None else "")))
                yield voucher

    def _iterate(self) -> Iterator[Voucher]:
        for voucher in self._listing:
            yield voucher
            self._output.end_if_unread()
            self.token = self._listing.resume_token


def _report(output: Output, report: ListingReport, resume_token: str) -> None:
    token = None if report.finished else resume_token
    if output.as_json:
        output.error_object({"report": {**to_plain(report), "resume_token": token}})
        return
    if not report.seen and token is not None:
        return  # the error that follows says it all
    output.notes(_sentences(report))
    if token is not None:
        output.note("To go on after the last one, give the same command with:")
        output.ticket(f"--resume {token}")


def _sentences(report: ListingReport) -> list[str]:
    seen = "1 voucher" if report.seen == 1 else f"{report.seen:,} vouchers"
    if not report.finished:
        total = "" if report.vendor_total is None else f" of {report.vendor_total:,}"
        return [f"{seen}{total}; the list was not read to its end."]
    if report.consistent:
        return [f"{seen}, as many as the vendor counts."]
    if report.consistent is None:
        return [f"{seen}; the vendor gives no total to compare with."]
    return [f"{seen}, but the list changed while it was read:", *(f"- {problem}" for problem in report.problems)]
