"""The virtual clock of a simulator."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Final

_LONGEST_STEP_S: Final = 1_000_000_000.0  # about 31 years; a longer step is a mistake, and `datetime` has a maximum


class VirtualClock:
    """A clock that runs like the real one and can be moved forward. Threads can share it.

    Args:
        start: the aware instant that it shows now; the real time by default.
    """

    def __init__(self, start: datetime | None = None) -> None:
        if start is not None and start.tzinfo is None:
            raise ValueError("a virtual clock starts at an aware instant")
        self._lock = threading.Lock()
        self._shown = (start or datetime.now(UTC)).astimezone(UTC)
        self._read_at = time.monotonic()

    def now(self) -> datetime:
        """Return the aware UTC instant that the clock shows, with microseconds."""
        with self._lock:
            return self._shown + timedelta(seconds=time.monotonic() - self._read_at)

    def advance(self, seconds: float) -> datetime:
        """Move the clock forward and return the new time.

        Raises:
            ValueError: for a negative step, an infinite one, or one of more than 1e9 seconds.
        """
        if not 0 <= seconds <= _LONGEST_STEP_S:  # false for NaN, too
            raise ValueError("the clock moves forward, by 0 to 1e9 seconds")
        with self._lock:
            self._shown += timedelta(seconds=seconds)
        return self.now()

    def move_to(self, instant: datetime) -> None:
        """Show this aware instant from now on, unless the clock is already past it."""
        with self._lock:
            elapsed = timedelta(seconds=time.monotonic() - self._read_at)
            self._shown = max(self._shown, instant.astimezone(UTC) - elapsed)

    def http_date(self, skew_s: float = 0) -> str:
        """Return the text of a Date header (RFC 9110), optionally wrong by that many seconds."""
        return format_datetime(self.now() + timedelta(seconds=skew_s), usegmt=True)
