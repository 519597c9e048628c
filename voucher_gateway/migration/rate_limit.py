"""Limits the requests per second to each account.

Libraries for rate limits keep their state in a database, or cannot end a wait. `Rates` can end all waits at once.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping


class Rates:
    """Limits the requests of all threads of this process to the rate of each account.

    Args:
        limits: the requests per second, by account; other accounts are not limited.
        stop: ends all waits when it is set.
    """

    def __init__(self, limits: Mapping[str, float], stop: threading.Event) -> None:
        self._buckets = {account: _Bucket(rate) for account, rate in limits.items() if rate > 0}
        self._stop = stop

    def wait(self, account: str) -> None:
        """Wait until the next request may be sent to the account."""
        bucket = self._buckets.get(account)
        if bucket is not None and (due := bucket.take()) > 0:
            self._stop.wait(due)


class _Bucket:
    """Spaces requests evenly."""

    def __init__(self, rate: float) -> None:
        self._apart_s = 1 / rate
        self._lock = threading.Lock()
        self._next = 0.0

    def take(self) -> float:
        """Take the next slot, and return how many seconds there are until then."""
        with self._lock:
            now = time.monotonic()
            mine = max(self._next, now)
            self._next = mine + self._apart_s
            return mine - now
