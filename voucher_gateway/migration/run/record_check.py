"""Checks, before the move of a voucher is undone, that the journal may be believed about it.

An undo reads from the journal what the move has done. Two things make its records incomplete: a person decided that the
target did not issue the voucher, and it arrived after that; and the journal was restored from a backup that was made in
the middle of the move. Then nothing is undone: the voucher could be spendable at both accounts, or at none.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from voucher_gateway.capabilities import Operation
from voucher_gateway.errors import VoucherNotFound
from voucher_gateway.execution.decisions import person_who_decided_against
from voucher_gateway.execution.resolution import voucher_code
from voucher_gateway.journal.records import OperationRecord
from voucher_gateway.masking import Code
from voucher_gateway.migration.run.context import CREATE, FREEZE, MigrationContext, operation_of
from voucher_gateway.migration.run.rows import VoucherRow
from voucher_gateway.migration.schema import RowState
from voucher_gateway.models.voucher import Status, Voucher

_STOPPED: Final = frozenset({Status.INACTIVE, Status.PENDING, Status.DEACTIVATED, Status.EXPIRED})
"""A voucher at the target that has no value left was perhaps spent, so it is not among these."""


class CannotUndo(Exception):
    """A move cannot be undone. The text says why, for people."""


class RecordCheck:
    """Checks the records of the moves of a plan."""

    def __init__(self, context: MigrationContext) -> None:
        self._context = context

    def require_not_forgotten(self, row: VoucherRow) -> None:
        """Check that the journal was not restored from a backup since the move of a voucher began.

        A voucher whose move was complete in the backup is at the target, so its records are complete.

        Raises:
            CannotUndo: if it was.
        """
        if row.state in (RowState.MOVED, RowState.KEPT) and row.undo_target_state is None:
            return
        context = self._context
        restored_at = context.journal.restored_at()
        if restored_at is None:
            return
        steps = (
            (context.source, Operation.DEACTIVATE, FREEZE),
            (context.target, Operation.ISSUE, CREATE),
        )
        for account, verb, step in steps:
            record = context.entry(account, verb, row, step)
            if record is not None and record.created_at < restored_at:
                raise CannotUndo(
                    f"the journal was restored from a backup on {restored_at:%Y-%m-%d}, after this move began, and does"
                    " not know what was done since the backup. `migrate verify` says at which account the voucher is"
                )

    def require_not_issued(self, record: OperationRecord, code: Code | None) -> None:
        """Check that the target does not show a voucher although a person decided that it was not issued.

        Args:
            record: the operation that did not issue it, as the journal knows.
            code: the code that the voucher has at both accounts; None if it has another one, or it cannot be read.

        Raises:
            CannotUndo: if the target shows one that can be spent, or was.
        """
        context = self._context
        person = person_who_decided_against(context.journal, record)
        if person is None:
            return
        provider = context.gateway.provider(context.target)
        code = voucher_code(context.journal, record, provider, code)
        if code is None:
            return
        with suppress(VoucherNotFound):
            voucher = context.retry_while_safe(provider.find, code)
            if not self._is_stopped(voucher):
                raise CannotUndo(
                    f"{person} decided that it was not issued at {context.target}, which shows a voucher with its code:"
                    f" {voucher.id}. Correct that decision with this id; if it is not the voucher of this move, make it"
                    f" unspendable there. The {operation_of(record).removeprefix('the ')}"
                )

    def _is_stopped(self, voucher: Voucher) -> bool:
        until = voucher.valid_until
        ended = until is not None and until <= self._context.gateway.provider(self._context.target).vendor_now()
        return voucher.status in _STOPPED or ended
