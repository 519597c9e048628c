"""The true state of a voucher, in the form that the `ledger` of every simulator has.

Amounts are strings in the currency's main unit with all decimals; instants are RFC 3339 strings.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

if TYPE_CHECKING:
    from datetime import datetime

    from voucher_gateway.simulator.simulator import Simulator


@frozen
class _Snapshot:
    at: datetime
    state: dict[str, object]


class LedgerSnapshots:
    """Snapshots of the ledger since `begin`, one for each change. Use it under the simulator's lock."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        self._taken: list[_Snapshot] = []

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
        """Return an older ledger, or the oldest snapshot if none is old enough; None before `begin`."""
        if not self._taken:
            return None
        if lag_requests is not None:
            return self._taken[max(len(self._taken) - 1 - lag_requests, 0)].state
        due = self._simulator.clock.now() - timedelta(seconds=lag_s)
        old_enough = [snapshot for snapshot in self._taken if snapshot.at <= due]
        return (old_enough or self._taken[:1])[-1].state

    def _take(self) -> None:
        self._taken.append(_Snapshot(self._simulator.clock.now(), self._simulator.dump()))


@frozen(kw_only=True)
class LedgerMovement:
    """One change of a voucher's value.

    Attributes:
        id: the vendor's.
        kind: the vendor's word for it.
        amount: the amount that moved, without a sign.
        reference: the client's reference, where the vendor stores it.
        at: the time by the simulator's clock.
        state: pending, completed or cancelled, where the vendor has such states.
    """

    id: str
    kind: str
    amount: str
    reference: str | None = None
    at: str
    state: str | None = None

    def to_json(self) -> dict[str, object]:
        """Return it as JSON values; without `state` if it has none."""
        state = {} if self.state is None else {"state": self.state}
        return {
            "id": self.id,
            "kind": self.kind,
            "amount": self.amount,
            "reference": self.reference,
            "at": self.at,
            **state,
        }


@frozen(kw_only=True)
class LedgerVoucher:
    """The true state of one voucher.

    Attributes:
        id: the vendor's.
        code: in plain text.
        currency: ISO 4217.
        initial: its face value.
        remaining: the value that is left, reserved or not.
        reserved: the part of it that is reserved now.
        status: the vendor's word.
        valid_until: the end of validity; None for none.
        movements: the changes of its value, oldest first.
        details: further members for tests, such as ``pin``.
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
