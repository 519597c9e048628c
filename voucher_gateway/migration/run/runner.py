"""Runs a plan: moves many vouchers at a time. All processes that share the journal can run the same plan."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from voucher_gateway.errors import (
    AccessDenied,
    ConfigurationError,
    DatabaseUnavailable,
    InvalidRequest,
    VoucherGatewayError,
)
from voucher_gateway.gateway.gateway import Gateway
from voucher_gateway.instants import now
from voucher_gateway.migration.plan.losses import require_accepted_risks
from voucher_gateway.migration.plan.plan_file import Plan, open_plan
from voucher_gateway.migration.rate_limit import Rates
from voucher_gateway.migration.run.context import MigrationContext
from voucher_gateway.migration.run.dry_run import predict_run
from voucher_gateway.migration.run.load import load_vouchers
from voucher_gateway.migration.run.mover import VoucherMover
from voucher_gateway.migration.run.progress import (
    OnProgress,
    RunCounter,
    RunReport,
    log,
    log_end,
    log_result,
    run_details,
)
from voucher_gateway.migration.run.rows import MoveResult, VoucherRow
from voucher_gateway.migration.run.source_listing import exclude_changed_vouchers
from voucher_gateway.migration.run.state import MigrationState
from voucher_gateway.migration.run_records import record_run
from voucher_gateway.migration.schema import RUNNABLE, PlanState, RowState, Work
from voucher_gateway.request_hooks import use_rate_limiter

_TICK_S: Final = 0.25
"""Results are written, a pause is noticed and progress is reported this often."""
_RESULT_BATCH: Final = 64
"""Results are also written as soon as there are this many. A crash that loses some is covered by the journal."""
_CLAIMS_PER_WORKER: Final = 4
"""Up to this many vouchers per worker are claimed, so that no worker waits for the database."""

_ROLLED_BACK: Final = "this plan was rolled back and cannot be run again; make a new plan"
_ONE_PROCESS: Final = (
    "another process runs this plan; with two processes, more value could be spent twice than was accepted"
)


def run_plan(
    gateway: Gateway,
    plan: Path | Plan,
    *,
    dry_run: bool = False,
    limit: int | None = None,
    workers: int | None = None,
    accept: Collection[str] = (),
    by: str | None = None,
    on_progress: OnProgress | None = None,
) -> RunReport:
    """Run a plan, or continue it where it was interrupted.

    After Ctrl-C the run completes the moves that have begun, and begins no new one.

    Args:
        gateway: has a journal and both accounts.
        plan: the plan's file, or the open plan.
        dry_run: whether to read both sides only, and return what a run would do. Nothing is changed.
        limit: the largest number of vouchers to move, for a pilot. The next run continues.
        workers: the number of vouchers that are moved at a time; by default that of the plan.
        accept: names of risks to accept besides those that the policy of the plan accepts.
        by: the name of the person who runs it, for the records; by default the user of the operating system.
        on_progress: is called a few times a second, on the thread of the caller.

    Raises:
        ConfigurationError: if the plan was changed, is for other accounts, or was rolled back.
        InvalidRequest: if a risk of the plan is not accepted, or a number is below one.
        OperationInProgress: if vouchers may be spendable twice for a while, and another process runs the plan. The
            limit of the plan holds for one process.
        DatabaseUnavailable: if the results cannot be written. The next run reads them from the journal.
    """
    for name, number in (("limit", limit), ("workers", workers)):
        if number is not None and number < 1:
            raise InvalidRequest(f"{name} must be a whole number above zero", field=name, rule="at least 1")
    with open_plan(plan) as opened, ExitStack() as locks:
        context = MigrationContext(gateway, opened.id, opened.header)
        state = MigrationState.of(gateway, opened.summary)
        if state.plan_state() is PlanState.ROLLED_BACK:
            raise ConfigurationError(_ROLLED_BACK)
        workers = workers or opened.header.workers
        if dry_run:
            return predict_run(context, state, opened, limit=limit, workers=workers, on_progress=on_progress)
        require_accepted_risks(opened.header, opened.totals, *accept)
        if opened.totals.double_spendable and not context.leaves_source:
            locks.enter_context(state.one_process("window", _ONE_PROCESS))
            workers = min(workers, opened.header.workers)
        load_vouchers(state, opened.vouchers())
        if not state.set_plan_state(PlanState.RUNNING, only_from=RUNNABLE):
            raise ConfigurationError(_ROLLED_BACK)
        asked = {"workers": workers, "limit": limit, "accept": sorted(accept)}
        with record_run(state.database, state.plan_id, Work.RUN, by, **asked) as record:
            report = _MigrationRun(context, state, limit=limit, workers=workers).run(on_progress)
            if report.left or report.in_doubt:
                record.result = report.stopped or "incomplete"
            record.details |= run_details(report.counts, report.moved, report.error)
            return report


def pause_plan(gateway: Gateway, plan: Path | Plan) -> None:
    """Stop all runs of a plan, on every machine, after the moves that have begun.

    Raises:
        ConfigurationError: if the plan is not being run.
    """
    with open_plan(plan) as opened:
        state = MigrationState.of(gateway, opened.summary)
    if not state.set_plan_state(PlanState.PAUSED, only_from=(PlanState.RUNNING, PlanState.PAUSED)):
        current = state.plan_state() or "not begun"
        raise ConfigurationError(f"there is nothing to pause: the plan {state.plan_id[:12]} is {current}")


class _MigrationRun:
    """The run of a plan in this process.

    The thread of the caller coordinates: it alone claims vouchers, hands them to the workers and writes the results.
    The workers, the threads of a pool, only move vouchers.
    """

    def __init__(self, context: MigrationContext, state: MigrationState, *, limit: int | None, workers: int) -> None:
        self._state = state
        self._plan_name = state.plan_id[:12]
        self._context = context
        self._rates = Rates(context.header.rates, context.stop)
        self._stop: threading.Event = context.stop
        self._workers = workers
        self._claims_left = limit
        self._claim_at = 0.0
        self._began = now()
        self._moves: dict[Future[MoveResult | None], VoucherRow] = {}
        self._results: list[MoveResult] = []
        self._consecutive_failures = 0
        self._stopped: str | None = None
        self._error: BaseException | None = None
        self._deferred_error: BaseException | None = None
        planned = state.counts_by_state()[RowState.PLANNED]
        self._counter = RunCounter(planned if limit is None else min(planned, limit))

    def run(self, on_progress: OnProgress | None) -> RunReport:
        """Move vouchers until none is left or the run is stopped, and return the report."""
        log.info("plan %s: a run begins: %d vouchers, %d workers", self._plan_name, self._counter.total, self._workers)
        self._exclude_changed_vouchers()
        self._state.requeue_in_doubt()
        self._release_abandoned()
        try:
            with ThreadPoolExecutor(self._workers, thread_name_prefix="migration") as pool:
                try:
                    self._coordinate(pool, on_progress)
                finally:
                    self._stop.set()  # after Ctrl-C no move begins, and the pool waits for the moves that have begun
        finally:
            self._collect_results()
            self._state.finish(self._results)
            under_way = {row.number for row in self._moves.values()}  # empty, unless Ctrl-C was pressed twice
            self._state.release([row for row in self._state.claimed.values() if row.number not in under_way])
            log_end(self._state.plan_id, "run", self._counter.counts)
        return self._report()

    def _exclude_changed_vouchers(self) -> None:
        """Exclude the vouchers that have changed since the plan. If the source cannot be listed, the run stops."""
        try:
            for result in exclude_changed_vouchers(self._context, self._state, limit=self._claims_left):
                self._counter.add(result)
                log_result(self._state.plan_id, result)
        except VoucherGatewayError as error:
            self._give_up(error)

    def _coordinate(self, pool: ThreadPoolExecutor, on_progress: OnProgress | None) -> None:
        tick_at = 0.0
        while self._start_moves(pool):
            wait(self._moves, timeout=_TICK_S, return_when=FIRST_COMPLETED)
            self._collect_results()
            if len(self._results) >= _RESULT_BATCH or time.monotonic() >= tick_at:
                tick_at = time.monotonic() + _TICK_S
                self._write_results()
                self._check_for_pause()
                if on_progress is not None:
                    on_progress(self._counter.progress())
        if on_progress is not None:
            on_progress(self._counter.progress())

    # --- claiming and moving ---

    def _start_moves(self, pool: ThreadPoolExecutor) -> bool:
        """Claim vouchers while there is room, and give them to the workers. Return whether any move is running."""
        room = _CLAIMS_PER_WORKER * self._workers - len(self._moves)
        due = not self._moves or time.monotonic() >= self._claim_at
        if due and room >= 2 * self._workers and not self._stop.is_set():
            rows = self._claim(room)
            for row in rows:
                self._moves[pool.submit(self._move, row)] = row
            if not rows:
                self._claim_at = time.monotonic() + _TICK_S
        return bool(self._moves)

    def _claim(self, most: int) -> list[VoucherRow]:
        if self._claims_left is not None:
            most = min(most, self._claims_left)
            if most == 0:
                self._stopped = self._stopped or "limit"
                return []
        rows: list[VoucherRow] = []
        try:
            rows = self._claim_free(most)
            if not rows and self._release_abandoned():
                rows = self._claim_free(most)
        except VoucherGatewayError as error:
            self._give_up(error)
        if self._claims_left is not None:
            self._claims_left -= len(rows)
        return rows

    def _release_abandoned(self) -> int:
        """Release the vouchers that dead processes have claimed, and return their number."""
        released = self._state.release_abandoned()
        if released:
            log.warning("plan %s: %d vouchers of dead processes are taken over", self._plan_name, released)
        return released

    def _claim_free(self, most: int) -> list[VoucherRow]:
        """Claim free vouchers. If all vouchers of a batch are refused, claim the next batch."""
        while True:
            claim = self._state.claim(most, untried_from=self._began)
            for result in claim.refused:
                self._counter.add(result)
                log_result(self._state.plan_id, result)
            if claim.rows or not claim.refused:
                return list(claim.rows)

    def _move(self, row: VoucherRow) -> MoveResult | None:
        """Move one voucher, on the thread of a worker. Return None if the run was stopped before."""
        if self._stop.is_set():
            return None
        with use_rate_limiter(self._rates.wait):
            return VoucherMover(self._context, self._state, row).run()

    # --- results ---

    def _collect_results(self) -> None:
        """Take the results of the moves that have ended."""
        for move in [move for move in self._moves if move.done()]:
            result = self._result_of(move)
            if result is not None:
                self._results.append(result)
                self._counter.add(result)
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
            error, AccessDenied | ConfigurationError
        )
        if concerns_all or self._consecutive_failures >= 2 * self._workers:  # the other vouchers would fail as well
            self._give_up(error)

    def _write_results(self) -> None:
        """Write the results. If the database is not available, the run stops, and they are written at its end."""
        try:
            self._state.finish(self._results)
        except DatabaseUnavailable as error:
            self._give_up(error)
        else:
            self._results = []

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
        self._stopped = self._stopped or "error"
        self._stop.set()

    def _report(self) -> RunReport:
        by_state = self._state.counts_by_state()
        left = by_state[RowState.PLANNED] + by_state[RowState.WORKING]
        if left + by_state[RowState.IN_DOUBT] == 0:
            self._state.set_plan_state(PlanState.DONE, only_from=(PlanState.RUNNING,))
        error = self._error or self._deferred_error  # too few deferred errors to stop the run
        if error is not None and not isinstance(error, VoucherGatewayError):
            raise error
        stopped = self._stopped if left else None
        return RunReport(
            plan_id=self._state.plan_id,
            counts=dict(self._counter.counts),
            moved=self._counter.money_by_currency(),
            left=left,
            noted=tuple(self._counter.noted),
            in_doubt=by_state[RowState.IN_DOUBT],
            stopped="error" if error is not None else stopped,
            error=error,
        )
