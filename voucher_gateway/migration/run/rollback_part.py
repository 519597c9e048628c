"""Rolls back a part of the vouchers of a plan, many at a time. Several processes can roll back a part each."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from voucher_gateway.errors import VoucherGatewayError
from voucher_gateway.instants import format_micros
from voucher_gateway.migration.run.context import MigrationContext
from voucher_gateway.migration.run.process_run import TICK_S, ResultLog, RunEnd
from voucher_gateway.migration.run.progress import log, log_result
from voucher_gateway.migration.run.row_rollback import RowRollback
from voucher_gateway.migration.run.rows import MoveResult, VoucherRow
from voucher_gateway.migration.run.state import MigrationState
from voucher_gateway.migration.schema import RowState, vouchers

_BATCH: Final = 64
_TO_UNDO: Final = (RowState.MOVED, RowState.KEPT, RowState.IN_DOUBT, RowState.PLANNED, RowState.WORKING)
_NOT_UNDONE: Final = (RowState.KEPT, RowState.IN_DOUBT)
"""The states of a voucher after a rollback that could not undo its move."""


class RollbackPart:
    """The vouchers of a plan whose numbers leave a certain rest, and their rollback.

    Vouchers that were never claimed do not belong to it: nothing is to be undone.

    Args:
        context: what all moves of the plan share. Its event stops the rollback.
        state: the state of the plan.
        rest: the rest of the division of their numbers by `parts`.
        parts: the number of parts.
        only: the state of the vouchers; None for all states that can be undone.
        untried_since: leave out vouchers that could not be undone after this moment; None for none.
        until: no further voucher is tried after this time, by ``time.monotonic``; None for no end.
    """

    def __init__(
        self,
        context: MigrationContext,
        state: MigrationState,
        *,
        rest: int = 0,
        parts: int = 1,
        only: RowState | None = None,
        untried_since: datetime | None = None,
        until: float | None = None,
    ) -> None:
        self._context = context
        self._state = state
        self._rest = rest
        self._parts = parts
        self._only = only
        self._untried_since = untried_since
        self._until = until
        self._failures = 0
        self._error: VoucherGatewayError | None = None
        self._gave_up = False

    def since(self, moment: datetime) -> RollbackPart:
        """Return the same part without the vouchers that could not be undone after a moment."""
        return RollbackPart(
            self._context, self._state, rest=self._rest, parts=self._parts, only=self._only, untried_since=moment
        )

    def count(self) -> int:
        """Return the number of its vouchers."""
        with self._state.database.read() as connection:
            return connection.scalar(sa.select(sa.func.count()).select_from(vouchers).where(*self._conditions())) or 0

    def run(self, result_log: ResultLog, on_tick: Callable[[], None] | None = None) -> RunEnd:
        """Bring its vouchers back to the source.

        Args:
            result_log: is called with all results.
            on_tick: is called a few times a second, on this thread.
        """
        results: list[MoveResult] = []
        tick_at = 0.0
        for result, claimed in self._context.ordered_map(self._undo, self._rows()):
            log_result(self._state.plan_id, result)
            self._note_error(result)
            if not claimed:
                result_log.announce([result])
                result_log.confirm()
            else:
                results.append(result)
            if len(results) >= _BATCH or time.monotonic() >= tick_at:
                tick_at = time.monotonic() + TICK_S
                self._write(results, result_log)
                results = []
                if on_tick is not None:
                    on_tick()
        self._write(results, result_log)
        return RunEnd(stopped="error" if self._gave_up else None, error=self._error)

    def _write(self, results: list[MoveResult], result_log: ResultLog) -> None:
        if results:
            result_log.announce(results)
            self._state.finish(results)
            result_log.confirm()

    def _note_error(self, result: MoveResult) -> None:
        if not isinstance(result.error, VoucherGatewayError):
            self._failures = 0
            return
        self._failures += 1
        self._error = self._error or result.error
        if self._failures >= 2 * self._context.header.workers and not self._gave_up:
            self._gave_up = True  # the other vouchers would fail as well
            log.error("plan %s: the rollback stops after %s", self._state.plan_id[:12], type(result.error).__name__)

    def _conditions(self) -> list[sa.ColumnElement[bool]]:
        states = _TO_UNDO if self._only is None else (self._only,)
        conditions: list[sa.ColumnElement[bool]] = [
            vouchers.c.plan_id == self._state.plan_id,
            sa.or_(*(vouchers.c.state == row_state.value for row_state in states)),
            sa.or_(vouchers.c.attempts > 0, vouchers.c.state != RowState.PLANNED.value),
        ]
        if self._parts > 1:
            conditions.append(vouchers.c.number % self._parts == self._rest)
        if self._untried_since is not None:
            # The begin of an undo is written, too: what a dead process has begun is not finished.
            conditions.append(
                sa.or_(
                    vouchers.c.updated_at < format_micros(self._untried_since),
                    sa.and_(*(vouchers.c.state != row_state.value for row_state in _NOT_UNDONE)),
                )
            )
        return conditions

    def _rows(self) -> Iterator[VoucherRow]:
        query: sa.Select[Any] = sa.select(vouchers).where(*self._conditions())
        for row in self._state.database.iterate_rows(query, vouchers.c.number):
            late = self._until is not None and time.monotonic() >= self._until
            if late or self._gave_up or self._context.stop.is_set():
                return
            yield VoucherRow.from_row(row)

    def _undo(self, row: VoucherRow) -> tuple[MoveResult, bool]:
        """Undo the move of one voucher. Return the result, and whether this process may write it."""
        if row.state is RowState.WORKING or not self._state.claim_for_undo(row):
            reason = "another process is moving it; call the rollback again"
            return MoveResult(row=row, state=RowState.WORKING, reason=reason), False
        return RowRollback(self._context, self._state, row).run(), True
