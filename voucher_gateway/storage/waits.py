"""How long a call waits for the database: for a server that is silent, and for others that have locked an SQLite file.

A call with a time-out waits until that is over, and a moment longer, because it may have to record an outcome. Without
one, it waits as long as the accounts wait for their vendors by default: a customer waits in front of it.
"""

from __future__ import annotations

import math
import threading
import time
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

_end: ContextVar[float | None] = ContextVar("statements_end", default=math.inf)
"""When the statements of the block end, by ``time.monotonic``; None where they may take as long as they take."""


@contextmanager
def allow_long_statements() -> Iterator[None]:
    """Let the statements of the block take as long as they take, such as those that change tables."""
    token = _end.set(None)
    try:
        yield
    finally:
        _end.reset(token)


@contextmanager
def limit_statements(seconds: float) -> Iterator[None]:
    """Let the statements of the block take so long at most, all together: a server that works answers them at once."""
    outer = _end.get()
    end = time.monotonic() + seconds
    token = _end.set(end if outer is None else min(end, outer))
    try:
        yield
    finally:
        _end.reset(token)


def longest_statement_s() -> float | None:
    """Return how long the server may be silent during one statement, in seconds; None without a limit."""
    end, left = _end.get(), seconds_left()
    if left is not None:
        longest = min(max(left, SHORTEST_WAIT_S), threading.TIMEOUT_MAX)
    elif end is None:
        return None
    else:
        longest = CHECKOUT_WAIT_S if current_work_class() is WorkClass.CHECKOUT else BATCH_WAIT_S
    return longest if end is None or end == math.inf else max(0.0, min(longest, end - time.monotonic()))
