"""What must be accepted by name before a plan is carried out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from voucher_gateway.migration.plan.model import PlanHeader
    from voucher_gateway.migration.plan.totals import Totals

RISKS: Final[Mapping[str, str]] = {
    "spendable-twice": "For a while a voucher can be spent at the source and at the target.",
    "inconsistent-listing": "The source changed while it was listed: vouchers may be missing from the plan.",
}
"""By name, each with a sentence for people."""


def find_unaccepted_risks(header: PlanHeader, totals: Totals, *sentences: str) -> dict[str, str]:
    """Return the risks of a plan that nobody accepted, each with a sentence that says how large it is.

    Args:
        header: the plan's.
        totals: the plan's.
        *sentences: names that are accepted now, beside those that the plan's policy accepts.
    """
    risks = {}
    if totals.double_spendable:
        amounts = ", ".join(str(money) for money in totals.double_spendable.values())
        how_long = "for good" if header.copy else "at any moment"
        risks["spendable-twice"] = f"{RISKS['spendable-twice']} At most {amounts} {how_long}."
    if totals.listing.consistent is False:
        problems = "; ".join(totals.listing.problems)
        risks["inconsistent-listing"] = f"{RISKS['inconsistent-listing']} What was noticed: {problems}."
    return {name: sentence for name, sentence in risks.items() if name not in header.accepted and name not in sentences}
