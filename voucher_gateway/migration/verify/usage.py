"""Tells whether the records of the target, or those of the journal, explain what was used since the move."""

from __future__ import annotations

from decimal import Decimal

from voucher_gateway.capabilities import Operation
from voucher_gateway.errors import VoucherGatewayError
from voucher_gateway.migration.run.context import MigrationContext
from voucher_gateway.money import Money


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


def _by_history(context: MigrationContext, target_id: str, currency: str) -> Money | None:
    if not context.target_can.of(Operation.HISTORY).available:
        return None
    try:
        history = context.retry_while_safe(context.gateway.history, context.target, target_id)
    except VoucherGatewayError:
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
