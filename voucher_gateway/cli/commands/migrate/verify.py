"""The command that proves a migration."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from operator import attrgetter
from typing import TYPE_CHECKING, Final

import attrs
import typer

from voucher_gateway.cli.commands.migrate.run import UNKNOWN_PLAN, ByName, PlanFile, plan_gateway
from voucher_gateway.cli.context import DIFFERENT, DONE, cli_context_of
from voucher_gateway.cli.output import group_number
from voucher_gateway.cli.progress import progress_printer
from voucher_gateway.cli.tables import TableColumn, count_text, print_rows

if TYPE_CHECKING:
    from voucher_gateway.cli.output import Output
    from voucher_gateway.migration.verify.checks import Difference
    from voucher_gateway.migration.verify.parts import CurrencySummary, PartTotal
    from voucher_gateway.migration.verify.shifted_ends import ShiftedEnd, ShiftedEnds
    from voucher_gateway.migration.verify.verify import Total, Verification


def _explanation(difference: Difference) -> str:
    from voucher_gateway.html.document import set_gaps_in_sentence

    return set_gaps_in_sentence(difference.explanation)


_DIFFERENCES: Final = (
    TableColumn("number", attrgetter("number"), right=True),
    TableColumn("voucher", attrgetter("source_id"), optional=True),
    TableColumn("code", attrgetter("code"), optional=True),
    TableColumn("difference", attrgetter("kind")),
    TableColumn("explanation", _explanation),
)


_UNREADABLE: Final = (
    TableColumn("at", attrgetter("account")),
    TableColumn("voucher", attrgetter("name")),
    TableColumn("because", attrgetter("reason")),
)


def verify(context: typer.Context, plan: PlanFile, by: ByName = None) -> None:
    """Read both sides again and prove it, without asking the run's own records.

    It proves that every planned voucher is at the target once, with its value, currency, code and end of validity; that
    nothing can be spent at the source; and that the sums agree to the cent. After `migrate rollback` it proves that
    the source is whole again.

    The tables show the whole source, with what was not carried and what was issued since the plan, and the vouchers
    that end at another time than before.

    Exit code 0: proved. 5: there are differences; they are listed. Also 5 if the journal knows no run of the plan:
    the tables then say what both accounts have, and nothing says who moved it or what is in doubt.

    Examples:
        voucher-gateway migrate verify move.plan
    """
    from voucher_gateway.migration.plan.plan_file import open_plan
    from voucher_gateway.migration.verify.verify import verify_plan

    session = cli_context_of(context)
    shifted: list[ShiftedEnd] = []
    with (
        open_plan(plan) as opened,
        plan_gateway(session, opened) as gateway,
        progress_printer(session.output) as printer,
    ):
        verification = verify_plan(
            gateway,
            opened,
            by=by,
            on_shifted_end=shifted.append if session.output.as_json else None,
            on_progress=printer.print_verification,
        )
    print_verification(session.output, verification, shifted)
    raise typer.Exit(DONE if verification.proved and verification.state is not None else DIFFERENT)


def print_verification(output: Output, verification: Verification, shifted: Sequence[ShiftedEnd] = ()) -> None:
    """Print a verification: the totals of the whole source, those of the target, shifted ends and the differences.

    Args:
        output: where to print.
        verification: the verification.
        shifted: each voucher with a shifted end, for JSON.
    """
    from voucher_gateway.migration.certificate.sentences import other_plan_sentence
    from voucher_gateway.migration.verify.parts import summarize

    if output.as_json:
        output.object({**attrs.asdict(verification, recurse=False), "shifted_vouchers": shifted})
        return
    if verification.state is None:
        output.note(UNKNOWN_PLAN)
    whole = "at the source again" if verification.rolled_back else "as planned"
    output.show(f"{group_number(verification.as_expected)} of {count_text(verification.vouchers, 'voucher')} {whole}")
    for plan in verification.other_plans:
        output.show(other_plan_sentence(plan))
    if verification.codes_not_compared:
        note_text = (
            f"{count_text(verification.codes_not_compared, 'code')} not compared, as the target does not show them"
        )
        output.show(f"{note_text}: the journal says which voucher is which")
    print_source(output, summarize(verification.parts), verification.parts, list(verification.totals.values()))
    print_shifted_ends(output, verification.shifted_ends)
    if verification.unreadable:
        output.show("", "Vouchers that cannot be read")
        print_rows(output, verification.unreadable, _UNREADABLE)
    print_differences(output, verification.differences)


def print_differences(output: Output, differences: Sequence[Difference]) -> None:
    """Print the differences between the plan and the accounts; nothing if there are none."""
    if differences:
        output.show("", "Differences")
        print_rows(output, differences, _DIFFERENCES)


def print_source(
    output: Output, summaries: Sequence[CurrencySummary], parts: Sequence[PartTotal], totals: Sequence[Total]
) -> None:
    """Print the whole source by currency, what became of it, and what was carried."""
    output.show("", "The whole source, by its value when the plan was made")
    print_rows(output, summaries, _summary_columns(summaries))
    output.show("", "What became of it, and what each account has now")
    print_rows(output, _largest_first(parts, summaries), _PARTS)
    if totals:
        output.show("", "What was carried, at the target")
        by_currency = {total.before.currency: total for total in totals}
        order = [summary.currency for summary in summaries if summary.currency in by_currency]
        print_rows(output, [by_currency[currency] for currency in order], _TARGET)


def print_shifted_ends(output: Output, shifted_ends: Sequence[ShiftedEnds]) -> None:
    """Print the ends of validity that are not as before; nothing if there are none."""
    if shifted_ends:
        output.show("", "Ends of validity that are not as before")
        print_rows(output, shifted_ends, _SHIFTED)


def _largest_first(parts: Sequence[PartTotal], summaries: Sequence[CurrencySummary]) -> list[PartTotal]:
    places = {summary.currency: place for place, summary in enumerate(summaries)}
    unknown = len(places)

    def place_of(total: PartTotal) -> int:
        return unknown if total.currency is None else places[total.currency]

    return sorted(parts, key=place_of)


def _summary_columns(summaries: Sequence[CurrencySummary]) -> list[TableColumn[CurrencySummary]]:
    columns: list[TableColumn[CurrencySummary]] = [
        TableColumn("", attrgetter("currency")),
        TableColumn("before", attrgetter("before.amount"), right=True),
        TableColumn("moved", attrgetter("moved.amount"), right=True),
        TableColumn("not moved", attrgetter("stays.amount"), right=True),
    ]
    if any(summary.moved_by_others for summary in summaries):
        columns.append(TableColumn("other plan", attrgetter("moved_by_others.amount"), right=True))
    if any(summary.in_doubt for summary in summaries):
        columns.append(TableColumn("in doubt", attrgetter("in_doubt.amount"), right=True))
    columns += [
        TableColumn("issued for moved", attrgetter("at_target.amount"), right=True),
        TableColumn("difference", attrgetter("difference.amount"), right=True),
    ]
    return columns


def _amount_of(name: str, total: PartTotal) -> object:
    money = getattr(total, name)
    return None if money is None else money.amount


def _before(total: PartTotal) -> object:
    return _amount_of("before", total)


def _hold_at_source(total: PartTotal) -> object:
    return _amount_of("held_at_source", total)


def _rest_at_target(total: PartTotal) -> object:
    return _amount_of("left", total)


_PARTS: Final[tuple[TableColumn[PartTotal], ...]] = (
    TableColumn("", attrgetter("currency")),
    TableColumn("became", attrgetter("part")),
    TableColumn("vouchers", attrgetter("count"), right=True),
    TableColumn("before", _before, right=True),
    TableColumn("at source now", _hold_at_source, right=True),
    TableColumn("at target now", _rest_at_target, right=True),
)


def _shift_name(ends: ShiftedEnds) -> str:
    return _SHIFT_NAMES[ends.shift.value]


def _median(ends: ShiftedEnds) -> str:
    return _length(ends.median_s)


def _most(ends: ShiftedEnds) -> str:
    return _length(ends.most_s)


def _length(seconds: int | None) -> str:
    from voucher_gateway.migration.plan.text import length_of

    return "" if seconds is None else length_of(timedelta(seconds=seconds))


_SHIFT_NAMES: Final = {
    "later": "later",
    "earlier": "earlier",
    "no-end": "never, had an end",
    "new-end": "ends, had no end",
}
_SHIFTED: Final[tuple[TableColumn[ShiftedEnds], ...]] = (
    TableColumn("", attrgetter("money.currency")),
    TableColumn("at", attrgetter("account")),
    TableColumn("ends", _shift_name),
    TableColumn("vouchers", attrgetter("count"), right=True),
    TableColumn("value", attrgetter("money.amount"), right=True),
    TableColumn("median", _median, right=True),
    TableColumn("most", _most, right=True),
)
_TARGET: Final = (
    TableColumn("", attrgetter("before.currency")),
    TableColumn("planned", attrgetter("before.amount"), right=True),
    TableColumn("issued", attrgetter("at_target.amount"), right=True),
    TableColumn("used since", attrgetter("used.amount"), right=True),
    TableColumn("now", attrgetter("left.amount"), right=True),
    TableColumn("still at source", attrgetter("at_source.amount"), right=True),
)
