"""The losses and the risks of a migration, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from voucher_gateway.capabilities import Capabilities, Expiry
from voucher_gateway.errors import InvalidRequest

if TYPE_CHECKING:
    from voucher_gateway.migration.plan.model import PlanHeader
    from voucher_gateway.migration.plan.totals import Tally, Totals


LOSSES: Final[Mapping[str, str]] = {
    "batch": "The target does not store the batch, or only a shorter text.",
    "code": "The voucher gets another code, and its owner has to be informed.",
    "end": "The voucher ends at the source. The target has no end of validity, so it never ends there.",
    "expiry": "The target counts validity in whole days from activation: the voucher ends later than at the source.",
    "initial": "The initial value at the target is the remaining value at the source.",
    "medium": "The target does not distinguish digital and printed vouchers.",
    "metadata": "The target does not store the metadata, or it is not JSON.",
    "no-end": "The voucher never ends at the source, and the target may choose an end of validity.",
    "order": "The target does not store the order number, or only a shorter text.",
    "pin": "The voucher can be spent without its PIN at the target.",
    "sku": "The target does not store the article number, or only a shorter text.",
    "status": "The voucher is inactive at the source, and can be spent immediately at the target.",
    "tax": "The target does not store the tax flag or the tax rate.",
    "validity": "The validity that activation starts, or has started at an unknown time, is lost.",
}
"""The losses, each with a sentence for people. A voucher with a loss is refused unless the policy accepts the loss."""

REPORTED: Final = frozenset({"code", "expiry", "initial"})
"""The losses that a policy need not accept by name. A later end is to the benefit of the customer. The other two have
their own keys in the policy (``code_taken``, ``code_unfit``, ``partly_used``)."""


RISKS: Final[Mapping[str, str]] = {
    "spendable-twice": "For a while a voucher can be spent at the source and at the target.",
    "inconsistent-listing": "The source changed while it was listed: vouchers may be missing from the plan.",
    "validity-restarts": (
        "The source counts the validity of a voucher from the beginning when it is activated again. After a rollback,"
        " or if its move ends in a change or a refusal, the voucher ends later."
    ),
    "spoiled-codes": "Codes of the file look as if a spreadsheet had changed them: their cards would not work.",
}
"""The risks, each with a sentence for people."""


def require_accepted_risks(header: PlanHeader, totals: Totals, *accepted: str) -> None:
    """Check that all risks of a plan are accepted.

    Args:
        header: the header of the plan.
        totals: the totals of the plan.
        *accepted: names of risks that are accepted now, besides those that the policy of the plan accepts.

    Raises:
        InvalidRequest: if one is not accepted. Its field is ``accept``.
    """
    if risks := find_unaccepted_risks(header, totals, *accepted):
        sentences = " ".join(f"{name}: {sentence}" for name, sentence in risks.items())
        raise InvalidRequest(
            f"the plan has risks that are not accepted: {sentences}", field="accept", rule="the name of each risk"
        )


def find_unaccepted_risks(header: PlanHeader, totals: Totals, *accepted: str) -> dict[str, str]:
    """Return the risks of a plan that are not accepted, each with a sentence that says how large it is.

    Args:
        header: the header of the plan.
        totals: the totals of the plan.
        *accepted: names of risks that are accepted now, besides those that the policy of the plan accepts.
    """
    risks = {}
    if totals.double_spendable:
        amounts = ", ".join(str(money) for money in totals.double_spendable.values())
        how_long = "permanently" if header.copy else "at any moment"
        risks["spendable-twice"] = f"{RISKS['spendable-twice']} At most {amounts} {how_long}."
    if totals.listing.consistent is False:
        problems = "; ".join(totals.listing.problems)
        risks["inconsistent-listing"] = f"{RISKS['inconsistent-listing']} The problems: {problems}."
    if totals.validity_restarts.count:
        risks["validity-restarts"] = f"{RISKS['validity-restarts']} At most {_tally_text(totals.validity_restarts)}."
    if totals.spoiled_codes:
        codes = "; ".join(f"{count} {kind}" for kind, count in totals.spoiled_codes.items())
        risks["spoiled-codes"] = f"{RISKS['spoiled-codes']} They are: {codes}."
    return {name: sentence for name, sentence in risks.items() if name not in header.accepted and name not in accepted}


def _tally_text(tally: Tally) -> str:
    vouchers = "1 voucher" if tally.count == 1 else f"{tally.count} vouchers"
    return f"{vouchers} with {', '.join(str(money) for money in tally.money.values()) or 'no value'}"


_FIELDS: Final = {
    "batch": "batch",
    "medium": "medium",
    "metadata": "metadata",
    "order": "order",
    "pin": "pin",
    "sku": "sku",
    "tax_rate": "tax",
    "taxable": "tax",
}
"""The fields of a voucher, and the name of the loss if only the source stores the field."""


def possible_losses(source: Capabilities, target: Capabilities) -> tuple[str, ...]:
    """Return the names of the losses, as in `LOSSES`, that are possible between two accounts; sorted.

    Other losses are found only when each voucher is read: texts that are too long for the target, codes that it already
    has, and data that cannot be read.
    """
    losses = {
        loss for field, loss in _FIELDS.items() if field in source.stored_fields and field not in target.stored_fields
    }
    if not target.codes.choosable or not target.codes.allows_all_of(source.codes):
        losses.add("code")
    if target.expiry is Expiry.NONE:
        losses.add("end")
    elif not target.expiry.takes_instants:
        losses |= {"expiry", "no-end"}
    if source.expiry.takes_lengths and not target.expiry.takes_lengths:
        losses.add("validity")
    if source.can_issue_inactive and not (target.can_issue_inactive or "active" in target.stored_fields):
        losses.add("status")
    return tuple(sorted({*losses, "initial"}))
