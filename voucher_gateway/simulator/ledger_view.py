"""The truth about a voucher, in the one shape that every simulator's `ledger` has.

Amounts are text in the currency's main unit, with all its decimals; instants are RFC 3339 text.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

if TYPE_CHECKING:
    from datetime import datetime

    from voucher_gateway.simulator.simulator import Simulator


@frozen
class _Picture:
    at: datetime
    state: dict[str, object]


class LedgerSnapshots:
    """What the ledger looked like since `begin`, a snapshot for each change. Used under the simulator's lock."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        self._taken: list[_Picture] = []

    def begin(self) -> None:
        """Take the first snapshot, unless there is one."""
        if not self._taken:
            self._take()

    def forget(self) -> None:
        """Take no snapshots until the next `begin`."""
        self._taken.clear()

    def note_change(self) -> None:
        """Record that the ledger may have changed."""
        if self._taken:
            self._take()

    def older(self, lag_s: float, lag_requests: int | None) -> dict[str, object] | None:
        """Return the ledger as it was then, or the oldest snapshot if that is younger; None before `begin`."""
        if not self._taken:
            return None
        if lag_requests is not None:
            return self._taken[max(len(self._taken) - 1 - lag_requests, 0)].state
        due = self._simulator.clock.now() - timedelta(seconds=lag_s)
        old_enough = [snapshot for snapshot in self._taken if snapshot.at <= due]
        return (old_enough or self._taken[:1])[-1].state

    def _take(self) -> None:
        self._taken.append(_Picture(self._simulator.clock.now(), self._simulator.dump()))


@frozen(kw_only=True)
class LedgerMovement:
    """One thing that happened to a voucher's value.

    Attributes:
        id: the vendor's.
        kind: the vendor's word for it.
        amount: what moved, without a sign.
        reference: what the client called it, where the vendor keeps that.
        at: when, by the simulator's clock.
    """

    id: str
    kind: str
    amount: str
    reference: str | None = None
    at: str

    def to_json(self) -> dict[str, object]:
        """Return it as JSON values."""
        return {
            "id": self.id,
            "kind": self.kind,
            "amount": self.amount,
            "reference": self.reference,
            "at": self.at,
        }


@frozen(kw_only=True)
class LedgerVoucher:
    """One voucher as it truly is.

    Attributes:
        id: the vendor's.
        code: in plain text.
        currency: ISO 4217.
        initial: its face value.
        remaining: what is left, reserved or not.
        reserved: what is set aside of that now.
        status: the vendor's word.
        valid_until: the end of validity; None for none.
        movements: what happened, oldest first.
        more: what else a test may want to know, such as ``pin``.
    """

    id: str
    code: str = field(repr=False)
    currency: str
    initial: str
    remaining: str
    reserved: str
    status: str
    valid_until: str | None = None
    movements: tuple[LedgerMovement, ...] = ()
    details: dict[str, Any] = field(factory=dict, repr=False)

    def to_json(self) -> dict[str, object]:
        """Return it as JSON values."""
        return {
            "id": self.id,
            "code": self.code,
            **self.details,
            "currency": self.currency,
            "initial": self.initial,
            "remaining": self.remaining,
            "reserved": self.reserved,
            "status": self.status,
            "valid_until": self.valid_until,
            "movements": [movement.to_json() for movement in self.movements],
        }
