"""The totals of a plan as tables, for the terminal and for the page alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import attrs

from voucher_gateway.migration.plan.model import Action
from voucher_gateway.migration.plan.totals import Tally, Totals

ACTION_RESULTS: Final[Mapping[Action, str]] = {
    Action.CARRY: "carried",
    Action.SKIP: "skipped",
    Action.REFUSE: "refused",
}
"""The word for a voucher after each action."""


@attrs.frozen
class TallyTable:
    """A table whose rows are a name, a number of vouchers and their money.

    Attributes:
        title: the caption.
        heading: the heading of the column of names.
        rows: the names and tallies; names without a voucher are left out.
        note: a sentence below the table.
    """

    title: str
    heading: str
    rows: tuple[tuple[str, Tally], ...]
    note: str = ""


def plan_tables(totals: Totals) -> list[TallyTable]:
    """Return the tables of a plan, without those that have no rows."""
    tables = (action_table(totals), kind_table(totals), reason_table(totals), loss_table(totals))
    return [table for table in tables if table.rows]


def action_table(totals: Totals) -> TallyTable:
    """Return how many vouchers are carried, skipped and refused."""
    rows = tuple((ACTION_RESULTS[action], totals.of(action)) for action in Action if totals.of(action).count)
    return TallyTable("What becomes of the vouchers", "becomes", rows)


def kind_table(totals: Totals) -> TallyTable:
    """Return how many vouchers of each kind are carried, skipped and refused."""
    rows = tuple((_kind_name(name), tally) for name, tally in totals.by_kind_and_action.items())
    return TallyTable("Vouchers by what they are", "kind, and what becomes of it", rows)


def reason_table(totals: Totals) -> TallyTable:
    """Return the reasons why vouchers are skipped or refused."""
    note = "A voucher can be refused for several reasons, and is then counted with each of them."
    return TallyTable("Why vouchers stay", "why they stay", tuple(totals.reasons.items()), note)


def loss_table(totals: Totals) -> TallyTable:
    """Return what the carried vouchers lose, by the name of the loss."""
    note = "Of the vouchers that are carried; one can lose several things, and is then counted with each of them."
    return TallyTable("What is lost or changed", "what is lost or changed", tuple(totals.losses.items()), note)


def _kind_name(name: str) -> str:
    kind, _, action = name.partition("/")
    return f"{kind.replace('-', ' ')}: {ACTION_RESULTS[Action(action)]}"
