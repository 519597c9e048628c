"""The events of sales, and the digest that covers the row of a sale."""

from __future__ import annotations

from typing import Final

import attrs
from sqlalchemy.engine import Connection

from voucher_gateway.journal.events.append import append_event
from voucher_gateway.journal.events.digests import rows_digest
from voucher_gateway.journal.events.kinds import EventKind
from voucher_gateway.journal.keys.keys import JournalKeys
from voucher_gateway.sales.records import STOPPED, SaleRow, SaleState

_UNCOVERED: Final = frozenset(
    {"account", "sealed_code", "sealed_pin", "seal_key_id", "attention", "epoch", "updated_at"}
)
"""The columns that no digest covers: they change without an event, or hold what is erased later."""

COVERED_COLUMNS: Final = tuple(field.name for field in attrs.fields(SaleRow) if field.name not in _UNCOVERED)

_KIND_OF_STATE: Final = {
    SaleState.OPEN: EventKind.SALE_CHANGED,
    SaleState.PREPARED: EventKind.SALE_PREPARED,
    SaleState.FULFILLING: EventKind.SALE_FULFILLING,
    SaleState.FULFILLED: EventKind.SALE_FULFILLED,
    SaleState.DELIVERED: EventKind.SALE_DELIVERED,
    SaleState.REVOKING: EventKind.SALE_REVOKING,
    SaleState.REVOKED: EventKind.SALE_REVOKED,
}


def append_sale_event(connection: Connection, keys: JournalKeys, kind: EventKind, row: SaleRow) -> None:
    """Append an event of a sale, whose row is written already.

    Args:
        connection: in the transaction that writes it.
        keys: the journal's.
        kind: what happened.
        row: the sale as it is now.
    """
    data = {
        "account": row.account,
        "reference": row.name,
        "voucher_id": row.voucher_id,
        "amount": row.amount,
        "currency": row.currency,
        "state": row.state.value,
        "batch": row.batch,
        "spent": row.spent,
        "rest": row.rest,
    }
    append_event(connection, keys, kind, row.id, data, order=row.order_number, row_digest=sale_digest(keys, row))


def kind_of_change(before: SaleRow, after: SaleRow) -> EventKind | None:
    """Return what a change of a sale is called; None if nothing changed that the digest covers."""
    if after.state is not before.state:
        is_restored = before.state in STOPPED and after.state not in STOPPED
        return EventKind.SALE_RESTORED if is_restored else _KIND_OF_STATE[after.state]
    if _values_of_digest(before) != _values_of_digest(after) or before.account != after.account:
        return EventKind.SALE_CHANGED
    return None


def sale_digest(keys: JournalKeys, row: SaleRow, *, key_id: str | None = None) -> str:
    """Return the digest of all that is covered of a sale."""
    return rows_digest(keys, "sale", [_values_of_digest(row)], key_id=key_id)


def _values_of_digest(row: SaleRow) -> list[object]:
    return [row.state.value if name == "state" else getattr(row, name) for name in COVERED_COLUMNS]
