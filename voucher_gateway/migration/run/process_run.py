"""The run of a plan in one process: claims vouchers, moves many of them at a time, and writes the results."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from queue import Empty, SimpleQueue
from typing import Final, Protocol

import attrs

from voucher_gateway.errors import (
    AccessDenied,
    AccountPaused,
    ConfigurationError,
    DatabaseUnavailable,
    MalformedResponse,
    VoucherGatewayError,
)
from voucher_gateway.limits.work_class import WorkClass, use_work_class
from voucher_gateway.migration.run.context import MigrationContext
from voucher_gateway.migration.run.mover import VoucherMover
from voucher_gateway.migration.run.progress import log, log_result
from voucher_gateway.migration.run.rows import MoveResult, VoucherRow
from voucher_gateway.migration.run.state import MigrationState
from voucher_gateway.migration.schema import PlanState, RowState
from voucher_gateway.request_hooks import use_rate_limiter

TICK_S: Final = 0.25
"""Results are written, a pause is noticed and progress is reported this often."""
_RESULT_BATCH: Final = 64
"""Results are also written as soon as there are this many. A crash that loses some is covered by the journal."""
_CLAIMS_PER_WORKER: Final = 4
"""Up to this many vouchers per worker are claimed, so that no worker waits for the database."""


_MOST_UNREADABLE: Final = 20
"""After so many vouchers in a row that cannot be read, the vendor is at fault, and not the vouchers."""


class ResultLog(Protocol):
    """Is called with results, before they are written and after."""

    def announce(self, results: Sequence[MoveResult]) -> None:
        """Keep results that are about to be written."""
        ...

    def confirm(self) -> None:
        """Count the results that were announced: they are written."""
        ...


@attrs.frozen(kw_only=True)
class RunEnd:
    """How the run of a process ended.

    Attributes:
        stopped: why it ended before the last voucher: ``paused``, ``rolled-back``, ``limit`` or ``error``.
        error: the error that stopped it, or else the first one because of which vouchers were put off.
    """

    stopped: str | None = None
    error: BaseException | None = None


@attrs.frozen(kw_only=True)
class RunTask:
    """What a process has to do.

    Attributes:
        began: when the run began. Vouchers that were tried since then are left to the next run.
        workers: how many vouchers are moved at a time.
        limit: the largest number of vouchers to claim; None for no limit.
        state: the state of the vouchers to claim. Vouchers in doubt are claimed only as they can be looked at.
        until: no voucher is claimed after this time, by ``time.monotonic``; None for no end.
    """

    began: datetime
    workers: int
    limit: int | None = None
    state: RowState = RowState.PLANNED
    until: float | None = None


class ProcessRun:
    """The run of a plan in this process.

    The thread of the caller coordinates: it alone claims vouchers, hands them to the workers and writes the results.
    The workers, the threads of a pool, only move vouchers.

    Args:
        context: what all moves of the plan share. Its event stops the run.
        state: the state of the plan.
        task: what is to be done.
        result_log: is called with all results.
    """

    def __init__(self, context: MigrationContext, state: MigrationState, task: RunTask, result_log: ResultLog) -> None:
        self._context = context
        self._state = state
        self._task = task
        self._log = result_log
        self._plan_name = state.plan_id[:12]
        self._rates = context.rates()
        self._stop: threading.Event = context.stop
        self._workers = task.workers
        self._claims_left = task.limit
        self._claim_at = 0.0
        self._moves: dict[Future[MoveResult | None], VoucherRow] = {}
        self._ended: SimpleQueue[Future[MoveResult | None]] = SimpleQueue()
        self._results: list[MoveResult] = []
        self._consecutive_failures = 0
        self._stopped: str | None = None
        self._error: BaseException | None = None
        self._deferred_error: BaseException | None = None

    def run(self, on_tick: Callable[[], None] | None = None) -> RunEnd:
        """Move vouchers until none is left or the run is stopped.

        Args:
            on_tick: is called a few times a second, on this thread.
        """
        try:
            with ThreadPoolExecutor(self._workers, thread_name_prefix="migration") as pool:
                try:
                    self._coordinate(pool, on_tick)
                except BaseException:
                    self._stop.set()  # after Ctrl-C no move begins, and the pool waits for the moves that have begun
                    raise
        finally:
            self._collect_results()
            if self._results:
                self._write(self._results)
            under_way = {row.number for row in self._moves.values()}  # empty, unless Ctrl-C was pressed twice
            self._state.release([row for row in self._state.claimed.values() if row.number not in under_way])
        error = self._error or self._deferred_error  # too few deferred errors to stop the run
        return RunEnd(stopped="error" if self._error is not None else self._stopped, error=error)

    def _coordinate(self, pool: ThreadPoolExecutor, on_tick: Callable[[], None] | None) -> None:
        tick_at = 0.0
        while self._start_moves(pool):
            self._wait_for_move()
            self._collect_results()
            if len(self._results) >= _RESULT_BATCH or time.monotonic() >= tick_at:
                tick_at = time.monotonic() + TICK_S
                self._write_results()
                self._check_for_pause()
                if on_tick is not None:
                    on_tick()
        self._check_for_pause()  # a plan that was paused gives no more vouchers, as one without any does

    # --- claiming and moving ---

    def _start_moves(self, pool: ThreadPoolExecutor) -> bool:
        """Claim vouchers while there is room, and give them to the workers. Return whether any move is running."""
        looks = self._task.state is RowState.IN_DOUBT
        room = (1 if looks else _CLAIMS_PER_WORKER) * self._workers - len(self._moves)
        due = not self._moves or time.monotonic() >= self._claim_at
        if due and room >= (1 if looks else 2 * self._workers) and not self._stop.is_set():
            rows = self._claim(room)
            for row in rows:
                move = pool.submit(self._move, row)
                self._moves[move] = row
                move.add_done_callback(self._ended.put)
            if not rows:
                self._claim_at = time.monotonic() + TICK_S
        return bool(self._moves)

    def _claim(self, most: int) -> list[VoucherRow]:
        if self._task.until is not None and time.monotonic() >= self._task.until:
            return []
        if self._claims_left is not None:
            most = min(most, self._claims_left)
            if most == 0:
                self._stopped = self._stopped or "limit"
                return []
        rows: list[VoucherRow] = []
        try:
            rows = self._claim_free(most)
            if not rows and release_abandoned(self._state):
                rows = self._claim_free(most)
        except VoucherGatewayError as error:
            self._give_up(error)
        if self._claims_left is not None:
            self._claims_left -= len(rows)
        return rows

    def _claim_free(self, most: int) -> list[VoucherRow]:
        """Claim free vouchers. If all vouchers of a batch are refused, claim the next batch."""
        while True:
            claim = self._state.claim(most, state=self._task.state, untried_from=self._task.began)
            for result in claim.refused:
                log_result(self._state.plan_id, result)
            if claim.refused:
                self._log.announce(claim.refused)
                self._log.confirm()
            if claim.rows or not claim.refused:
                return list(claim.rows)

    def _move(self, row: VoucherRow) -> MoveResult | None:
        """Move one voucher, on the thread of a worker. Return None if the run was stopped before."""
        if self._stop.is_set():
            return None
        began, processor = time.monotonic(), time.thread_time()
        with use_work_class(WorkClass.MIGRATE), use_rate_limiter(self._rates.wait):
            result = VoucherMover(self._context, self._state, row).run()
        return attrs.evolve(result, elapsed_s=time.monotonic() - began, processor_s=time.thread_time() - processor)

    # --- results ---

    def _wait_for_move(self) -> None:
        """Wait until a move ends, but not longer than a tick. It takes less time than to wait for all futures."""
        with suppress(Empty):
            self._ended.get(timeout=TICK_S)
            while True:
                self._ended.get_nowait()

    def _collect_results(self) -> None:
        """Take the results of the moves that have ended."""
        for move in [move for move in self._moves if move.done()]:
            result = self._result_of(move)
            if result is not None:
                self._results.append(result)
                log_result(self._state.plan_id, result)
                self._note_error(result)
            del self._moves[move]

    def _result_of(self, move: Future[MoveResult | None]) -> MoveResult | None:
        error = move.exception()
        if error is None:
            return move.result()
        # A bug of the library or of a provider: the outcome of the move is unknown.
        reason = f"the move was interrupted by {type(error).__name__}"
        return MoveResult(row=self._moves[move], state=RowState.IN_DOUBT, reason=reason, error=error)

    def _note_error(self, result: MoveResult) -> None:
        error = result.error
        if error is None:
            self._consecutive_failures = 0
            return
        self._consecutive_failures += 1
        if result.state is RowState.PLANNED and not self._stop.is_set():
            self._deferred_error = self._deferred_error or error
        concerns_all = not isinstance(error, VoucherGatewayError) or isinstance(
            error, AccessDenied | AccountPaused | ConfigurationError
        )
        most = max(2 * self._workers, _MOST_UNREADABLE if isinstance(error, MalformedResponse) else 0)
        if concerns_all or self._consecutive_failures >= most:  # the other vouchers would fail as well
            self._give_up(error)

    def _write_results(self) -> None:
        """Write the results. If the database is not available, the run stops, and they are written at its end."""
        if not self._results:
            return
        try:
            self._write(self._results)
        except DatabaseUnavailable as error:
            self._give_up(error)
        else:
            self._results = []

    def _write(self, results: Sequence[MoveResult]) -> None:
        self._log.announce(results)
        self._state.finish(results)
        self._log.confirm()

    def _check_for_pause(self) -> None:
        try:
            plan_state = self._state.plan_state()
        except DatabaseUnavailable as error:
            self._give_up(error)
            return
        if plan_state in (PlanState.PAUSED, PlanState.ROLLED_BACK):
            if not self._stop.is_set():
                log.info("plan %s: the run stops, as the plan is %s", self._plan_name, plan_state.value)
            self._stopped = self._stopped or plan_state.value
            self._stop.set()

    def _give_up(self, error: BaseException) -> None:
        if not self._stop.is_set():
            log.error("plan %s: the run stops after %s", self._plan_name, type(error).__name__)
        self._error = self._error or error
        self._stop.set()


def release_abandoned(state: MigrationState) -> int:
    """Release the vouchers that dead processes have claimed, and return their number."""
    released = state.release_abandoned()
    if released:
        log.warning("plan %s: %d vouchers of dead processes are taken over", state.plan_id[:12], released)
    return released
