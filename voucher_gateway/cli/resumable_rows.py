"""The rows of a listing, printed so that an interrupted list can be resumed, and its report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from voucher_gateway.cli.output import Output, group_number
from voucher_gateway.cli.tables import count_text
from voucher_gateway.listing.unreadable import UnreadableEntry
from voucher_gateway.models.voucher import Voucher
from voucher_gateway.serialization import to_json

if TYPE_CHECKING:
    from voucher_gateway.listing.listing import Listing
    from voucher_gateway.listing.page import ListingReport

REPORTED_EVERY: Final = 100


class ResumableRows:
    """Iterates over the vouchers of a listing, and records after each one how to resume.

    Attributes:
        token: resumes after the last voucher that was certainly printed. An interruption can come after the listing
            returned a voucher and before its line is printed; the token of the listing would skip that voucher.
    """

    def __init__(self, output: Output, listing: Listing[Voucher]) -> None:
        self._output = output
        self._listing = listing
        self.token = listing.resume_token

    def __iter__(self) -> Iterator[Voucher]:
        if self._output.out.is_terminal:  # the rows themselves show how far it is
            yield from self._iterate()
            return
        with self._output.progress("listing") as line:
            for number, voucher in enumerate(self._iterate(), 1):
                if number % REPORTED_EVERY == 0:
                    line.update(number, self._listing.report.vendor_total)
                yield voucher

    def _iterate(self) -> Iterator[Voucher]:
        for voucher in self._listing:
            yield voucher
            self._output.end_if_unread()
            self.token = self._listing.resume_token


def print_report(
    output: Output, report: ListingReport, resume_token: str, unreadable: Sequence[UnreadableEntry] = ()
) -> None:
    """Print how complete a list is, and how to resume it."""
    token = None if report.finished else resume_token
    if output.as_json:
        report_json = {**to_json(report), "resume_token": token, "unreadable_entries": to_json(unreadable)}
        output.error_object({"report": report_json})
        return
    for entry in unreadable:
        output.note(f"This voucher cannot be read: {entry.name}: {entry.reason}", style="yellow")
    if not report.seen and token is not None:
        return  # the error that follows says it all
    output.notes(_sentences(report))
    if token is not None:
        output.note("To go on after the last one, give the same command with:")
        output.ticket(f"--resume {token}")


def _sentences(report: ListingReport) -> list[str]:
    seen = count_text(report.seen, "voucher")
    if report.unreadable:
        seen += f" and {group_number(report.unreadable)} that cannot be read"
    if not report.finished:
        total = "" if report.vendor_total is None else f" of {group_number(report.vendor_total)}"
        return [f"{seen}{total}; the list was not read to its end."]
    if report.consistent:
        return [f"{seen}, as many as the vendor counts."]
    if report.consistent is None:
        return [f"{seen}; the vendor gives no total to compare with."]
    return [f"{seen}, but the list changed while it was read:", *(f"- {problem}" for problem in report.problems)]
