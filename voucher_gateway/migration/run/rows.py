"""The objects in the state of a migration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from voucher_gateway.migration.plan.model import PlannedVoucher
from voucher_gateway.migration.plan.voucher_text import read_voucher_text
from voucher_gateway.migration.schema import RowState
from voucher_gateway.money import Money


@attrs.frozen(kw_only=True)
class VoucherRow:
    """One voucher of a migration, as a worker claims it.

    Attributes:
        planned: the planned voucher.
        state: its state.
        attempts: how many times it was claimed, including this time.
        generation: how many times the move was started again after all steps had been undone.
        undo_target_state: its state after the undo, during an undo.
        target_id: its id at the target; None if that is not known.
        reason: why it is in this state.
        drift_s: how much later than planned it ends at the target, in seconds.
    """

    planned: PlannedVoucher
    state: RowState
    attempts: int
    generation: int
    undo_target_state: RowState | None = None
    target_id: str | None = None
    reason: str = ""
    drift_s: int | None = None

    @property
    def number(self) -> int:
        """Its number in the plan."""
        return self.planned.number

    @property
    def value(self) -> Money:
        """The value that is moved."""
        return value_of(self.planned)

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> VoucherRow:
        """Return the voucher of a row of the table."""
        return cls(
            planned=read_voucher_text(row["planned"]),
            state=RowState(row["state"]),
            attempts=row["attempts"],
            generation=row["generation"],
            undo_target_state=RowState(row["undo_target_state"]) if row["undo_target_state"] else None,
            target_id=row["target_id"],
            reason=row["reason"] or "",
            drift_s=row["drift_s"],
        )


@attrs.frozen(kw_only=True)
class MoveResult:
    """The result of the move of one voucher, or of the undo.

    Attributes:
        row: the voucher.
        state: its state now.
        target_id: its id at the target; None if that is not known.
        reason: why it was not moved, or a remark; may be empty.
        drift_s: how much later than planned it ends at the target, in seconds.
        undo_target_state: its state after the undo, if the undo could not be completed.
        restart: whether all steps were undone, and the move starts again.
        error: an error that may concern other vouchers as well, such as a refused login or a failed connection.
        elapsed_s: how long it took, in seconds; None if that was not measured.
        processor_s: how much processor time it took, in seconds; None if that was not measured.
    """

    row: VoucherRow
    state: RowState
    target_id: str | None = None
    reason: str = ""
    drift_s: int | None = None
    undo_target_state: RowState | None = None
    restart: bool = False
    error: BaseException | None = attrs.field(default=None, eq=False)
    elapsed_s: float | None = attrs.field(default=None, eq=False)
    processor_s: float | None = attrs.field(default=None, eq=False)

    @property
    def stays_at_source(self) -> bool:
        """Whether the voucher stays at the source."""
        return self.state in (RowState.CHANGED, RowState.REFUSED, RowState.UNDONE) or self.restart


@attrs.frozen(kw_only=True)
class ReportedVoucher:
    """A voucher with a reason to report, for people.

    Attributes:
        number: its number in the plan.
        source_id: its id at the source.
        code: its masked code.
        state: its state.
        value: its value.
        reason: why it is in this state.
    """

    number: int
    source_id: str
    code: str | None
    state: RowState
    value: Money
    reason: str

    @classmethod
    def of(cls, row: VoucherRow, state: RowState, reason: str) -> ReportedVoucher:
        """Return the report of a voucher."""
        planned = row.planned
        return cls(
            number=planned.number,
            source_id=planned.source_id,
            code=planned.code,
            state=state,
            value=row.value,
            reason=reason,
        )


def value_of(planned: PlannedVoucher) -> Money:
    """Return the value of a carried voucher at the target."""
    assert planned.destination is not None
    return planned.destination.value
