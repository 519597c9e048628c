"""Requests that overwrite a voucher's value, and whether one of them can still take effect."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from voucher_gateway.database.schema import operations, requests
from voucher_gateway.journal.records import Entry, Key, State


def open_overwrite(connection: Connection, entry: Entry, voucher_id: str) -> Key | None:
    """Return another operation that overwrites this voucher's value and is not settled; None if there is none."""
    query = (
        sa.select(operations)
        .join(requests, requests.c.operation_id == operations.c.id)
        .where(
            operations.c.provider == entry.target.provider,
            operations.c.host == entry.target.host,
            operations.c.voucher_id == voucher_id,
            operations.c.id != entry.id,
            operations.c.state.in_([State.OPEN.value, State.UNKNOWN.value]),
            requests.c.step == "update",
        )
        .limit(1)
    )
    row = connection.execute(query).mappings().first()
    return None if row is None else Entry.from_row(dict(row)).key
