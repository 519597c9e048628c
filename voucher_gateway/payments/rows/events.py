"""The events of payments, and the digests that cover the rows of a payment, its legs and its refunds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from voucher_gateway.journal.events.append import append_event
from voucher_gateway.journal.events.digests import rows_digest
from voucher_gateway.journal.events.kinds import EventKind
from voucher_gateway.journal.keys.keys import JournalKeys
from voucher_gateway.payments.rows.refund_records import PaymentRefund
from voucher_gateway.payments.rows.schema import legs, payments, refund_parts, refunds
from voucher_gateway.payments.rows.states import PaymentState
from voucher_gateway.storage.statements import PreparedStatement

UNCOVERED: Final = frozenset({"epoch", "updated_at", "attention"})
"""The columns of a payment that no digest covers: they change without an event."""

_UNCOVERED_OF_LEGS: Final = frozenset({"account", "sealed_code", "sealed_pin"})  # an account can be renamed

COVERED_COLUMNS: Final[Mapping[str, Sequence[str]]] = {
    "payment": tuple(column.name for column in payments.c if column.name not in UNCOVERED),
    "legs": tuple(column.name for column in legs.c if column.name not in _UNCOVERED_OF_LEGS),
    "refunds": tuple(column.name for column in refunds.c),
    "parts": tuple(column.name for column in refund_parts.c),
}
"""The columns of each table that a digest covers, in the order of the digests."""

KIND_OF_STATE: Final = {
    PaymentState.OPEN: EventKind.PAYMENT_REOPENED,
    PaymentState.AUTHORIZED: EventKind.PAYMENT_AUTHORIZED,
    PaymentState.CAPTURING: EventKind.PAYMENT_CAPTURING,
    PaymentState.CAPTURED: EventKind.PAYMENT_CAPTURED,
    PaymentState.SHORT: EventKind.PAYMENT_SHORT,
    PaymentState.CANCELLING: EventKind.PAYMENT_CANCELLING,
    PaymentState.CANCELLED: EventKind.PAYMENT_CANCELLED,
}
"""The kind of the event of a change into a state."""


def _of_payment(table: sa.Table, *order: sa.Column[Any]) -> PreparedStatement:
    return PreparedStatement(sa.select(table).where(table.c.payment_id == sa.bindparam("id")).order_by(*order))


_PAYMENT: Final = PreparedStatement(sa.select(payments).where(payments.c.id == sa.bindparam("id")))
_LEGS: Final = _of_payment(legs, legs.c.number)
_REFUNDS: Final = _of_payment(refunds, refunds.c.number)
_PARTS: Final = _of_payment(refund_parts, refund_parts.c.refund, refund_parts.c.leg)

_Rows = Sequence[Mapping[str, Any]]


@attrs.frozen
class PaymentRows:
    """The rows of one payment.

    Attributes:
        payment: its own.
        legs: those of its legs, by number.
        refunds: those of its refunds, by number.
        parts: those of the parts of its refunds, by refund and leg.
    """

    payment: Mapping[str, Any]
    legs: _Rows
    refunds: _Rows
    parts: _Rows

    def digest(self, keys: JournalKeys, *, key_id: str | None = None) -> str:
        """Return the digests of the payment, its legs, its refunds and their parts."""
        digests = []
        for table, names in COVERED_COLUMNS.items():
            values = [[row[name] for name in names] for row in self.of(table)]
            digests.append(rows_digest(keys, table, values, key_id=key_id))
        return ".".join(digests)

    def of(self, table: str) -> _Rows:
        """Return the rows of one of the tables in `COVERED_COLUMNS`."""
        return {"payment": (self.payment,), "legs": self.legs, "refunds": self.refunds, "parts": self.parts}[table]

    def describe(self) -> dict[str, object]:
        """Return what an event tells of the payment."""
        payment = self.payment
        return {
            "state": payment["state"],
            "attempt": payment["attempt"],
            "amount": payment["total"],
            "currency": payment["currency"],
            "short_by": payment["short_by"],
            "legs": [{name: leg[name] for name in _TOLD_OF_LEGS if leg[name] is not None} for leg in self.legs],
        }


_TOLD_OF_LEGS: Final = ("number", "account", "voucher_id", "amount", "state", "taken", "returned")


def append_payment_event(
    connection: Connection,
    keys: JournalKeys,
    kind: EventKind,
    payment_id: str,
    *,
    refund: PaymentRefund | None = None,
) -> None:
    """Append an event of a payment, whose rows are written already.

    Args:
        connection: in the transaction that writes them.
        keys: the journal's.
        kind: what happened.
        payment_id: the payment's id.
        refund: the refund that the event is about; None if it is about none.
    """
    rows = read_payment(connection, payment_id)
    data = rows.describe()
    if refund is not None:
        data |= {"refund": refund.number, "reference": refund.reference, "amount": f"{refund.amount.amount:f}"}
    order = rows.payment["order_number"]
    append_event(connection, keys, kind, payment_id, data, order=order, row_digest=rows.digest(keys))


def read_payment(connection: Connection, payment_id: str) -> PaymentRows:
    """Return the rows of a payment."""
    of_payment = {"id": payment_id}
    payment = _PAYMENT.first_row(connection, of_payment)
    assert payment is not None
    return PaymentRows(
        payment,
        _LEGS.all_rows(connection, of_payment),
        _REFUNDS.all_rows(connection, of_payment) if payment["refunds"] else (),
        _PARTS.all_rows(connection, of_payment) if payment["refunds"] else (),
    )
