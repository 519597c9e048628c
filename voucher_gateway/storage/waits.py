"""How long a call waits for the database: for a server that is silent, and for others that have locked an SQLite file.

A call with a time-out waits until that is over, and a moment longer, because it may have to record an outcome. Without
one, it waits as long as the accounts wait for their vendors by default: a customer waits in front of it.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from voucher_gateway.limits.call_deadline import seconds_left
from voucher_gateway.limits.work_class import WorkClass, current_work_class

CHECKOUT_WAIT_S: Final = 8.0
"""How long one statement may take without a time-out of the call, in seconds."""

BATCH_WAIT_S: Final = 30.0
"""The same where no customer waits."""

SHORTEST_WAIT_S: Final = 3.0
"""How long one statement may take also if the time of the call is over, in seconds. It may record an outcome."""

_limit_s: ContextVar[float | None] = ContextVar("statement_limit_s", default=math.inf)
"""The limit of the block, in seconds; None where statements may take as long as they take."""


@contextmanager
def allow_long_statements() -> Iterator[None]:
    """Let the statements of the block take as long as they take, such as those that change tables."""
    token = _limit_s.set(None)
    try:
        yield
    finally:
        _limit_s.reset(token)


@contextmanager
def limit_statements(seconds: float) -> Iterator[None]:
    """Let each statement of the block take so long at most: one that a server that works answers at once."""
    token = _limit_s.set(seconds)
    try:
        yield
    finally:
        _limit_s.reset(token)


def longest_statement_s() -> float | None:
    """Return how long the server may be silent during one statement, in seconds; None without a limit."""
    limit, left = _limit_s.get(), seconds_left()
    if left is not None:
        longest = min(max(left, SHORTEST_WAIT_S), threading.TIMEOUT_MAX)
    elif limit is None:
        return None
    else:
        longest = CHECKOUT_WAIT_S if current_work_class() is WorkClass.CHECKOUT else BATCH_WAIT_S
    return longest if limit is None else min(longest, limit)
