"""Spaces the requests to an account, with the most urgent work first.

A rate is one number, its backlog: how long the permits that were given out keep the vendor busy at that rate. It
shrinks with time. A permit is given only while the backlog is low enough, so any time of T seconds has at most
``burst + T * per_second`` requests. The number is in a store: that of a journal for all processes, or one in memory.

Less urgent work gets a permit only while more of the burst is left. A checkout reserves the next free permit, even one
of the future, and waits for it; other work cannot get ahead of it. Where permits are plenty, a process takes some at
once, so that not every request is a commit. It loses those that it does not use within a quarter of a second at most,
which is all that a killed or a frozen process can keep from the others.

limits was considered: it has no store in SQL, no priorities and no waiting, and it counts by the clock of each machine.
"""

from __future__ import annotations

import threading
import time
from typing import Final

import attrs

from voucher_gateway.errors import ProviderUnavailable
from voucher_gateway.limits.shared_limits import Backlog, PermitStore
from voucher_gateway.limits.work_class import WorkClass
from voucher_gateway.process import fork_safety

_MICROSECONDS: Final = 1_000_000
_SHARES: Final = {WorkClass.RECOVER: 0.75, WorkClass.RECONCILE: 0.5, WorkClass.MIGRATE: 0.25}
"""The part of the burst that less urgent work can use."""

_SMALLEST_BURST: Final = 4
"""With a smaller burst, classes of work are told apart by how many permits of the future they can reserve."""

_HELD_S: Final = 0.25
"""A process takes at most the permits of this part of a second at once."""

_SHORTEST_DELAY_S: Final = 0.02
"""A thread can be this late with its permit: it shares the processor with others."""

_SHORTEST_WAIT_S: Final = 0.005
_LONGEST_WAIT_S: Final = 0.5
_LONGEST_BACKLOG_S: Final = 3600.0


class LocalPermits:
    """The backlogs of rates in this process, for a gateway without a journal. All threads may use it."""

    def __init__(self) -> None:
        self._backlogs: dict[str, tuple[int, int]] = {}
        self.renew_after_fork()
        fork_safety.register(self)

    def renew_after_fork(self) -> None:
        """Make a new lock: a thread of the parent may have held the other."""
        self._lock = threading.Lock()

    def take(self, name: str, *, cost_us: int, limit_us: int) -> Backlog:
        """Add to the backlog of a rate, if it then stays within a limit."""
        fork_safety.renew_if_forked()
        with self._lock:
            at = time.monotonic_ns() // 1000
            backlog, since = self._backlogs.get(name, (0, at))
            backlog = max(0, backlog - (at - since))
            is_taken = backlog + cost_us <= limit_us
            if is_taken:
                backlog += cost_us
                self._backlogs[name] = (backlog, at)
            return Backlog(is_taken=is_taken, microseconds=backlog)


@attrs.frozen
class _HeldPermits:
    """Permits that a process took at once and has not used yet."""

    count: int = 0
    until: float = 0.0
    kind: WorkClass = WorkClass.CHECKOUT


class RateLimit:
    """A rate of requests. All threads may wait for it at the same time.

    Args:
        name: the name of the rate in the store.
        per_second: the requests per second; above zero.
        burst: how many requests there can be at once; at least 1.
        stop: ends all waits when it is set; None for none.

    Attributes:
        store: where the backlog is.
    """

    def __init__(
        self, name: str, *, per_second: float, burst: int, store: PermitStore, stop: threading.Event | None = None
    ) -> None:
        self.store = store
        self._name = name
        self._stop = stop
        self._apart_us = max(1, round(_MICROSECONDS / per_second))
        self._most_held = min(burst // 4, int(per_second * _HELD_S))
        if self._most_held < 2:
            self._most_held = 0
        # They are lost after the time in which the rate makes them again. Until then they may be sent together with the
        # rest of the burst, so they are a part of it.
        self._held_s = self._most_held * self._apart_us / _MICROSECONDS
        self._longest_delay_s = max(self._held_s, self._apart_us / _MICROSECONDS, _SHORTEST_DELAY_S)
        self._burst_us = (burst - self._most_held) * self._apart_us
        self.renew_after_fork()
        fork_safety.register(self)

    def renew_after_fork(self) -> None:
        """Make new locks, and forget the permits that the parent holds."""
        self._guard = threading.Lock()
        self._turns = {kind: threading.Lock() for kind in WorkClass}
        self._held = _HeldPermits()
        self._alone_until = 0.0

    def wait(self, kind: WorkClass, *, until: float | None = None) -> None:
        """Wait until the next request may be sent for a class of work.

        Args:
            kind: the class.
            until: the last moment of ``time.monotonic`` at which it may be sent; None for no end.

        Raises:
            ProviderUnavailable: if it cannot be sent until then. Nothing was sent.
        """
        fork_safety.renew_if_forked()
        while True:
            due = self._take_held(kind)
            if due is None:
                due = self._take_in_turn(kind, until)
            wait_s = due - time.monotonic()
            if wait_s > 0:
                self._sleep(wait_s)
            if self._is_stopped or time.monotonic() <= due + self._longest_delay_s:
                return  # otherwise this thread was not run for long, and others have used the time since

    @property
    def _is_stopped(self) -> bool:
        return self._stop is not None and self._stop.is_set()

    def _sleep(self, seconds: float) -> None:
        if self._stop is None:
            time.sleep(seconds)
        else:
            self._stop.wait(seconds)

    def _take_held(self, kind: WorkClass) -> float | None:
        """Use a permit that this process holds, and return the moment from which on it holds, or None."""
        with self._guard:
            held = self._held
            if held.count == 0 or kind > held.kind or time.monotonic() >= held.until:
                return None
            self._held = attrs.evolve(held, count=held.count - 1)
            return time.monotonic()

    def _take_in_turn(self, kind: WorkClass, until: float | None) -> float:
        """Take a permit from the store, one thread of a class at a time, and return when it may be used."""
        turn = self._turns[kind]
        if not turn.acquire(timeout=-1 if until is None else max(0.0, until - time.monotonic())):
            raise self._refusal()
        try:
            while not self._is_stopped:
                due = self._take_held(kind)  # another thread may have taken some in the meantime
                if due is None:
                    due, is_taken = self._ask(kind, until)
                    if not is_taken:
                        if until is not None and due > until:
                            raise self._refusal()
                        self._sleep(max(_SHORTEST_WAIT_S, min(due - time.monotonic(), _LONGEST_WAIT_S)))
                        continue
                return due
            return time.monotonic()
        finally:
            turn.release()

    def _ask(self, kind: WorkClass, until: float | None) -> tuple[float, bool]:
        """Ask the store for permits. Return when a permit may be used, or asked for again, and whether it is taken."""
        apart, asked_at = self._apart_us, time.monotonic()
        share = _SHARES.get(kind, 1.0)
        several = min(self._most_held, int(share * self._burst_us / apart / 2))
        if several > 1 and asked_at >= self._alone_until:
            limit = int(share * self._burst_us)
            if self.store.take(self._name, cost_us=several * apart, limit_us=limit).is_taken:
                with self._guard:
                    self._held = _HeldPermits(several - 1, asked_at + self._held_s, kind)
                return asked_at, True
            self._alone_until = asked_at + self._held_s  # permits are rare: take one at a time for a while
        if kind is WorkClass.CHECKOUT:
            longest = _LONGEST_BACKLOG_S if until is None else until - asked_at
            limit = self._burst_us + int(max(0.0, longest) * _MICROSECONDS)
        else:
            limit = int(share * max(self._burst_us, _SMALLEST_BURST * apart))
        backlog = self.store.take(self._name, cost_us=apart, limit_us=limit)
        asked_at = time.monotonic()
        if backlog.is_taken:
            return asked_at + max(0, backlog.microseconds - self._burst_us) / _MICROSECONDS, True
        return asked_at + (backlog.microseconds + apart - limit) / _MICROSECONDS, False

    def _refusal(self) -> ProviderUnavailable:
        return ProviderUnavailable(
            "nothing was sent: the rate of requests to this account (requests_per_second) is used up, and this call"
            " cannot wait that long; try again"
        )
