"""Tells whether the records of the target, or those of the journal, explain what was used since the move."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from voucher_gateway.capabilities import Operation, Support
from voucher_gateway.errors import VoucherGatewayError
from voucher_gateway.migration.run.context import MigrationContext
from voucher_gateway.models.results import History
from voucher_gateway.money import Money

_LONGEST_TAG: Final = 24
"""What follows the order in a reference at a vendor has at most this length, in characters."""


def usage_is_explained(
    context: MigrationContext, target_id: str, *, issued: Money, initial: Money, left: Money
) -> bool:
    """Return whether the history of the vendor, or otherwise the journal, explains exactly what was used.

    Args:
        context: what all moves of the plan share.
        target_id: the id of the voucher at the target.
        issued: the value that was issued.
        initial: the initial value that the target shows now.
        left: the value that is left.
    """
    used = left - issued
    by_history = _by_history(context, target_id, used.currency)
    by_journal = _by_journal(context, target_id, used)
    # If a value is overwritten, the initial value is overwritten as well, and the vendor has no record of that.
    if initial in (issued, left) and used in (by_history, by_journal):
        return True
    return by_history == left - initial and by_journal == initial - issued


def was_emptied_by_owner(context: MigrationContext, source_id: str) -> bool:
    """Return whether the history of the source proves that the plan has taken nothing from a voucher without value.

    Args:
        context: what all moves of the plan share.
        source_id: the id of the voucher at the source.
    """
    can = context.source_can
    by_reference = can.of(Operation.REDEEM).support is Support.NATIVE and Operation.REDEEM in can.resolvable
    if not by_reference or can.max_reference_length < len(context.order) + _LONGEST_TAG:
        return False  # the redemptions of the plan are not recognised by their references
    history = _history(context, context.source, source_id)
    if history is None or not history.complete:
        return False
    return not any((movement.reference or "").startswith(context.order) for movement in history)


def _history(context: MigrationContext, account: str, voucher_id: str) -> History | None:
    """Return the history of a voucher; None if the account has none, or it cannot be read."""
    can = context.source_can if account == context.source else context.target_can
    if not can.of(Operation.HISTORY).available:
        return None
    try:
        return context.retry_while_safe(context.gateway.history, account, voucher_id)
    except VoucherGatewayError:
        return None


def _by_history(context: MigrationContext, target_id: str, currency: str) -> Money | None:
    history = _history(context, context.target, target_id)
    if history is None:
        return None
    changes = [movement.change for movement in history if not movement.kind.opens]
    known = [change for change in changes if change is not None]
    currencies = {movement.money.currency for movement in history if movement.money is not None}
    if not history.complete or len(known) < len(changes) or currencies - {currency}:
        return None
    return Money(sum(known, Decimal(0)), currency)


def _by_journal(context: MigrationContext, target_id: str, used: Money) -> Money:
    """Return the sum of the operations of the journal: some vendors have no history of overwritten values."""
    return context.journal.value_change(context.target, target_id, used.currency)
