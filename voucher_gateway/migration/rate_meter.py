"""Measures how fast work goes on, from what was done in the last half minute."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Final

_WINDOW_S: Final = 30.0
_STEP_S: Final = 0.5
_LEAST_S: Final = 1.0
"""No rate is given before this time: the first results come late and then together."""


class RateMeter:
    """Measures a rate from counts that grow.

    Args:
        count: how much was done before the measurement.
        clock: returns seconds; only their differences count.
    """

    def __init__(self, count: int = 0, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._points: deque[tuple[float, int]] = deque([(clock(), count)])
        self._count = count

    def note(self, count: int) -> None:
        """Note how much is done by now."""
        now = self._clock()
        self._count = count
        if now - self._points[-1][0] >= _STEP_S:
            self._points.append((now, count))
        while len(self._points) > 2 and now - self._points[1][0] > _WINDOW_S:
            self._points.popleft()

    @property
    def per_second(self) -> float | None:
        """How much is done in a second; None if that is not known yet, or nothing was done."""
        began, before = self._points[0]
        elapsed, done = self._clock() - began, self._count - before
        return done / elapsed if done and elapsed >= _LEAST_S else None

    def seconds_for(self, rest: int) -> int | None:
        """Return how many seconds the rest takes at this rate; None if the rate is not known."""
        per_second = self.per_second
        if rest <= 0:
            return 0
        return None if per_second is None else round(rest / per_second)
