"""How far a migration is, for people: what stands where, in money, and who works on it now."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import attrs

from voucher_gateway.gateway.gateway import Gateway
from voucher_gateway.migration.run.progress import MOST_NOTED
from voucher_gateway.migration.run.rows import PlanState, ReportedVoucher, RowState
from voucher_gateway.migration.run.runner import state_of
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
        state: where the migration stands; None if it was never begun.
        vouchers: by where they stand.
        workers: by the name of each process that works on it now, how many vouchers it has claimed.
        left_behind: how many vouchers processes had claimed that are dead now; the next run takes them up.
        noted: those that are in doubt, changed, refused or kept, `MOST_NOTED` at most, with the reason.
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
        """Return how many vouchers stand there."""
        total = self.vouchers.get(state)
        return 0 if total is None else total.count


def status_of(gateway: Gateway, plan: Path) -> MigrationStatus:
    """Return how far a plan is. Nothing is read at a vendor.

    Raises:
        ConfigurationError: if the plan was changed, or there is no journal.
    """
    summary, state = state_of(gateway, plan)
    vouchers: dict[RowState, StateTotal] = {}
    for (number, currency), (count, money) in state.counts().items():
        before = vouchers.get(number, StateTotal(count=0, money={}))
        vouchers[number] = StateTotal(count=before.count + count, money={**before.money, currency: money})
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
