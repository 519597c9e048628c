"""What may be removed from a journal, some rows at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final

import sqlalchemy as sa

from voucher_gateway.instants import now
from voucher_gateway.journal.schema import operations
from voucher_gateway.payments.rows.schema import payments
from voucher_gateway.sales.schema import sales
from voucher_gateway.storage.engine import Database
from voucher_gateway.upkeep.eligibility import Scope, removable_operations, removable_payments, removable_sales

PAYMENTS: Final = "payments"
SALES: Final = "sales"
OPERATIONS: Final = "operations"
"""The kinds of rows."""

BATCH: Final = 200
"""How many rows one transaction removes. In SQLite no other worker writes for as long as it takes."""

Known = Mapping[str, str | None]
"""The ids of rows, each with the moment of its last change in an archive; None where it is not archived."""


def iterate_batches(database: Database, before: datetime, *, with_order: bool = False) -> Iterator[tuple[str, Known]]:
    """Yield what may be removed: the kind of the rows, and their ids. Payments and sales come first.

    Args:
        database: the journal's.
        before: only what changed last before this moment.
        with_order: whether to yield the operations whose payments and sales may be removed, and are still there.
    """
    with database.read() as connection:
        scope = Scope.read(connection, at=now(), before=before)
    queries: list[tuple[str, sa.Table, list[sa.ColumnElement[bool]]]] = []
    if scope.has_payments:
        queries.append((PAYMENTS, payments, removable_payments(scope)))
    if scope.has_sales:
        queries.append((SALES, sales, removable_sales(scope)))
    queries.append((OPERATIONS, operations, removable_operations(scope, with_order=with_order)))
    for kind, table, conditions in queries:
        last = ""
        while True:
            query = sa.select(table.c.id).where(table.c.id > last, *conditions).order_by(table.c.id).limit(BATCH)
            with database.read() as connection:
                ids = list(connection.scalars(query))
            if not ids:
                break
            yield kind, dict.fromkeys(ids)
            last = ids[-1]
