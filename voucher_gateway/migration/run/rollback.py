"""Undoing a migration as far as that can be done."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import attrs

from voucher_gateway.errors import ConcurrentModification, OutcomeUnknown, VoucherGatewayError
from voucher_gateway.gateway.gateway import Gateway
from voucher_gateway.migration.plan.plan_file import read_summary
from voucher_gateway.migration.run.context import MigrationContext
from voucher_gateway.migration.run.progress import OnProgress, RunCounter
from voucher_gateway.migration.run.rows import MoveResult, PlanState, ReportedVoucher, RowState, VoucherRow
from voucher_gateway.migration.run.state import MigrationState
from voucher_gateway.migration.run.undo import CannotUndo, Undo
from voucher_gateway.money import Money

_BATCH: Final = 64
_POLL_S: Final = 0.25
_LET_STOP_S: Final = 30.0
"""So long a rollback waits for those who move still."""


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
        trouble: an error for which vouchers could not be undone this time, and the next rollback may.
    """

    plan_id: str
    undone: int
    money: Mapping[str, Money] = attrs.field(hash=False)
    kept: tuple[ReportedVoucher, ...] = ()
    not_undone: int = 0
    in_doubt: int = 0
    remarks: tuple[ReportedVoucher, ...] = ()
    trouble: VoucherGatewayError | None = attrs.field(default=None, eq=False)


def rollback_plan(gateway: Gateway, plan: Path, *, on_progress: OnProgress | None = None) -> RollbackReport:
    """Bring what was moved back to the source, and say what could not be brought back and why.

    What was spent of at the target stays there. It can be broken off and called again: each step happens once.
    The plan is not run again afterwards.

    Raises:
        ConfigurationError: if the plan was changed, or belongs to other accounts.
    """
    summary = read_summary(plan)
    journey = MigrationContext(gateway, summary.id, summary.header)
    state = MigrationState(journey.journal.database, summary.id, summary.header)
    if state.plan_state() is None:
        return RollbackReport(plan_id=summary.id, undone=0, money={})
    with state.one_process("rollback", "another process is rolling this plan back"):
        return _roll_back(journey, state, on_progress)


def _roll_back(journey: MigrationContext, state: MigrationState, on_progress: OnProgress | None) -> RollbackReport:
    state.set_plan_state(
        PlanState.ROLLED_BACK, only_from=tuple(PlanState)
    )  # whoever moves still, on whatever machine, stops
    _let_stop(state)
    counts = state.counts()
    tally = RunCounter(sum(count for (number, _), (count, _) in counts.items() if number in _TO_UNDO), RowState.UNDONE)
    rollback = _Rollback(journey, state)
    waiting: list[MoveResult] = []
    trouble: VoucherGatewayError | None = None
    for ended, mine in journey.ordered_map(rollback.undo, _rows(state)):
        tally.add(ended)
        if isinstance(ended.trouble, VoucherGatewayError):
            trouble = trouble or ended.trouble
        if mine:
            waiting.append(ended)
        if len(waiting) >= _BATCH:
            state.finish(waiting)
            waiting = []
            if on_progress is not None:
                on_progress(tally.progress())
    state.finish(waiting)
    return _report(state, tally, trouble)


def _let_stop(state: MigrationState) -> None:
    """Wait a while for those who move still: what they are on cannot be brought back meanwhile."""
    patience = time.monotonic() + _LET_STOP_S
    state.free_dead()
    while state.owners() and time.monotonic() < patience:
        time.sleep(_POLL_S)
        state.free_dead()


_TO_UNDO = (RowState.MOVED, RowState.KEPT, RowState.IN_DOUBT, RowState.PLANNED, RowState.WORKING)


def _rows(state: MigrationState) -> Iterator[VoucherRow]:
    """Give what may have to be undone; what nobody has touched is left as it is."""
    for row in state.rows(*_TO_UNDO):
        if row.attempts or row.state is not RowState.PLANNED:
            yield row


def _report(state: MigrationState, tally: RunCounter, trouble: VoucherGatewayError | None) -> RollbackReport:
    kept = [voucher for voucher in tally.noted if voucher.state is not RowState.UNDONE]
    states: dict[RowState, int] = {}
    for (number, _), (count, _money) in state.counts().items():
        states[number] = states.get(number, 0) + count
    return RollbackReport(
        plan_id=state.plan_id,
        undone=tally.counts[RowState.UNDONE],
        money=tally.money_by_currency(),
        kept=tuple(kept),
        not_undone=sum(count for number, count in tally.counts.items() if number is not RowState.UNDONE),
        in_doubt=states.get(RowState.IN_DOUBT, 0),
        remarks=tuple(voucher for voucher in tally.noted if voucher.state is RowState.UNDONE),
        trouble=trouble,
    )


class _Rollback:
    """Brings vouchers back; shared by all threads."""

    def __init__(self, journey: MigrationContext, state: MigrationState) -> None:
        self._state = state
        self._way_back = Undo(journey)

    def undo(self, row: VoucherRow) -> tuple[MoveResult, bool]:
        """Undo the move of one voucher; say what came of it, and whether that is ours to write down."""
        if row.state is RowState.WORKING or not self._state.take(row):
            return MoveResult(
                row=row, state=RowState.WORKING, reason="a process is on it just now: roll back again"
            ), False
        return _Back(self._state, self._way_back, row).run(), True


class _Back:
    """The way back of one voucher."""

    def __init__(self, state: MigrationState, way_back: Undo, row: VoucherRow) -> None:
        self._state = state
        self._way_back = way_back
        self._row = row
        self._target_id = row.target_id
        self._begun = row.undo_target_state is RowState.UNDONE

    def run(self) -> MoveResult:
        """Undo it, and return what came of it."""
        row = self._row
        try:
            reason = self._undo()
        except CannotUndo as found:
            if not self._is_at_target():
                return self._stays(RowState.IN_DOUBT, str(found))
            self._begun = False
            return self._stays(RowState.KEPT, str(found))
        except (OutcomeUnknown, ConcurrentModification) as error:
            return self._stays(RowState.IN_DOUBT, error.message, error)
        except VoucherGatewayError as error:
            return self._stays(RowState.IN_DOUBT if self._begun else row.state, str(error), error)
        return MoveResult(row=row, state=RowState.UNDONE, target_id=self._target_id, reason=reason)

    def _is_at_target(self) -> bool:
        """Whether the voucher had moved, and nothing of it was brought back yet."""
        row = self._row
        moved = row.state in (RowState.MOVED, RowState.KEPT) or row.undo_target_state is RowState.UNDONE
        return moved and self._target_id is not None and not self._way_back.restoring(row)

    def _undo(self) -> str:
        """Undo it, and return what of that is worth telling."""
        row, way_back = self._row, self._way_back
        self._target_id = way_back.target_voucher_id(row)
        way_back.check_source(row)
        if self._target_id is not None:
            way_back.require_unspent(row, self._target_id)
        self._state.undoing(row, RowState.UNDONE, self._target_id, row.reason)
        self._begun = True
        if self._target_id is not None:
            way_back.withdraw_from_target(row, self._target_id)
        return way_back.restore_source(row)

    def _stays(self, state: RowState, reason: str, trouble: VoucherGatewayError | None = None) -> MoveResult:
        return MoveResult(
            row=self._row,
            state=state,
            target_id=self._target_id,
            reason=reason,
            drift_s=self._row.drift_s,
            ending=RowState.UNDONE if self._begun else None,
            trouble=trouble,
        )
