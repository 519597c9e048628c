"""Child processes that run or roll back one plan together.

A child is forked, so it has the accounts of its parent, whatever they were made from. It opens its own connections and
locks after the fork, claims vouchers under its own name, and sends its results to its parent. If it dies, the others
take over its vouchers. If the parent dies, the children complete the moves that have begun, and end.

`multiprocessing` and `concurrent.futures` were considered: their pools do not go on after the death of a child, and a
worker of a task queue may not start a `multiprocessing.Process`.
"""

from __future__ import annotations

import os
import pickle
import signal
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, Pipe, wait
from pathlib import Path
from typing import Final, NoReturn, Protocol

import attrs

from voucher_gateway.errors import NotExecuted, VoucherGatewayError
from voucher_gateway.migration.run.process_run import TICK_S, ResultLog, RunEnd
from voucher_gateway.migration.run.progress import RunCounter, log
from voucher_gateway.migration.run.rows import MoveResult
from voucher_gateway.migration.run.state import MigrationState

_PARENT_CHECK_S: Final = 1.0
_WAIT_FOR_DEAD_S: Final = 30.0
_POLL_S: Final = 0.05
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


class ChildWork(Protocol):
    """The work of one child."""

    def run(self, result_log: ResultLog) -> RunEnd:
        """Do the work, tell the log of all results, and return how it ended."""
        ...


# --- messages of a child ---


@attrs.frozen
class _Begun:
    """The child has begun, under this name in the journal's database."""

    owner: str


@attrs.frozen
class _Announced:
    """The child is about to write these results."""

    results: Sequence[MoveResult]


@attrs.frozen
class _Confirmed:
    """The results that were announced last are written."""


@attrs.frozen
class _Ended:
    """The child has nothing left to do."""

    end: RunEnd


_STOP: Final = "stop"
"""The only message to a child."""


class _ResultSender:
    """Sends the results of a child to its parent. Whatever the parent cannot receive is in the journal."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def announce(self, results: Sequence[MoveResult]) -> None:
        """Send results that are about to be written, without their errors: `RunEnd` has the one that counts."""
        self.send(_Announced([attrs.evolve(result, error=None) for result in results]))

    def confirm(self) -> None:
        """Send that they are written."""
        self.send(_Confirmed())

    def send(self, message: object) -> None:
        """Send a message, if the parent lives."""
        with suppress(OSError):
            self._connection.send(message)


# --- the child ---


def _run_child(
    connection: Connection,
    inherited: Sequence[Connection],
    work: ChildWork,
    stop: threading.Event,
    state: MigrationState,
    parent: int,
) -> NoReturn:
    """Do the work of a child, from the fork to the end of the child.

    Args:
        connection: to the parent.
        inherited: the parent's ends of connections. While a child has one open, the death of the parent does not show.
        work: what the child has to do.
        stop: the event that stops it.
        state: the state of the plan.
        parent: the id of the parent's process.
    """
    code = 1
    try:
        for other in inherited:
            other.close()
        _report_work(connection, work, stop, state, parent)
        code = 0
    finally:
        os._exit(code)  # what else is to be done at the end of a program, the parent does


def _report_work(
    connection: Connection, work: ChildWork, stop: threading.Event, state: MigrationState, parent: int
) -> None:
    """Do the work, and send all results and the end to the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all processes, and the parent says what to do
    signal.signal(signal.SIGTERM, _setter_of(stop))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    threading.Thread(target=_stop_with_parent, args=(connection, stop, parent), daemon=True).start()
    sender = _ResultSender(connection)
    end = RunEnd()
    try:
        sender.send(_Begun(state.database.locks.owner()))
        end = work.run(sender)
    except BaseException as error:  # noqa: BLE001 - the parent raises it
        end = RunEnd(stopped="error", error=error)
    sender.send(_Ended(_sendable(end)))
    with suppress(VoucherGatewayError):
        state.database.close()


def _setter_of(stop: threading.Event) -> Callable[..., None]:
    def set_stop(*_: object) -> None:
        stop.set()

    return set_stop


def _stop_with_parent(connection: Connection, stop: threading.Event, parent: int) -> None:
    """Stop when the parent says so, or when it has died."""
    with suppress(EOFError, OSError):
        while not connection.poll(_PARENT_CHECK_S):
            if os.getppid() != parent:
                break
    stop.set()


def _sendable(end: RunEnd) -> RunEnd:
    """Return the end of a run with an error that can be sent. The text of a bug's error may have anything in it."""
    if end.error is None or isinstance(end.error, VoucherGatewayError):
        with suppress(Exception):
            pickle.dumps(end)
            return end
    frames = traceback.extract_tb(None if end.error is None else end.error.__traceback__)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return RunEnd(stopped="error", error=RuntimeError(f"{type(end.error).__name__}{place} in process {os.getpid()}"))


# --- the parent ---


@attrs.define(eq=False)
class _Child:
    """A child, as its parent sees it."""

    pid: int
    connection: Connection
    work: ChildWork
    exit_code: int | None = None
    owner: str | None = None
    announced: Sequence[MoveResult] = ()
    end: RunEnd | None = None


@attrs.frozen(kw_only=True)
class ChildrenEnd:
    """How the children ended.

    Attributes:
        end: how the run ended, as far as the children tell: the first error, or the first reason.
        lost: a sentence about each child that ended without a report.
        lost_owners: the names of these in the journal's database.
        lost_works: their work.
    """

    end: RunEnd
    lost: tuple[str, ...] = ()
    lost_owners: tuple[str, ...] = ()
    lost_works: tuple[ChildWork, ...] = ()

    @property
    def can_be_taken_over(self) -> bool:
        """Whether a child was lost, and nothing else stopped the work."""
        return bool(self.lost) and self.end.stopped in (None, "limit")


class ChildProcesses:
    """The children of one run or rollback.

    They are forked by the constructor. A thread of this process that holds a lock at that moment leaves it locked in
    the children, so no other thread should be at work.

    Args:
        works: the work of each child.
        stop: the event that stops the work. Each child gets a copy of it.
        state: the state of the plan.
        counter: counts the results of all children.
    """

    def __init__(
        self, works: Sequence[ChildWork], stop: threading.Event, state: MigrationState, counter: RunCounter
    ) -> None:
        self._state = state
        self._counter = counter
        self._children: list[_Child] = []
        # A child must not be interrupted before it knows what to do then.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        try:
            for work in works:
                self._fork(work, stop)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def _fork(self, work: ChildWork, stop: threading.Event) -> None:
        ours, theirs = Pipe()
        inherited = [*(child.connection for child in self._children), ours]
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            _run_child(theirs, inherited, work, stop, self._state, parent)
        theirs.close()
        self._children.append(_Child(pid, ours, work))

    def run(self, on_tick: Callable[[], None] | None = None) -> ChildrenEnd:
        """Collect the results of the children until all have ended.

        After Ctrl-C the children complete the moves that have begun. Ctrl-C again kills them.

        Args:
            on_tick: is called a few times a second, on this thread.
        """
        log.info("plan %s: %d processes run it", self._state.plan_id[:12], len(self._children))
        try:
            self._collect(on_tick)
        except BaseException:
            self._stop()
            try:
                self._collect(None)
            except BaseException:
                self._kill()
                raise
            raise
        return self._end()

    def _collect(self, on_tick: Callable[[], None] | None) -> None:
        while working := [child for child in self._children if not child.connection.closed]:
            ready = wait([child.connection for child in working], timeout=TICK_S)
            for child in working:
                if child.connection in ready:
                    self._receive(child)
            if on_tick is not None:
                on_tick()

    def _receive(self, child: _Child) -> None:
        try:
            message = child.connection.recv()
        except (EOFError, OSError, pickle.UnpicklingError):  # the child has ended, or died while it sent something
            self._bury(child)
            return
        match message:
            case _Begun(owner):
                child.owner = owner
            case _Announced(results):
                child.announced = results
            case _Confirmed():
                self._count(child.announced)
                child.announced = ()
            case _Ended(end):
                child.end = end
                if end.stopped == "error" and end.error is not None:  # the others would meet it as well
                    end.error.add_note(f"Process {child.pid} met it, and all processes have stopped.")
                    self._stop()

    def _bury(self, child: _Child) -> None:
        child.connection.close()
        with suppress(ChildProcessError):  # another thread of this process waits for all its children
            child.exit_code = os.waitstatus_to_exitcode(os.waitpid(child.pid, 0)[1])
        if child.announced:
            self._count(self._state.select_written(child.announced))
            child.announced = ()
        if child.end is None:
            log.error("plan %s: %s", self._state.plan_id[:12], _loss_text(child))

    def _count(self, results: Sequence[MoveResult]) -> None:
        self._counter.announce(results)
        self._counter.confirm()

    def _stop(self) -> None:
        for child in self._children:
            if not child.connection.closed:
                with suppress(OSError):
                    child.connection.send(_STOP)

    def _kill(self) -> None:
        for child in self._children:
            if not child.connection.closed:
                os.kill(child.pid, signal.SIGKILL)
                os.waitpid(child.pid, 0)

    def _end(self) -> ChildrenEnd:
        ends = [child.end for child in self._children if child.end is not None]
        lost = [child for child in self._children if child.end is None]
        ends.sort(key=_is_not_error)  # an error that has stopped the work comes first
        error = next((end.error for end in ends if end.error is not None), None)
        stopped = next((end.stopped for end in ends if end.stopped is not None), None)
        if not ends:
            error = NotExecuted("all processes were ended; nothing is lost: give the same command again")
            stopped = "error"
        return ChildrenEnd(
            end=RunEnd(stopped=stopped, error=error),
            lost=tuple(map(_loss_text, lost)),
            lost_owners=tuple(child.owner for child in lost if child.owner is not None),
            lost_works=tuple(child.work for child in lost),
        )


def _is_not_error(end: RunEnd) -> bool:
    return end.stopped != "error"


def wait_for_death(state: MigrationState, owners: Sequence[str]) -> None:
    """Wait until the journal's database knows that processes are dead: PostgreSQL may take a moment to notice it."""
    deadline = time.monotonic() + _WAIT_FOR_DEAD_S
    while any(map(state.database.locks.alive, owners)) and time.monotonic() < deadline:
        time.sleep(_POLL_S)


def _loss_text(child: _Child) -> str:
    code = child.exit_code
    if code is not None and code < 0:
        with suppress(ValueError):
            return f"process {child.pid} was ended by {signal.Signals(-code).name}"
    return f"process {child.pid} ended without a report"
