"""What vouchers can lose between two accounts, as far as their capabilities tell before any voucher is read."""

from __future__ import annotations

from typing import Final

from voucher_gateway.capabilities import Capabilities, Expiry

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
"""The fields of a voucher, and the loss that it is if the target does not keep one that the source has."""


def possible_losses(source: Capabilities, target: Capabilities) -> tuple[str, ...]:
    """Return the names of what vouchers can lose, as in `LOSSES`, sorted.

    Texts that are too long for the target, codes that are taken there, and what of the source's own shape cannot be
    read can only be seen voucher by voucher.
    """
    losses = {
        loss for field, loss in _FIELDS.items() if field in source.stored_fields and field not in target.stored_fields
    }
    if not target.codes.choosable or _narrower(source, target):
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


def _narrower(source: Capabilities, target: Capabilities) -> bool:
    """Whether the source can have codes that the target does not take."""
    ours, theirs = source.codes, target.codes
    shorter = theirs.max_length is not None and (ours.max_length is None or ours.max_length > theirs.max_length)
    return theirs.min_length > ours.min_length or shorter or not set(theirs.forbidden) <= set(ours.forbidden)
