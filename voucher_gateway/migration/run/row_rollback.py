"""Rolls back the move of one voucher."""

from __future__ import annotations

from voucher_gateway.errors import ConcurrentModification, OutcomeUnknown, VoucherGatewayError
from voucher_gateway.migration.run.context import MigrationContext
from voucher_gateway.migration.run.record_check import CannotUndo
from voucher_gateway.migration.run.rows import MoveResult, VoucherRow
from voucher_gateway.migration.run.state import MigrationState
from voucher_gateway.migration.run.undo import Undo
from voucher_gateway.migration.schema import RowState


class RowRollback:
    """The rollback of one voucher by one worker."""

    def __init__(self, context: MigrationContext, state: MigrationState, row: VoucherRow) -> None:
        self._state = state
        self._undo = Undo(context)
        self._row = row
        self._target_id = row.target_id
        self._begun = row.undo_target_state is RowState.UNDONE

    def run(self) -> MoveResult:
        """Bring the voucher back and return the result."""
        row = self._row
        try:
            remark = self._run_steps()
        except CannotUndo as obstacle:
            if not self._is_at_target():
                return self._not_undone(RowState.IN_DOUBT, str(obstacle))
            self._begun = False
            return self._not_undone(RowState.KEPT, str(obstacle))
        except (OutcomeUnknown, ConcurrentModification) as error:
            return self._not_undone(RowState.IN_DOUBT, error.message, error)
        except VoucherGatewayError as error:
            return self._not_undone(RowState.IN_DOUBT if self._begun else row.state, str(error), error)
        return MoveResult(row=row, state=RowState.UNDONE, target_id=self._target_id, reason=remark)

    def _is_at_target(self) -> bool:
        """Return whether the voucher was moved, and no step has restored the source yet."""
        row = self._row
        moved = row.state in (RowState.MOVED, RowState.KEPT) or row.undo_target_state is RowState.UNDONE
        return moved and self._target_id is not None and not self._undo.may_have_restored_source(row)

    def _run_steps(self) -> str:
        """Undo all steps, and return a remark for the report; empty for none."""
        row, undo = self._row, self._undo
        self._target_id = undo.target_voucher_id(row)
        undo.check_source(row)
        if self._target_id is not None:
            undo.require_unspent(row, self._target_id)
        self._state.begin_undo(row, RowState.UNDONE, self._target_id, row.reason)
        self._begun = True
        if self._target_id is not None:
            undo.withdraw_from_target(row, self._target_id)
        return undo.restore_source(row)

    def _not_undone(self, state: RowState, reason: str, error: VoucherGatewayError | None = None) -> MoveResult:
        return MoveResult(
            row=self._row,
            state=state,
            target_id=self._target_id,
            reason=reason,
            drift_s=self._row.drift_s,
            undo_target_state=RowState.UNDONE if self._begun else None,
            error=error,
        )
