"""Carrying a plan out: many vouchers at a time, by as many processes and machines as share the journal."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Collection, Sequence
from contextlib import ExitStack
from datetime import datetime
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
from voucher_gateway.migration.plan.losses import find_unaccepted_risks
from voucher_gateway.migration.plan.plan_file import PlanSummary, read_summary, read_vouchers
from voucher_gateway.migration.run.context import MigrationContext, journal_of
from voucher_gateway.migration.run.dry_run import predict_run
from voucher_gateway.migration.run.mover import VoucherMover
from voucher_gateway.migration.run.progress import OnProgress, RunCounter, RunReport
from voucher_gateway.migration.run.rate_limit import Rates
from voucher_gateway.migration.run.rows import RUNNABLE, MoveResult, PlanState, RowState, VoucherRow
from voucher_gateway.migration.run.state import MigrationState
from voucher_gateway.request_hooks import use_rate_limiter

_TICK_S: Final = 0.25
_ROLLED_BACK: Final = "this plan was rolled back: make a new one"
_ONE_ONLY: Final = (
    "another process is at work on this plan, and with both more money could be spent twice than accepted"
)
_FLUSH: Final = 64
"""So many results are written at a time. One that is lost with a crash is found again in the journal."""


def run_plan(
    gateway: Gateway,
    plan: Path,
    *,
    dry_run: bool = False,
    limit: int | None = None,
    workers: int | None = None,
    accept: Collection[str] = (),
    on_progress: OnProgress | None = None,
) -> RunReport:
    """Carry a plan out, or go on with it where it was broken off.

    Ctrl-C ends it cleanly: what is under way is brought to an end first.

    Args:
        gateway: with a journal, and both accounts.
        plan: the plan's file.
        dry_run: only look again at both ends, and say what would become of each voucher. Nothing is changed.
        limit: set about so many vouchers at most, as a pilot; the next run goes on.
        workers: how many vouchers are under way at a time; as the plan says by default.
        accept: names of risks that are accepted beside those that the plan's policy accepts.
        on_progress: told a few times a second how far it is, on the caller's thread.

    Raises:
        ConfigurationError: if the plan was changed, or belongs to other accounts, or was rolled back.
        InvalidRequest: if a risk of the plan is not accepted, or a number is below one.
        OperationInProgress: if vouchers may be spendable twice for a while, and another process is at work: the
            plan's bound holds for one process.
    """
    for name, number in (("limit", limit), ("workers", workers)):
        if number is not None and number < 1:
            raise InvalidRequest(f"{name} must be a whole number above zero", field=name, rule="at least 1")
    summary = read_summary(plan)
    open_risks = find_unaccepted_risks(summary.header, summary.totals, *accept)
    stop = threading.Event()
    journey = MigrationContext(gateway, summary.id, summary.header, stop)
    state = MigrationState(journey.journal.database, summary.id, summary.header)
    if state.plan_state() is PlanState.ROLLED_BACK:
        raise ConfigurationError(_ROLLED_BACK)
    if dry_run:
        return predict_run(journey, state, plan, limit=limit, workers=workers, on_progress=on_progress)
    if open_risks:
        sentences = " ".join(f"{name}: {sentence}" for name, sentence in open_risks.items())
        raise InvalidRequest(
            f"the plan has risks that nobody has accepted: {sentences}", field="accept", rule="each risk by its name"
        )
    with ExitStack() as held:
        if summary.totals.double_spendable and not journey.leaves_source:
            held.enter_context(state.one_process("window", _ONE_ONLY))
            workers = min(workers or summary.header.workers, summary.header.workers)
        state.load(read_vouchers(plan))
        if not state.set_plan_state(PlanState.RUNNING, only_from=RUNNABLE):
            raise ConfigurationError(_ROLLED_BACK)
        return _MigrationRun(journey, state, limit, workers or summary.header.workers).run(on_progress)


def pause_plan(gateway: Gateway, plan: Path) -> None:
    """Let everybody who works on a plan, on whatever machine, stop after the voucher that is under way.

    Raises:
        ConfigurationError: if it was never begun, or is not under way any more.
    """
    summary, state = state_of(gateway, plan)
    if not state.set_plan_state(PlanState.PAUSED, only_from=(PlanState.RUNNING, PlanState.PAUSED)):
        current = state.plan_state() or "not begun"
        raise ConfigurationError(f"there is nothing to pause: the plan {summary.id[:12]} is {current}")


def state_of(gateway: Gateway, plan: Path) -> tuple[PlanSummary, MigrationState]:
    """Return a plan and its state."""
    summary = read_summary(plan)
    return summary, MigrationState(journal_of(gateway).database, summary.id, summary.header)


class _MigrationRun:
    """One run of this process."""

    def __init__(self, journey: MigrationContext, state: MigrationState, limit: int | None, workers: int) -> None:
        self._journey = journey
        self._state = state
        self._mover = VoucherMover(journey, state)
        self._workers = workers
        self._stop = journey.stop
        self._rates = Rates(journey.header.rates, journey.stop)
        self._claiming = threading.Lock()
        self._began: datetime = now()
        self._waiting: deque[VoucherRow] = deque()
        self._left = limit
        self._ending = threading.Lock()
        self._flushing = threading.Lock()
        self._ended: list[MoveResult] = []
        self._flushed = time.monotonic()
        self._in_vain = 0
        self._stopped: str | None = None
        self._trouble: Exception | None = None
        self._put_off: Exception | None = None
        planned = sum(count for (number, _), (count, _) in state.counts().items() if number is RowState.PLANNED)
        self._tally = RunCounter(planned if limit is None else min(planned, limit))

    def run(self, on_progress: OnProgress | None) -> RunReport:
        self._state.look_again()
        self._state.free_dead()
        threads = [threading.Thread(target=self._work, name="migration") for _ in range(self._workers)]
        over = threading.Event()
        watch = threading.Thread(target=self._watch, args=(threads, over), name="migration-watch")
        for thread in (*threads, watch):
            thread.start()
        # This thread, which Ctrl-C strikes, only waits: whatever it did could be struck half-way. It waits for an
        # event, as a `Thread.join` that is struck takes the thread for dead (seen with Python 3.11).
        stumbled: BaseException | None = None
        while not over.is_set():
            try:
                over.wait(_TICK_S)
                if on_progress is not None:
                    on_progress(self._tally.progress())
            except BaseException as error:
                if stumbled is not None:
                    raise
                stumbled = error
                self._stop.set()
        self._flush(everything=True)
        self._state.release(list(self._waiting))
        report = self._report()
        if stumbled is not None:
            raise stumbled
        return report

    def _watch(self, threads: list[threading.Thread], over: threading.Event) -> None:
        """Write results down, and look whether somebody paused the plan, as long as there are workers."""
        try:
            self._watch_over(threads)
        except Exception as error:  # noqa: BLE001 - told at the end, once nobody is at work any more
            self._give_up(error)
        for thread in threads:
            thread.join()
        over.set()

    def _watch_over(self, threads: list[threading.Thread]) -> None:
        while any(thread.is_alive() for thread in threads):
            until = time.monotonic() + _TICK_S
            for thread in threads:
                thread.join(max(0.0, until - time.monotonic()))
            self._flush()
            try:
                plan_state = self._state.plan_state()
            except DatabaseUnavailable as error:
                self._give_up(error)
                continue
            if plan_state in (PlanState.PAUSED, PlanState.ROLLED_BACK):
                self._stopped = self._stopped or plan_state.value
                self._stop.set()

    # --- the workers ---

    def _work(self) -> None:
        with use_rate_limiter(self._rates.wait):
            while (row := self._next()) is not None:
                try:
                    ended = self._mover.move(row)
                except Exception as error:  # noqa: BLE001 - our bug; it must not look as if nothing had happened
                    reason = f"broken off by {type(error).__name__}"
                    ended = MoveResult(row=row, state=RowState.IN_DOUBT, reason=reason, trouble=error)
                self._over(ended)

    def _next(self) -> VoucherRow | None:
        with self._claiming:
            if self._stop.is_set():
                return None
            if not self._waiting:
                try:
                    self._waiting.extend(self._claim_rows())
                except VoucherGatewayError as error:
                    self._give_up(error)
            return self._waiting.popleft() if self._waiting else None

    def _claim_rows(self) -> Sequence[VoucherRow]:
        most = 4 * self._workers  # claiming costs some milliseconds, whatever the number
        if self._left is not None:
            most = min(most, self._left)
            if most == 0:
                self._stopped = self._stopped or "limit"
                return []
        rows = self._claim(most)
        if not rows and self._state.free_dead():
            rows = self._claim(most)
        if self._left is not None:
            self._left -= len(rows)
        return rows

    def _claim(self, most: int) -> Sequence[VoucherRow]:
        """Claim what is to be claimed; that all of a handful are refused does not mean that none are left."""
        while True:
            claim = self._state.claim(most, untried_from=self._began)
            with self._ending:
                for row in claim.refused:
                    self._tally.add(row)
            if claim.rows or not claim.refused:
                return claim.rows

    def _over(self, ended: MoveResult) -> None:
        with self._ending:
            self._ended.append(ended)
            self._tally.add(ended)
            if ended.state is RowState.PLANNED and not self._stop.is_set():
                self._put_off = self._put_off or ended.trouble
            if isinstance(ended.trouble, VoucherGatewayError) and not isinstance(
                ended.trouble, AccessDenied | ConfigurationError
            ):
                self._in_vain += 1
                if self._in_vain >= 2 * self._workers:  # so many in a row: the others would fare no better
                    self._give_up(ended.trouble)
            elif ended.trouble is not None:
                self._give_up(ended.trouble)
            else:
                self._in_vain = 0
            due = len(self._ended) >= _FLUSH or time.monotonic() - self._flushed > _TICK_S
        if due:
            self._flush()

    def _give_up(self, trouble: Exception) -> None:
        self._trouble = self._trouble or trouble
        self._stopped = self._stopped or "trouble"
        self._stop.set()

    def _flush(self, *, everything: bool = False) -> None:
        """Write what came of vouchers. If the database is out of reach it is tried again; the journal knows it all."""
        if not self._flushing.acquire(blocking=everything):
            return
        try:
            with self._ending:
                ended, self._ended = self._ended, []
                self._flushed = time.monotonic()
            try:
                self._state.finish(ended)
            except DatabaseUnavailable as error:
                with self._ending:
                    self._ended = ended + self._ended
                if everything:
                    raise
                self._give_up(error)
        finally:
            self._flushing.release()

    # --- the end ---

    def _report(self) -> RunReport:
        counts = self._state.counts()
        by_state = dict.fromkeys(RowState, 0)
        for (number, _), (count, _money) in counts.items():
            by_state[number] += count
        open_still = by_state[RowState.PLANNED] + by_state[RowState.WORKING]
        if open_still + by_state[RowState.IN_DOUBT] == 0:
            self._state.set_plan_state(PlanState.DONE, only_from=(PlanState.RUNNING,))
        self._trouble = self._trouble or self._put_off  # too few to give up for, but they did not move
        if self._trouble is not None and not isinstance(self._trouble, VoucherGatewayError):
            raise self._trouble
        stopped = self._stopped if open_still else None
        return RunReport(
            plan_id=self._state.plan_id,
            counts=dict(self._tally.counts),
            moved=self._tally.money_by_currency(),
            left=open_still,
            noted=tuple(self._tally.noted),
            in_doubt=by_state[RowState.IN_DOUBT],
            stopped="trouble" if self._trouble is not None else stopped,
            trouble=self._trouble,
        )
