"""At most so many calls a second, by account.

A bucket of tokens in thirty lines: the libraries for it keep state in databases or wait in their own ways, and what is
needed here is one that an interruption ends at once.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping


class Rates:
    """Keeps the calls of all threads of this process to each account's rate.

    Args:
        limits: calls a second, by account; others go unhindered.
        stop: ends all waiting.
    """

    def __init__(self, limits: Mapping[str, float], stop: threading.Event) -> None:
        self._buckets = {account: _Bucket(rate) for account, rate in limits.items() if rate > 0}
        self._stop = stop

    def wait(self, account: str) -> None:
        """Wait until the account may be called once more."""
        bucket = self._buckets.get(account)
        if bucket is not None and (due := bucket.take()) > 0:
            self._stop.wait(due)


class _Bucket:
    """Calls at even distances."""

    def __init__(self, rate: float) -> None:
        self._apart_s = 1 / rate
        self._lock = threading.Lock()
        self._next = 0.0

    def take(self) -> float:
        """Take the next place, and return how long it is until then, in seconds."""
        with self._lock:
            now = time.monotonic()
            mine = max(self._next, now)
            self._next = mine + self._apart_s
            return mine - now
