"""A plan for people: its sentences and its tables, the same on the terminal and on the page."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from typing import Final

import attrs

from voucher_gateway.html.document import set_digit_gaps
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
    Retire.EXPIRE: "expires",
    Retire.EMPTY: "is emptied",
    Retire.DELETE: "is deleted",
    Retire.LEAVE: "stays as it is",
}


def move_sentences(header: PlanHeader, totals: Totals) -> tuple[str, ...]:
    """Return the steps of each carried voucher, and what they mean for its value and its end."""
    sentences = (
        steps_sentence(header),
        window_sentence(header, totals),
        drift_sentence(totals),
        restart_sentence(totals),
    )
    return tuple(filter(None, sentences))


def steps_sentence(header: PlanHeader) -> str:
    """Return the steps of each carried voucher."""
    steps = ", ".join(_STEPS[step] for step in header.steps)
    return f"{steps[0].upper()}{steps[1:]}; the source voucher {_RETIRED[Retire(header.retire)]}."


def window_sentence(header: PlanHeader, totals: Totals) -> str:
    """Return how much value can be spent twice."""
    if not totals.double_spendable:
        return "A voucher can never be spent at both accounts."
    amounts = join_amounts(totals.double_spendable)
    if header.copy:
        return f"The source is not changed, so {amounts} can be spent twice, permanently."
    return (
        f"Between two steps a voucher can be spent at both accounts. With {header.workers} vouchers at a time, that is"
        f" at most {amounts} at any moment."
    )


def drift_sentence(totals: Totals) -> str:
    """Return how much later vouchers end at the target."""
    if not totals.longest_drift:
        return "At the target no voucher ends later than before."
    # A date is only rounded. A length of time begins with the activation at the target.
    later = ", and later still by the time that passes until they are activated" if "expiry" in totals.losses else ""
    longest = length_of(totals.longest_drift)
    return f"At the target vouchers end up to {longest} later than before{later}; none ends earlier."


def restart_sentence(totals: Totals) -> str:
    """Return how many vouchers would end later after a return to the source; empty for none."""
    restarts = totals.validity_restarts
    if not restarts.count:
        return ""
    vouchers = "1 voucher" if restarts.count == 1 else f"{restarts.count} vouchers"
    return (
        "After a rollback or a change, the source counts validity from the beginning:"
        f" up to {vouchers} with {join_amounts(restarts.money)} would end later."
    )


def listing_sentences(report: ListingReport) -> list[str]:
    """Return whether all vouchers of the source were listed."""
    seen = "1 listed voucher" if report.seen == 1 else f"{report.seen} listed vouchers"
    if report.unreadable:
        seen += f" and {report.unreadable} that cannot be read"
    if report.consistent:
        return [f"{seen}, as many as the vendor counts, and the list did not change."]
    if report.consistent is None:
        return [f"{seen}; the vendor gives no total to compare with, so vouchers may be missing."]
    return [f"{seen}, but the list changed while it was read, so vouchers may be missing:", *report.problems]


def time_sentence(summary: PlanSummary, window: timedelta | None = None) -> str:
    """Return how long the run takes, and whether it fits into a window."""
    estimate = summary.estimate
    costs = [_cost(load) for load in (estimate.source, estimate.target)]
    if estimate.own:
        costs.append(f"{_milliseconds(estimate.own)} ms a voucher of our own work, which one process does one by one")
    sentence = f"About {length_of(estimate.likely)} with {estimate.workers} at a time; {length_of(estimate.least)}"
    sentence += f" at least ({'; '.join(costs)})."
    if window is None:
        return sentence
    fits = "fits into" if estimate.fits(window) else "does not fit into"
    return f"{sentence} That {fits} {length_of(window)}."


def _cost(load: AccountLoad) -> str:
    """Return the requests that each voucher needs at an account."""
    rate = "" if load.rate is None else f", at most {load.rate:g} a second"
    return f"{load.requests} requests a voucher at {load.account}, {_milliseconds(load.latency)} ms each{rate}"


def _milliseconds(length: timedelta) -> str:
    """Return a length of time in milliseconds; with one decimal if it is short."""
    milliseconds = length / timedelta(milliseconds=1)
    return f"{milliseconds:.0f}" if milliseconds >= 10 or not length else f"{milliseconds:.1f}"


def join_amounts(money: Mapping[str, Money]) -> str:
    """Return amounts for a sentence or a cell of a page, the largest first, with gaps between groups of digits."""
    return ", ".join(set_digit_gaps(str(money[currency])) for currency in largest_first(money)) or "nothing"


def largest_first(money: Mapping[str, Money]) -> list[str]:
    """Return the currencies of some money, the one with the largest number of whole units first."""
    return sorted(money, key=partial(_size, money))


def _size(money: Mapping[str, Money], currency: str) -> tuple[int, str]:
    return -int(abs(money[currency].amount)), currency


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
"""What a run has done with a voucher, in a word."""


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
    """Return the table of the vouchers by action."""
    rows = tuple((ACTION_RESULTS[action], totals.of(action)) for action in Action if totals.of(action).count)
    return TallyTable("Vouchers by action", "action", rows)


def kind_table(totals: Totals) -> TallyTable:
    """Return the table of the vouchers by kind and action."""
    rows = tuple((_kind_name(name), tally) for name, tally in totals.by_kind_and_action.items())
    return TallyTable("Vouchers by kind", "kind and action", rows)


def reason_table(totals: Totals) -> TallyTable:
    """Return the table of the reasons why vouchers are skipped or refused."""
    note = "A voucher with several reasons is counted with each of them."
    return TallyTable("Why vouchers stay", "why they stay", tuple(totals.reasons.items()), note)


def loss_table(totals: Totals) -> TallyTable:
    """Return the table of the losses of carried vouchers."""
    note = "Of the carried vouchers. A voucher with several losses is counted with each of them."
    return TallyTable("What is lost or changed", "what is lost or changed", tuple(totals.losses.items()), note)


def _kind_name(name: str) -> str:
    kind, _, action = name.partition("/")
    return f"{kind.replace('-', ' ')}: {ACTION_RESULTS[Action(action)]}"
