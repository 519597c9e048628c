"""The status of a migration: the vouchers and the money in each state, and the processes at work."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import attrs

from voucher_gateway.gateway.gateway import Gateway
from voucher_gateway.migration.plan.plan_file import Plan, open_plan
from voucher_gateway.migration.run.progress import MOST_NOTED
from voucher_gateway.migration.run.rows import PlanState, ReportedVoucher, RowState
from voucher_gateway.migration.run.state import MigrationState
from voucher_gateway.money import Money


@attrs.frozen(kw_only=True)
class StateTotal:
    """The vouchers in one state.

    Attributes:
        count: how many.
        money: their value, by currency.
    """

    count: int
    money: Mapping[str, Money] = attrs.field(hash=False)


@attrs.frozen(kw_only=True)
class MigrationStatus:
    """How far a migration is.

    Attributes:
        plan_id: the plan.
        source: the account that vouchers come from.
        target: the account that they go to.
        state: the state of the migration; None if it was never begun.
        vouchers: the vouchers in each state.
        workers: the number of vouchers that each process has claimed, by the name of the process.
        left_behind: the number of vouchers that dead processes had claimed. The next run continues with them.
        noted: the vouchers that are in doubt, changed, refused or kept, with the reason; at most `MOST_NOTED`.
    """

    plan_id: str
    source: str
    target: str
    state: PlanState | None
    vouchers: Mapping[RowState, StateTotal] = attrs.field(hash=False)
    workers: Mapping[str, int] = attrs.field(hash=False)
    left_behind: int
    noted: tuple[ReportedVoucher, ...] = ()

    def count(self, state: RowState) -> int:
        """Return the number of vouchers in a state."""
        total = self.vouchers.get(state)
        return 0 if total is None else total.count


def status_of(gateway: Gateway, plan: Path | Plan) -> MigrationStatus:
    """Return how far a plan is. No request is sent to a vendor.

    Raises:
        ConfigurationError: if the plan was changed, or there is no journal.
    """
    with open_plan(plan) as opened:
        summary = opened.summary
    state = MigrationState.of(gateway, summary)
    vouchers: dict[RowState, StateTotal] = {}
    for (row_state, currency), (count, money) in state.counts().items():
        before = vouchers.get(row_state, StateTotal(count=0, money={}))
        vouchers[row_state] = StateTotal(count=before.count + count, money={**before.money, currency: money})
    owners = state.owners()
    alive = {owner: count for owner, count in owners.items() if state.database.locks.alive(owner)}
    states = (RowState.IN_DOUBT, RowState.CHANGED, RowState.REFUSED, RowState.KEPT)
    return MigrationStatus(
        plan_id=summary.id,
        source=summary.header.source.account,
        target=summary.header.target.account,
        state=state.plan_state(),
        vouchers=vouchers,
        workers=alive,
        left_behind=sum(owners.values()) - sum(alive.values()),
        noted=tuple(state.reported_vouchers(*states, most=MOST_NOTED)),
    )
