"""The status of a migration as a page: how far it is, who has run it, and what needs attention."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from voucher_gateway.html.document import Column, HtmlPage, Section, Table, Text, set_gaps_in_sentence
from voucher_gateway.migration.plan.text import join_amounts, largest_first
from voucher_gateway.migration.run.progress import MOST_NOTED, MigrationStatus
from voucher_gateway.migration.run.record_text import runs_table
from voucher_gateway.migration.schema import RowState
from voucher_gateway.money import Money

_NOTED: Final = "noted"
_GROUPS: Final = (
    ("Moved", (RowState.MOVED, RowState.KEPT)),
    ("Still to be moved", (RowState.PLANNED, RowState.WORKING)),
    ("In doubt", (RowState.IN_DOUBT,)),
    ("Changed or refused", (RowState.CHANGED, RowState.REFUSED)),
    ("Brought back", (RowState.UNDONE,)),
)
_ATTENTION: Final = (
    (RowState.IN_DOUBT, "In doubt, to be looked up by the next run"),
    (RowState.CHANGED, "Changed since the plan and not moved, to be planned again"),
    (RowState.REFUSED, "Refused by a vendor or a rule, and not moved"),
    (RowState.KEPT, "Still at the target after a rollback"),
)


def status_page(status: MigrationStatus, made_at: datetime) -> HtmlPage:
    """Return the page of a migration's status.

    Args:
        status: the status.
        made_at: when it was read.
    """
    total = sum(part.count for part in status.vouchers.values())
    state = "not begun" if status.state is None else status.state.value.replace("-", " ")
    return HtmlPage(
        title=f"Migration: {state}",
        subtitle=f"{status.source} to {status.target}",
        facts=(
            ("Vouchers to carry", str(total)),
            *((name, str(_count(status, states))) for name, states in _GROUPS if _count(status, states)),
            ("Plan (SHA-256)", status.plan_id),
        ),
        sections=tuple(_sections(status)),
        made_at=made_at,
    )


def _sections(status: MigrationStatus) -> list[Section]:
    sections: list[Section] = [*_warnings(status), _by_currency(status), _by_state(status), runs_table(status.runs)]
    if status.workers:
        rows = tuple((owner[:8], str(count)) for owner, count in status.workers.items())
        columns = (Column("Process"), Column("Vouchers in progress", numeric=True))
        sections.append(Table("Processes at work", columns, rows))
    if status.noted:
        sections.append(_attention_table(status))
    return sections


def _warnings(status: MigrationStatus) -> list[Text]:
    sentences = [
        f"{sentence}: {_vouchers(total.count)}, {join_amounts(total.money)}."
        for state, sentence in _ATTENTION
        if (total := status.vouchers.get(state)) is not None and total.count
    ]
    if status.left_behind:
        sentences.append(
            f"Left behind by a process that died, to be continued by a run: {_vouchers(status.left_behind)}."
        )
    links = (("Vouchers that need attention", _NOTED),) if status.noted else ()
    return [Text("This needs attention", tuple(sentences), warning=True, links=links)] if sentences else []


def _by_currency(status: MigrationStatus) -> Table:
    shown = [(name, states) for name, states in _GROUPS if _count(status, states) or name == "Moved"]
    whole = _money(status, list(RowState))
    return Table(
        "Value by currency",
        (Column("Currency"), Column("To carry", numeric=True), *(Column(name, numeric=True) for name, _ in shown)),
        tuple(
            (
                currency,
                f"{whole[currency].amount:f}",
                *(f"{_money(status, states).get(currency, Money.zero(currency)).amount:f}" for _, states in shown),
            )
            for currency in largest_first(whole)
        ),
        note="By the records of the runs. A verification and a certificate ask the vendors.",
    )


def _by_state(status: MigrationStatus) -> Table:
    return Table(
        "Vouchers by state",
        (Column("State"), Column("Vouchers", numeric=True), Column("Value")),
        tuple(
            (state.value.replace("-", " "), str(total.count), join_amounts(total.money))
            for state, total in status.vouchers.items()
        ),
    )


def _attention_table(status: MigrationStatus) -> Table:
    columns = (
        Column("Number", numeric=True),
        Column("Voucher"),
        Column("Code"),
        Column("Value", numeric=True),
        Column("State"),
        Column("Reason"),
    )
    rows = tuple(
        (
            str(voucher.number),
            voucher.source_id,
            voucher.code or "",
            str(voucher.value),
            voucher.state.value.replace("-", " "),
            set_gaps_in_sentence(voucher.reason),
        )
        for voucher in status.noted
    )
    note = f"The first {MOST_NOTED}." if len(rows) == MOST_NOTED else ""
    return Table("Vouchers that need attention", columns, rows, note=note, anchor=_NOTED)


def _count(status: MigrationStatus, states: Sequence[RowState]) -> int:
    return sum(status.count(state) for state in states)


def _money(status: MigrationStatus, states: Sequence[RowState]) -> dict[str, Money]:
    sums: dict[str, Money] = {}
    for state in states:
        total = status.vouchers.get(state)
        for currency, money in ({} if total is None else total.money).items():
            sums[currency] = sums.get(currency, Money.zero(currency)) + money
    return sums


def _vouchers(count: int) -> str:
    return "1 voucher" if count == 1 else f"{count} vouchers"
