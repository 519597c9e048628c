"""A plan for people: its sentences and its tables, the same on the terminal and on the page."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

import attrs

from voucher_gateway.listing.page import ListingReport
from voucher_gateway.migration.plan.estimate import AccountLoad
from voucher_gateway.migration.plan.model import Action, PlanHeader, Step
from voucher_gateway.migration.plan.plan_file import PlanSummary
from voucher_gateway.migration.plan.policy import Retire
from voucher_gateway.migration.plan.totals import Tally, Totals
from voucher_gateway.money import Money

_STEPS: Final[Mapping[Step, str]] = {
    Step.FREEZE: "freeze at the source",
    Step.REREAD: "read again",
    Step.CREATE: "create at the target",
    Step.CONFIRM: "read back at the target",
    Step.RETIRE: "retire at the source",
    Step.ACTIVATE: "activate at the target",
}
_RETIRED: Final[Mapping[Retire, str]] = {
    Retire.KEEP_FROZEN: "stays deactivated",
    Retire.EXPIRE: "is given an end in the past",
    Retire.EMPTY: "is emptied",
    Retire.DELETE: "is deleted",
    Retire.LEAVE: "stays as it is",
}


def steps_sentence(header: PlanHeader) -> str:
    """Return what is done with each voucher that is carried."""
    steps = ", ".join(_STEPS[step] for step in header.steps)
    return f"{steps[0].upper()}{steps[1:]}; the source voucher {_RETIRED[Retire(header.retire)]}."


def window_sentence(header: PlanHeader, totals: Totals) -> str:
    """Return how much money can be spent twice."""
    if not totals.double_spendable:
        return "At no moment can a voucher be spent at both ends."
    amounts = amounts_of(totals.double_spendable)
    if header.copy:
        return f"The source stays as it is, so {amounts} can be spent twice, for good."
    return (
        f"Between two steps a voucher can be spent at both ends. With {header.workers} under way at a time that is"
        f" {amounts} at any moment, at most."
    )


def drift_sentence(totals: Totals) -> str:
    """Return how much later vouchers end at the target."""
    if not totals.longest_drift:
        return "No voucher ends later than before."
    # Absolute ends are only rounded; lengths of time begin when the target activates.
    later = ", and later still by the time that passes until they are activated" if "expiry" in totals.losses else ""
    return f"Vouchers end up to {length_of(totals.longest_drift)} later than before{later}; none ends earlier."


def listing_sentences(report: ListingReport) -> list[str]:
    """Return whether all vouchers of the source were listed."""
    seen = "1 listed voucher" if report.seen == 1 else f"{report.seen} listed vouchers"
    if report.consistent:
        return [f"{seen}, as many as the vendor counts, and nothing moved meanwhile."]
    if report.consistent is None:
        return [f"{seen}; the vendor gives no total by which one could tell whether that is all."]
    return [f"{seen}, but the list changed while it was read, so that vouchers may be missing:", *report.problems]


def time_sentence(summary: PlanSummary, window: timedelta | None = None) -> str:
    """Return how long the run takes, and whether that fits a window."""
    estimate = summary.estimate
    costs = "; ".join(_cost(load) for load in (estimate.source, estimate.target))
    sentence = (
        f"About {length_of(estimate.likely)} with {estimate.workers} at a time, after {length_of(estimate.least)}"
    )
    sentence += f" ({costs}) at the very least."
    if window is None:
        return sentence
    fits = "fits into" if estimate.fits(window) else "does not fit into"
    return f"{sentence} That {fits} {length_of(window)}."


def _cost(load: AccountLoad) -> str:
    """Return the requests that each voucher needs at an account."""
    rate = "" if load.rate is None else f", at most {load.rate:g} a second"
    milliseconds = load.latency // timedelta(milliseconds=1)
    return f"{load.requests} requests a voucher at {load.account}, {milliseconds} ms each{rate}"


def amounts_of(money: Mapping[str, Money]) -> str:
    """Return amounts of several currencies; ``nothing`` for none."""
    return ", ".join(str(amount) for amount in money.values()) or "nothing"


def length_of(length: timedelta) -> str:
    """Return a length of time in its two largest units; whole seconds, rounded up."""
    seconds = -(-length // timedelta(seconds=1))
    parts = []
    for name, size in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count} {name}")
    return " ".join(parts[:2]) or "0 s"


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
