"""The moment at which a call must end, whatever it does: requests, repeats, and waiting for locks.

The gateway knows the time-out of a call. The HTTP client, the journal and the locks keep it. What is between them
should not know it, so it is passed in a context variable.

It ends waiting, never the record of what happened: the journal records an outcome although the time is over.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import Final, TypeGuard

from voucher_gateway.errors import InvalidRequest

_deadline: ContextVar[float | None] = ContextVar("call_deadline", default=None)


_NO_DEADLINE: Final = nullcontext()


def use_call_deadline(timeout: float | None) -> AbstractContextManager[object]:
    """End the waiting of the block after so many seconds, or at an earlier deadline that it is in.

    Args:
        timeout: the seconds, above zero; None for no deadline.

    Raises:
        InvalidRequest: if it is not a number of seconds above zero.
    """
    return _NO_DEADLINE if timeout is None else _end_waiting_after(timeout)


@contextmanager
def _end_waiting_after(timeout: float) -> Iterator[None]:
    moment, outer = time.monotonic() + _check(timeout), _deadline.get()
    token = _deadline.set(moment if outer is None else min(moment, outer))
    try:
        yield
    finally:
        _deadline.reset(token)


def call_deadline() -> float | None:
    """Return the call's deadline, by ``time.monotonic``; None if it has none."""
    return _deadline.get()


def moment_within(seconds: float) -> float:
    """Return the moment of ``time.monotonic`` in so many seconds, or the call's deadline if that is earlier."""
    moment, deadline = time.monotonic() + seconds, _deadline.get()
    return moment if deadline is None else min(moment, deadline)


def seconds_within(seconds: float) -> float:
    """Return the seconds, or what is left until the call's deadline if that is less; never below zero."""
    deadline = _deadline.get()
    return seconds if deadline is None else max(0.0, min(seconds, deadline - time.monotonic()))


def seconds_left() -> float | None:
    """Return what is left until the call's deadline, never below zero; None if it has none."""
    deadline = _deadline.get()
    return None if deadline is None else max(0.0, deadline - time.monotonic())


def check_wait(wait: object) -> float:
    """Return how long to wait for another worker, in seconds; at most what a lock can wait.

    Raises:
        InvalidRequest: if it is not a number of seconds, zero or more.
    """
    if is_finite_number(wait) and wait >= 0:
        return min(wait, threading.TIMEOUT_MAX)
    rule = "a number of seconds, zero or more"
    raise InvalidRequest(f"wait must be {rule}", field="wait", rule=rule)


def is_finite_number(value: object) -> TypeGuard[float]:
    """Whether a value is an int or a float that is a finite number as a float; a bool is not."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # an int that is too large for a float
        return False


def _check(timeout: object) -> float:
    if is_finite_number(timeout) and timeout > 0:
        return timeout
    rule = "a number of seconds above zero"
    raise InvalidRequest(f"timeout must be {rule}", field="timeout", rule=rule)
