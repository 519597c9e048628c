"""Decides the operations of a plan whose outcome stays unknown."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from voucher_gateway.gateway.gateway import Gateway
from voucher_gateway.journal.moves import move_reference
from voucher_gateway.journal.records import UNRESOLVED, OperationKey
from voucher_gateway.migration.plan.plan_file import Plan, open_plan
from voucher_gateway.migration.run.context import journal_of
from voucher_gateway.migration.run.state import MigrationState

if TYPE_CHECKING:
    from voucher_gateway.execution.recovery import Resolution


def decide_unknown_operations(gateway: Gateway, plan: Path | Plan, *, by: str, reason: str) -> list[Resolution]:
    """Look at each operation of a plan whose outcome is unknown. Decide that those which stay so did not happen.

    An operation that a look-up resolves keeps what the vendor shows. Afterwards run the plan again.

    Args:
        gateway: has both accounts and the journal.
        plan: the file of the plan, or the open plan.
        by: the name of the person who decides.
        reason: how that person knows that none of them happened.

    Returns:
        what is known of each operation now.

    Raises:
        ConfigurationError: without a journal, or it is not the journal of the plan.
        InvalidRequest: if a name or reason is missing.
    """
    with open_plan(plan) as opened:
        summary = opened.summary
    MigrationState.of(gateway, summary)  # checks that it is the journal of the plan
    prefix = move_reference(summary.id, "")
    accounts = (summary.header.source.account, summary.header.target.account)
    keys = [
        record.key
        for account in accounts
        for record in journal_of(gateway).iterate_operations(states=UNRESOLVED, account=account)
        if record.key.reference.startswith(prefix)
    ]
    return [_look_and_decide(gateway, key, by=by, reason=reason) for key in keys]


def _look_and_decide(gateway: Gateway, key: OperationKey, *, by: str, reason: str) -> Resolution:
    looked_up = gateway.resolve(key)
    if not looked_up.state.is_unresolved:
        return looked_up
    return gateway.decide(key, succeeded=False, by=by, reason=reason)
