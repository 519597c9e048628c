"""A plan as a page that a finance person can read and print."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

import attrs

from voucher_gateway.html.document import Chart, Column, HtmlPage, Section, Series, Table, Text
from voucher_gateway.html.time_axis import all_months
from voucher_gateway.migration.plan.losses import LOSSES, find_unaccepted_risks
from voucher_gateway.migration.plan.model import Action, End, Kind
from voucher_gateway.migration.plan.plan_file import PlanSummary
from voucher_gateway.migration.plan.text import (
    ACTION_RESULTS,
    TallyTable,
    join_amounts,
    kind_table,
    largest_first,
    length_of,
    listing_sentences,
    loss_table,
    move_sentences,
    reason_table,
    time_sentence,
)
from voucher_gateway.migration.plan.totals import NO_END, Tally, Totals
from voucher_gateway.money import Money

_MOST_MONTHS: Final = 36
"""The number of coming months that have a bar each in a chart."""
_OVER: Final = "earlier"
_LATER: Final = "later"
_NO_END: Final = "no end known"
_OTHER_LABELS: Final = (_OVER, _LATER, _NO_END)
_MOST_COLUMNS: Final = 6
_REASONS: Final = "reasons"


def plan_page(summary: PlanSummary, *, window: timedelta | None = None) -> HtmlPage:
    """Return the page of a plan.

    Args:
        summary: the plan.
        window: the time that is available, if it is limited.
    """
    header, totals = summary.header, summary.totals
    return HtmlPage(
        title="Plan of a copy" if header.copy else "Plan of a migration",
        subtitle=f"{_account_title(header.source)} to {_account_title(header.target)}",
        facts=(
            ("Vouchers at the source", str(totals.all.count)),
            *((ACTION_RESULTS[action].capitalize(), str(totals.of(action).count)) for action in Action),
            ("Likely to take", length_of(summary.estimate.likely)),
            ("Plan (SHA-256)", summary.id),
        ),
        sections=(
            *_warnings(summary, window),
            _by_currency(totals),
            *_action_charts(totals),
            *_month_charts(totals, header.made_at),
            *_tally_tables(totals),
            Text(
                "How each voucher is carried",
                move_sentences(header, totals),
            ),
            Text("Time", (time_sentence(summary, window),)),
            _costs(summary),
            Text("Completeness", tuple(listing_sentences(totals.listing))),
        ),
        made_at=header.made_at,
    )


def _account_title(end: End) -> str:
    return f"{end.account} ({end.provider})"


def _warnings(summary: PlanSummary, window: timedelta | None) -> list[Section]:
    warnings = [
        f"{sentence} A run needs this risk to be accepted by its name, {name}."
        for name, sentence in find_unaccepted_risks(summary.header, summary.totals).items()
    ]
    refused = summary.totals.of(Action.REFUSE)
    if refused.count:
        vouchers = "1 voucher is" if refused.count == 1 else f"{refused.count} vouchers are"
        warnings.append(f"{vouchers} refused, and stay at the source: {join_amounts(refused.money)}.")
    if window is not None and not summary.estimate.fits(window):
        warnings.append(f"The run will probably take longer than {length_of(window)}.")
    links = (("Why vouchers stay", _REASONS),) if refused.count else ()
    return [Text("Before a run", tuple(warnings), warning=True, links=links)] if warnings else []


def _by_currency(totals: Totals) -> Table:
    rows = []
    for currency in largest_first(totals.all.money):
        whole = totals.all.money[currency]
        parts = [_amount(totals.of(action), currency) for action in Action]
        rows.append((currency, *(f"{part:f}" for part in parts), f"{whole.amount:f}"))
    return Table(
        title="Value by currency and action",
        columns=(
            Column("Currency"),
            *(Column(ACTION_RESULTS[action].capitalize(), numeric=True) for action in Action),
            Column("Total", numeric=True),
        ),
        rows=tuple(rows),
        note="The remaining value. Carried value is exactly the same before and after.",
    )


def _action_charts(totals: Totals) -> list[Chart]:
    """Return a chart for each currency: its value by action and kind of voucher."""
    kinds = [kind for kind in Kind if any(totals.kinds.get(kind, Tally()).money.values())]
    charts = []
    for currency in _with_value(totals):
        series = []
        for kind in kinds:  # the same ones in each chart, so that their colours are the same
            values = [
                _amount(totals.by_kind_and_action.get(f"{kind}/{action}", Tally()), currency) for action in Action
            ]
            series.append(Series(_words(kind), tuple(values)))
        labels = tuple(ACTION_RESULTS[action] for action in Action)
        charts.append(Chart(f"{currency}: value by action", currency, labels, tuple(series), kind="stacked"))
    return charts


def _month_charts(totals: Totals, at: datetime) -> list[Chart]:
    """Return a chart for each currency: its value by month of expiry."""
    charts = []
    for currency in _with_value(totals):
        ends: dict[str, dict[Action, Decimal]] = {}
        for name, tally in sorted(totals.months.items()):
            month, _, action = name.partition("/")
            if value := _amount(tally, currency):
                sums = ends.setdefault(_month_label(month, at), {})
                sums[Action(action)] = sums.get(Action(action), Money.zero(currency).amount) + value
        labels = _with_empty_months(sorted(ends, key=_label_order))
        nothing = Money.zero(currency).amount
        series = tuple(
            Series(ACTION_RESULTS[action], tuple(ends.get(label, {}).get(action, nothing) for label in labels))
            for action in Action
        )
        title = f"{currency}: value by month of expiry"
        charts.append(Chart(title, currency, tuple(labels), series, kind="stacked", note="Months are in UTC."))
    return charts


def _month_label(month: str, at: datetime) -> str:
    """Return the label of a month. Past months share a label, and so do months far ahead."""
    if month == NO_END:
        return _NO_END
    year, number = map(int, month.split("-"))
    ahead = (year - at.year) * 12 + number - at.month
    return _OVER if ahead < 0 else month if ahead <= _MOST_MONTHS else _LATER


def _with_empty_months(labels: list[str]) -> list[str]:
    """Return the labels with all months between the first and the last."""
    months = [label for label in labels if label not in _OTHER_LABELS]
    before = [label for label in labels if label == _OVER]
    return [*before, *all_months(months), *(label for label in labels if label in (_LATER, _NO_END))]


def _label_order(label: str) -> tuple[int, str]:
    return ({_OVER: 0, _LATER: 2, _NO_END: 3}.get(label, 1), label)


def _tally_tables(totals: Totals) -> list[Table]:
    reasons, losses = _largest_first(reason_table(totals)), _largest_first(loss_table(totals))
    explained = tuple((f"{name}: {LOSSES.get(name, '')}", tally) for name, tally in losses.rows)
    tables = (kind_table(totals), reasons, attrs.evolve(losses, rows=explained))
    anchors = ("", _REASONS, "")
    return [
        attrs.evolve(_tally_table(table, largest_first(totals.all.money)), anchor=anchor)
        for table, anchor in zip(tables, anchors, strict=True)
        if table.rows
    ]


def _largest_first(table: TallyTable) -> TallyTable:
    return attrs.evolve(table, rows=tuple(sorted(table.rows, key=_count_of_row, reverse=True)))


def _count_of_row(row: tuple[str, Tally]) -> int:
    return row[1].count


def _tally_table(table: TallyTable, currencies: list[str]) -> Table:
    """Return a table with a column of money for each currency, or one for all if they are many."""
    currencies = [currency for currency in currencies if any(tally.money.get(currency) for _, tally in table.rows)]
    apart = len(currencies) <= _MOST_COLUMNS
    money = [Column(currency, numeric=True) for currency in currencies] if apart else [Column("Value")]
    cells = []
    for name, tally in table.rows:
        amounts = [f"{tally.money[currency].amount:f}" if currency in tally.money else "" for currency in currencies]
        texts = amounts if apart else [join_amounts(tally.money) if tally.money else ""]
        cells.append((name, str(tally.count), *texts))
    columns = (Column(table.heading.capitalize()), Column("Vouchers", numeric=True), *money)
    return Table(title=table.title, columns=columns, rows=tuple(cells), note=table.note)


def _costs(summary: PlanSummary) -> Table:
    estimate = summary.estimate
    return Table(
        title="Requests and their time",
        columns=(
            Column("Account"),
            Column("Requests a voucher", numeric=True),
            Column("Milliseconds a request", numeric=True),
            Column("Most requests a second", numeric=True),
        ),
        rows=tuple(
            (
                load.account,
                str(load.requests),
                str(load.latency // timedelta(milliseconds=1)),
                "" if load.rate is None else f"{load.rate:g}",
            )
            for load in (estimate.source, estimate.target)
        ),
        note=(
            "The time of a request was measured with reads, while the plan was made. Our own work takes"
            f" {estimate.own / timedelta(milliseconds=1):.1f} ms a voucher, one after the other in each process."
        ),
    )


def _with_value(totals: Totals) -> list[str]:
    return [currency for currency in largest_first(totals.all.money) if totals.all.money[currency]]


def _amount(tally: Tally, currency: str) -> Decimal:
    return tally.money.get(currency, Money.zero(currency)).amount


def _words(name: str) -> str:
    return name.replace("-", " ")
