"""What was used of a voucher since it was moved, by records that are not the migration's."""

from __future__ import annotations

import sqlalchemy as sa

from voucher_gateway.capabilities import Operation
from voucher_gateway.errors.root import VoucherGatewayError
from voucher_gateway.journal.records import OperationState
from voucher_gateway.migration.run.context import MigrationContext
from voucher_gateway.models.voucher import MovementKind
from voucher_gateway.money import Money
from voucher_gateway.storage.schema import operations

_TAKES = (Operation.REDEEM.value, Operation.CAPTURE.value)
_GIVES = (Operation.REFUND.value, Operation.TOP_UP.value)


def usage_is_explained(journey: MigrationContext, target_id: str, used: Money) -> bool:
    """Whether the vendor's history of a voucher, or else our journal, tells exactly of what was used.

    Args:
        journey: the plan's.
        target_id: the voucher.
        used: what is on it now less what was issued: negative where it was spent.
    """
    return _by_history(journey, target_id, used.currency) == used or _by_journal(journey, target_id, used) == used


def _by_history(journey: MigrationContext, target_id: str, currency: str) -> Money | None:
    if not journey.target_can.of(Operation.HISTORY).available:
        return None
    try:
        history = journey.retry_while_safe(lambda: journey.gateway.history(journey.target, target_id))
    except VoucherGatewayError:
        return None
    if not history.complete or any(movement.kind is MovementKind.UNKNOWN for movement in history):
        return None
    total = Money.zero(currency)
    for entry in history:
        total = total - entry.money if entry.kind is MovementKind.REDEMPTION else total + entry.money
    return total


def _by_journal(journey: MigrationContext, target_id: str, used: Money) -> Money:
    """Add up our own operations: some vendors keep no history of what we overwrite."""
    query = sa.select(operations.c.verb, operations.c.amount, operations.c.currency).where(
        operations.c.account == journey.target,
        operations.c.voucher_id == target_id,
        operations.c.state == OperationState.SUCCEEDED.value,
        operations.c.verb.in_([*_TAKES, *_GIVES]),
    )
    total = Money.zero(used.currency)
    with journey.journal.database.read() as connection:
        for row in connection.execute(query):
            money = Money(row.amount, row.currency)
            total = total - money if row.verb in _TAKES else total + money
    return total
