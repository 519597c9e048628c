"""Recognises a plan whose operations a prune has removed from the journal."""

from __future__ import annotations

import sqlalchemy as sa

from voucher_gateway.capabilities import Operation
from voucher_gateway.errors import InvalidRequest
from voucher_gateway.journal.moves import move_reference
from voucher_gateway.journal.schema import operations
from voucher_gateway.migration.run.context import CREATE, MigrationContext
from voucher_gateway.migration.schema import vouchers


def require_not_pruned(context: MigrationContext, sentence: str) -> None:
    """Check that no prune has removed the operations by which a plan has issued vouchers.

    The time of the last run does not tell it: a plan can be run again after the prune, and then moves nothing.

    Args:
        context: what all moves of the plan share.
        sentence: what cannot be done without these operations, without a full stop.

    Raises:
        InvalidRequest: if a prune has removed some of them.
    """
    before = context.journal.pruned.before()
    if before is None:
        return
    prefix = sa.literal(move_reference(context.plan_id, ""))
    number, generation = (sa.cast(column, sa.String) for column in (vouchers.c.number, vouchers.c.generation))
    issue = sa.exists().where(
        operations.c.reference == prefix + number + "." + generation + f"-{CREATE}",
        operations.c.account == context.target,
        operations.c.verb == Operation.ISSUE.value,
    )
    query = sa.select(vouchers.c.number).where(
        vouchers.c.plan_id == context.plan_id, vouchers.c.target_id.is_not(None), ~issue
    )
    with context.journal.database.read() as connection:
        lacking = connection.scalar(query.limit(1))
    if lacking is not None:
        raise InvalidRequest(
            f"operations of this plan, which ended before {before:%Y-%m-%d}, were removed from the journal by a prune:"
            f" {sentence}",
            field="plan",
            rule="a plan whose operations are in the journal",
        )
