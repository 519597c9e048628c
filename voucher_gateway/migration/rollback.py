"""Undoing a migration as far as that can be done."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import attrs

from voucher_gateway.adapter import ConcurrentModification, Money, OutcomeUnknown, VoucherGatewayError
from voucher_gateway.gateway import Gateway
from voucher_gateway.migration.journey import Journey
from voucher_gateway.migration.plan_file import read_summary
from voucher_gateway.migration.progress import MOST_NOTED, Adding, OnProgress
from voucher_gateway.migration.records import Ended, Noted, PlanState, Row, RowState
from voucher_gateway.migration.sides import side_by_side
from voucher_gateway.migration.state import MigrationState
from voucher_gateway.migration.undoing import CannotUndo, WayBack

_BATCH: Final = 64


@attrs.frozen(kw_only=True)
class RollbackReport:
    """What a rollback did.

    Attributes:
        plan_id: the plan.
        undone: how many vouchers are at the source again.
        money: their value, by currency.
        kept: those that could not be undone, with the reason, `MOST_NOTED` at most.
        not_undone: how many those are.
        in_doubt: how many of them are in doubt; the next rollback looks again.
        remarks: of vouchers that were undone, but are not in every respect what they were.
    """

    plan_id: str
    undone: int
    money: Mapping[str, Money] = attrs.field(hash=False)
    kept: tuple[Noted, ...] = ()
    not_undone: int = 0
    in_doubt: int = 0
    remarks: tuple[Noted, ...] = ()


def rollback_plan(gateway: Gateway, plan: Path, *, on_progress: OnProgress | None = None) -> RollbackReport:
    """Bring what was moved back to the source, and say what could not be brought back and why.

    What was spent of at the target stays there. It can be broken off and called again: each step happens once.
    The plan is not run again afterwards.

    Raises:
        ConfigurationError: if the plan was changed, or belongs to other accounts.
    """
    summary = read_summary(plan)
    journey = Journey(gateway, summary.id, summary.header)
    state = MigrationState(journey.journal.database, summary.id, summary.header)
    if state.plan_state() is None:
        return RollbackReport(plan_id=summary.id, undone=0, money={})
    state.set_plan_state(PlanState.ROLLED_BACK)  # whoever moves still, on whatever machine, stops
    state.free_dead()
    counts = state.counts()
    tally = Adding(sum(count for (one, _), (count, _) in counts.items() if one in _TO_UNDO))
    one_back = _Rollback(journey, state)
    waiting: list[Ended] = []
    for ended in side_by_side(journey, one_back.undo, _rows(state)):
        tally.add(attrs.evolve(ended, state=RowState.MOVED) if ended.state is RowState.UNDONE else ended)
        waiting.append(ended)
        if len(waiting) >= _BATCH:
            state.finish(waiting)
            waiting = []
            if on_progress is not None:
                on_progress(tally.progress())
    state.finish(waiting)
    return _report(summary.id, state, tally)


_TO_UNDO = (RowState.MOVED, RowState.KEPT, RowState.IN_DOUBT, RowState.PLANNED, RowState.WORKING)


def _rows(state: MigrationState) -> Iterator[Row]:
    """Give what may have to be undone; what nobody has touched is left as it is."""
    for row in state.rows(*_TO_UNDO):
        if row.tries or row.state is not RowState.PLANNED:
            yield row


def _report(plan_id: str, state: MigrationState, tally: Adding) -> RollbackReport:
    kept = [one for one in tally.noted if one.state is not RowState.MOVED]
    states: dict[RowState, int] = {}
    for (one, _), (count, _money) in state.counts().items():
        states[one] = states.get(one, 0) + count
    return RollbackReport(
        plan_id=plan_id,
        undone=tally.counts[RowState.MOVED],
        money=tally.moved(),
        kept=tuple(kept),
        not_undone=sum(count for one, count in tally.counts.items() if one is not RowState.MOVED),
        in_doubt=states.get(RowState.IN_DOUBT, 0),
        remarks=tuple(one for one in tally.noted if one.state is RowState.MOVED)[:MOST_NOTED],
    )


class _Rollback:
    def __init__(self, journey: Journey, state: MigrationState) -> None:
        self._journey = journey
        self._state = state
        self._way_back = WayBack(journey)

    def undo(self, row: Row) -> Ended:
        """Undo the move of one voucher."""
        if row.state is RowState.WORKING:
            return self._ended(row, RowState.WORKING, "a process is moving it just now: roll back again")
        try:
            return self._undone(row)
        except CannotUndo as found:
            state = RowState.KEPT if row.state in (RowState.MOVED, RowState.KEPT) else RowState.IN_DOUBT
            return self._ended(row, state, str(found))
        except (OutcomeUnknown, ConcurrentModification) as error:
            return self._ended(row, RowState.IN_DOUBT, error.message)
        except VoucherGatewayError as error:
            return self._ended(row, row.state, str(error))

    def _undone(self, row: Row) -> Ended:
        target_id = self._way_back.made(row)
        self._way_back.check_source(row)
        if target_id is not None:
            self._way_back.check_unspent(row, target_id)
        self._state.undoing(row, RowState.UNDONE, target_id, row.reason)
        if target_id is not None:
            self._way_back.take_back(row, target_id)
        told = self._way_back.restore_source(row)
        return Ended(row=row, state=RowState.UNDONE, target_id=target_id, reason=told)

    def _ended(self, row: Row, state: RowState, reason: str) -> Ended:
        return Ended(
            row=row, state=state, target_id=row.target_id, reason=reason, drift_s=row.drift_s, ending=row.ending
        )
