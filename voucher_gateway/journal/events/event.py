"""One event, as a reader gets it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, Self

import attrs

from voucher_gateway.errors import InvalidRequest
from voucher_gateway.instants import format_instant, parse_instant
from voucher_gateway.journal.events.kinds import EventKind
from voucher_gateway.money import Money

_POSITION: Final = re.compile(r"([0-9]{1,19})-([0-9]{1,19})", re.ASCII)
_GREATEST: Final = 2**63 - 1
_KINDS: Final = frozenset(EventKind)


@attrs.frozen(order=True)
class EventPosition:
    """A place in the order of events.

    PostgreSQL gives ids in the order of the inserts, and a transaction may commit after one that began later. So the
    number of the transaction stands first. In SQLite it is always 0.

    Attributes:
        transaction_id: the number of the transaction.
        event_id: the id of the event.
    """

    transaction_id: int = 0
    event_id: int = 0

    @classmethod
    def parse(cls, cursor: object) -> Self:
        """Return the place that a cursor names.

        Raises:
            InvalidRequest: if it is not a cursor.
        """
        match = _POSITION.fullmatch(cursor) if isinstance(cursor, str) else None
        numbers = [] if match is None else [int(number) for number in match.groups()]
        if not numbers or max(numbers) > _GREATEST:
            raise InvalidRequest(
                "after must be the cursor of an event, such as 0-17", field="after", rule="the cursor of an event"
            )
        return cls(*numbers)

    def __str__(self) -> str:
        return f"{self.transaction_id}-{self.event_id}"


@attrs.frozen(kw_only=True)
class Event:
    """Something that happened: to an operation, a payment, a sale, an account or the journal.

    It holds no code and no PIN.

    Attributes:
        cursor: its place; `Gateway.events` goes on after it.
        at: when it happened.
        kind: what happened. A later version of this library may write kinds that this one does not know.
        subject: the journal's id of the operation, the payment or the sale; the name of the account.
        account: the account; None if it is not about one account.
        order: the shop's order number, or None.
        reference: the caller's reference of the operation.
        voucher_id: the vendor's id of the voucher, as far as it is known.
        money: the amount, if there is one.
        state: the state of the subject afterwards.
        data: all that the event says, by name.
        is_erased: whether the order and the data were erased later, for data protection or by a prune.
    """

    cursor: str
    at: datetime
    kind: EventKind | str
    subject: str
    account: str | None = None
    order: str | None = None
    reference: str | None = None
    voucher_id: str | None = None
    money: Money | None = None
    state: str | None = None
    data: Mapping[str, Any] = attrs.field(factory=dict, hash=False)
    is_erased: bool = False

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """Return the event of a row."""
        data: dict[str, Any] = json.loads(row["data"]) if row["data"] else {}
        amount, currency = data.get("amount"), data.get("currency")
        has_money = isinstance(amount, str) and isinstance(currency, str)
        account = data.get("account")
        if account is None and row["kind"].startswith("account."):
            account = row["subject"]
        return cls(
            cursor=str(EventPosition(row["transaction_id"], row["id"])),
            at=parse_instant(row["at"]),
            kind=EventKind(row["kind"]) if row["kind"] in _KINDS else row["kind"],
            subject=row["subject"],
            account=account,
            order=row["order_number"],
            reference=data.get("reference"),
            voucher_id=data.get("voucher_id"),
            money=Money(Decimal(str(amount)), str(currency)) if has_money else None,
            state=data.get("state"),
            data=data,
            is_erased=row["erased"] is not None,
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the event in the types of JSON, for a task queue or a log."""
        return {
            "cursor": self.cursor,
            "at": format_instant(self.at),
            "kind": str(self.kind),
            "subject": self.subject,
            "account": self.account,
            "order": self.order,
            "reference": self.reference,
            "voucher_id": self.voucher_id,
            "amount": None if self.money is None else f"{self.money.amount:f}",
            "currency": None if self.money is None else self.money.currency,
            "state": self.state,
            "data": dict(self.data),
            "is_erased": self.is_erased,
        }
