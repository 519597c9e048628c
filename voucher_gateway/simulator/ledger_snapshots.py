"""Older pictures of a ledger, for look-ups that lag behind."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from attrs import frozen

if TYPE_CHECKING:
    from datetime import datetime

    from voucher_gateway.simulator.simulator import Simulator


@frozen
class _Picture:
    at: datetime
    state: dict[str, object]


class LedgerSnapshots:
    """What the ledger looked like since `begin`, a picture for each change. Used under the simulator's lock."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        self._taken: list[_Picture] = []

    def begin(self) -> None:
        """Takes the first picture, unless there is one."""
        if not self._taken:
            self._take()

    def forget(self) -> None:
        """Takes none any more until the next `begin`."""
        self._taken.clear()

    def note_change(self) -> None:
        """Notes that the ledger may have changed."""
        if self._taken:
            self._take()

    def older(self, lag_s: float, lag_requests: int | None) -> dict[str, object] | None:
        """The ledger as it was then, or the oldest picture if that is younger; None before `begin`."""
        if not self._taken:
            return None
        if lag_requests is not None:
            return self._taken[max(len(self._taken) - 1 - lag_requests, 0)].state
        due = self._simulator.clock.now() - timedelta(seconds=lag_s)
        old_enough = [picture for picture in self._taken if picture.at <= due]
        return (old_enough or self._taken[:1])[-1].state

    def _take(self) -> None:
        self._taken.append(_Picture(self._simulator.clock.now(), self._simulator.dump()))
