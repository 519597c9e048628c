"""Keeps the threads of a shop from waiting for a vendor that does not answer, and from one that a person has paused.

After several time-outs in a row, requests to an account fail at once for a while (a circuit breaker), and then one
request tries whether the vendor answers again. A limit of the calls at the same time keeps threads for other work.

All of them hold for reads and for what begins something new: a reservation, a redemption, an issue, a top-up. They
never hold for a capture, a release or a refund, nor for the look-ups that resolve an unknown outcome.

pybreaker and purgatory were considered: in the half-open state pybreaker lets every thread through, so that all of them
would wait again, and purgatory keeps its state by the names of circuits outside of the client.
"""

from __future__ import annotations

import enum
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC
from typing import Final

from voucher_gateway.errors import AccountPaused, ProviderUnavailable
from voucher_gateway.http.outcome_table import TransportFailure
from voucher_gateway.limits.call_deadline import seconds_within
from voucher_gateway.limits.shared_limits import AccountPause, PauseSource
from voucher_gateway.process import fork_safety
from voucher_gateway.process.loggers import get_logger
from voucher_gateway.request_hooks import NEW_VERBS, is_resolving

log: Final = get_logger("voucher_gateway.http")

_TIME_OUTS: Final = frozenset(
    {TransportFailure.TIMED_OUT, TransportFailure.CONNECT_TIMED_OUT, TransportFailure.HANDSHAKE_FAILED}
)
_LONGEST_QUEUE_S: Final = 1.0
"""How long a call waits for another one to end, where an account has its limit of calls."""

_UNLIMITED: Final = nullcontext()


class CircuitState(enum.StrEnum):
    """Whether requests are sent.

    Attributes:
        CLOSED: they are.
        OPEN: they fail at once.
        HALF_OPEN: one is sent, to try; the others fail at once.
    """

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


class CallLimits:
    """The circuit breaker and the limit of calls of one account in one process.

    Args:
        account: the account's name.
        timeouts: after how many time-outs in a row the circuit opens; 0 for never.
        pause_s: how long it stays open, in seconds.
        calls: how many calls there can be at the same time; 0 for no limit.

    Attributes:
        pauses: where it is known which accounts a person has paused; None if that is not known.
    """

    def __init__(self, account: str, *, timeouts: int, pause_s: float, calls: int) -> None:
        self.pauses: PauseSource | None = None
        self._account = account
        self._timeouts = timeouts
        self._pause_s = pause_s
        self._calls = calls
        self.renew_after_fork()
        fork_safety.register(self)

    def renew_after_fork(self) -> None:
        """Begin closed, with new locks: a thread of the parent may have held the others."""
        self._lock = threading.Lock()
        self._slots = threading.BoundedSemaphore(self._calls) if self._calls else None
        self._count = 0
        self._open_until = 0.0
        self._is_trying = False

    @property
    def state(self) -> CircuitState:
        """Whether requests are sent now."""
        if not self._open_until:
            return CircuitState.CLOSED
        is_over = self._is_trying or time.monotonic() >= self._open_until
        return CircuitState.HALF_OPEN if is_over else CircuitState.OPEN

    def limit_call(self, verb: str | None) -> AbstractContextManager[None]:
        """Refuse a call at once, or return the block in which it is made.

        Args:
            verb: the verb of a change; None for a read.

        Raises:
            AccountPaused: if a person has paused the account. Nothing was sent.
            ProviderUnavailable: if the circuit is open, or too many calls are under way. Nothing was sent.
        """
        is_new = not is_resolving() and (verb is None or verb in NEW_VERBS)
        if self.pauses is not None and (pause := self.pauses.find(self._account)) is not None:
            _require_allowed(pause, is_new=is_new)
        if not is_new:
            return _UNLIMITED
        fork_safety.renew_if_forked()
        return self._make_limited_call() if self._open_until or self._slots is not None else _UNLIMITED

    @contextmanager
    def _make_limited_call(self) -> Iterator[None]:
        tries = self._require_closed()
        slots = self._slots
        try:
            if slots is not None and not slots.acquire(timeout=seconds_within(_LONGEST_QUEUE_S)):
                raise ProviderUnavailable(
                    f"nothing was sent: {self._calls} calls to the account {self._account} are under way"
                    " (calls_at_once); try again"
                )
            try:
                yield
            finally:
                if slots is not None:
                    slots.release()
        finally:
            if tries:
                self._is_trying = False

    def note_failure(self, failure: TransportFailure) -> None:
        """Note that no complete reply came."""
        if failure not in _TIME_OUTS or not self._timeouts:
            return
        with self._lock:
            self._count += 1
            if self._count < self._timeouts:
                return
            was_closed, self._open_until = not self._open_until, time.monotonic() + self._pause_s
        if was_closed:
            log.warning(
                "%s: %d time-outs in a row: requests fail at once for %.0f s",
                self._account,
                self._timeouts,
                self._pause_s,
            )

    def note_reply(self) -> None:
        """Note that the vendor answered, whatever it was."""
        if not self._count:
            return
        with self._lock:
            was_open, self._count, self._open_until = self._open_until, 0, 0.0
        if was_open:
            log.warning("%s: the vendor answers again", self._account)

    def _require_closed(self) -> bool:
        """Return whether the call is the one that tries if the vendor answers again.

        Raises:
            ProviderUnavailable: if the circuit is open.
        """
        if not self._open_until:
            return False
        with self._lock:
            wait = self._open_until - time.monotonic()
            if self._open_until and (wait > 0 or self._is_trying):
                raise ProviderUnavailable(
                    f"nothing was sent: the vendor did not answer {self._timeouts} requests in a row"
                    f" (breaker_timeouts); the next one is tried in {max(wait, 0):.0f} s"
                )
            self._is_trying = bool(self._open_until)
            return self._is_trying


def _require_allowed(pause: AccountPause, *, is_new: bool) -> None:
    """Check that a pause allows a call.

    Raises:
        AccountPaused: if it does not.
    """
    if not is_new and not pause.everything:
        return
    reason = "" if pause.reason is None else f" ({pause.reason})"
    until = "" if pause.until is None else f" until {pause.until.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    raise AccountPaused(
        f"nothing was sent: the account {pause.account} is paused{until}{reason};"
        f" `voucher-gateway accounts resume {pause.account}` ends the pause"
    )
