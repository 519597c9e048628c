"""The activities of vouchers, from which their balances follow."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any, Literal

from attrs import evolve, field, frozen

from voucher_gateway.simulator.amounts import amount_text
from voucher_gateway.simulator.ledger_view import LedgerMovement, LedgerVoucher
from voucher_gateway.simulator.state_file import from_records, to_records
from voucher_gateway.simulator.voucher_store import StorableVoucher

ActivityState = Literal["pending", "completed", "cancelled"]
"""Whether an activity counts: only a completed one has moved value, and a pending debit holds it."""


@frozen(kw_only=True)
class Activity:
    """Something that happened to a voucher.

    Attributes:
        id: the vendor's.
        voucher_id: of its voucher.
        kind: the vendor's word for it.
        amount: what it adds to the balance, in minor units: negative for a redemption, 0 if it moves nothing.
        at: its time.
        state: whether it counts.
        reference: the client's, where the vendor stores it.
        linked_id: the activity that it gives back or undoes, such as the redemption of a refund.
        details: what else the vendor keeps of it, as JSON values.
    """

    id: str
    voucher_id: str
    kind: str
    amount: int
    at: datetime
    state: ActivityState = "completed"
    reference: str | None = None
    linked_id: str | None = None
    details: dict[str, Any] = field(factory=dict, repr=False)


def _show_every_activity(_: Activity) -> bool:
    return True


class ActivityLedger:
    """The activities of all vouchers of a vendor. Use it under the simulator's lock.

    Args:
        activities: the first ones, in the order in which the vendor booked them.
    """

    def __init__(self, activities: Iterable[Activity] = ()) -> None:
        self._by_id: dict[str, Activity] = {}
        self._ids_by_voucher: dict[str, list[str]] = {}
        self._ids_by_link: dict[str, list[str]] = {}
        for activity in activities:
            self.add(activity)

    def __iter__(self) -> Iterator[Activity]:
        return iter(self._by_id.values())

    def __len__(self) -> int:
        return len(self._by_id)

    def get(self, activity_id: str) -> Activity | None:
        """Return the activity with this id."""
        return self._by_id.get(activity_id)

    def add(self, activity: Activity) -> Activity:
        """Book an activity, and return it. The vendor's rules come before: a balance may become negative.

        Raises:
            ValueError: if an activity has its id.
        """
        if activity.id in self._by_id:
            raise ValueError("an activity with this id is booked already")
        self._by_id[activity.id] = activity
        self._ids_by_voucher.setdefault(activity.voucher_id, []).append(activity.id)
        if activity.linked_id is not None:
            self._ids_by_link.setdefault(activity.linked_id, []).append(activity.id)
        return activity

    def settle(self, activity_id: str, state: ActivityState) -> Activity:
        """Complete or cancel a pending activity, and return it as it is then.

        Raises:
            LookupError: if no activity has this id.
            ValueError: if it is not pending.
        """
        activity = self._by_id[activity_id]
        if activity.state != "pending":
            raise ValueError(f"the activity is {activity.state}, not pending")
        self._by_id[activity_id] = evolve(activity, state=state)
        return self._by_id[activity_id]

    def of(self, voucher_id: str) -> list[Activity]:
        """Return the activities of a voucher, oldest first; of the same time, in the order of their booking."""
        activities = [self._by_id[activity_id] for activity_id in self._ids_by_voucher.get(voucher_id, ())]
        return sorted(activities, key=lambda activity: activity.at)

    def linked_to(self, activity_id: str) -> list[Activity]:
        """Return the activities that give back or undo this one, in the order of their booking."""
        return [self._by_id[linked_id] for linked_id in self._ids_by_link.get(activity_id, ())]

    def balance(self, voucher_id: str) -> int:
        """Return the value of a voucher in minor units: the sum of its completed activities."""
        return sum(activity.amount for activity in self.of(voucher_id) if activity.state == "completed")

    def held(self, voucher_id: str) -> int:
        """Return the part of the value, in minor units, that pending debits hold."""
        pending = (activity.amount for activity in self.of(voucher_id) if activity.state == "pending")
        return sum(-amount for amount in pending if amount < 0)

    def left_of(self, activity_id: str) -> int:
        """Return what is left of a redemption in minor units, after everything that was given back of it.

        Pending activities that give something back count, cancelled ones do not.

        Raises:
            LookupError: if no activity has this id.
        """
        linked = (activity.amount for activity in self.linked_to(activity_id) if activity.state != "cancelled")
        return -self._by_id[activity_id].amount - sum(linked)

    def ledger_voucher(
        self,
        voucher: StorableVoucher,
        *,
        currency: str,
        status: str,
        initial: int | None = None,
        valid_until: datetime | None = None,
        shows: Callable[[Activity], bool] = _show_every_activity,
        **details: Any,
    ) -> LedgerVoucher:
        """Return the true state of a voucher, for `Simulator.ledger`.

        Args:
            voucher: whose activities are counted.
            currency: of the voucher.
            status: the vendor's word.
            initial: its face value in minor units; by default what its first completed activity added.
            valid_until: the end of its validity.
            shows: whether an activity is a movement; a vendor whose API does not tell of the first one leaves it out.
            details: further members for tests, such as ``pin``.
        """
        activities = self.of(voucher.id)
        first = next((activity.amount for activity in activities if activity.state == "completed"), 0)
        return LedgerVoucher(
            id=voucher.id,
            code=voucher.code,
            currency=currency,
            initial=amount_text(first if initial is None else initial, currency),
            remaining=amount_text(self.balance(voucher.id), currency),
            reserved=amount_text(self.held(voucher.id), currency),
            status=status,
            valid_until=None if valid_until is None else valid_until.isoformat(),
            movements=tuple(
                LedgerMovement(
                    id=activity.id,
                    kind=activity.kind,
                    amount=amount_text(abs(activity.amount), currency),
                    reference=activity.reference,
                    at=activity.at.isoformat(),
                    state=activity.state,
                )
                for activity in activities
                if shows(activity)
            ),
            details=details,
        )

    def dump(self) -> list[dict[str, Any]]:
        """Return every activity as fresh JSON values."""
        records: list[dict[str, Any]] = to_records(list(self))
        return records

    def load(self, state: Any) -> None:
        """Replace all activities by those that `dump` returned."""
        loaded = ActivityLedger(from_records(list[Activity], state))
        self._by_id = loaded._by_id
        self._ids_by_voucher = loaded._ids_by_voucher
        self._ids_by_link = loaded._ids_by_link
