"""Removes rows in one transaction, together with all that belongs to them, and keeps what must stay of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from voucher_gateway.instants import parse_instant
from voucher_gateway.journal.events.erase import erase_events
from voucher_gateway.journal.keys.keys import JournalKeys
from voucher_gateway.journal.pruned.pruned import PAYMENT, SALE, Remainder, insert_remainders
from voucher_gateway.journal.records import OperationRecord
from voucher_gateway.journal.schema import events, holds, operations, requests
from voucher_gateway.money import Money
from voucher_gateway.payments.rows.schema import legs, payments, refund_parts
from voucher_gateway.payments.rows.schema import refunds as payment_refunds
from voucher_gateway.sales.schema import sales
from voucher_gateway.upkeep.batches import Known
from voucher_gateway.upkeep.eligibility import Scope, removable_operations, removable_payments, removable_sales

_OF_PAYMENT: Final = (refund_parts, payment_refunds, legs)


def remove_operations(connection: Connection, keys: JournalKeys, scope: Scope, known: Known) -> int:
    """Remove operations with their requests and reservations, and return how many were removed.

    Args:
        connection: in a transaction.
        keys: the journal's.
        scope: what may be removed. Rows that do not meet its conditions any more stay.
        known: which operations.
    """
    query = sa.select(operations).where(operations.c.id.in_(list(known)), *removable_operations(scope))
    rows = _lock_rows(connection, query, operations, known)
    ids = [row["id"] for row in rows]
    remainders = [Remainder.of_operation(OperationRecord.from_row(row)) for row in rows]
    insert_remainders(connection, keys, remainders)
    erase_events(connection, keys, events.c.subject.in_(ids))
    connection.execute(sa.delete(requests).where(requests.c.operation_id.in_(ids)))
    connection.execute(sa.delete(holds).where(holds.c.operation_id.in_(ids)))
    connection.execute(sa.delete(operations).where(operations.c.id.in_(ids)))
    return len(ids)


def remove_payments(connection: Connection, keys: JournalKeys, scope: Scope, known: Known) -> int:
    """Remove all payments of the orders of some payments, and return how many were removed; as `remove_operations`."""
    orders = sa.select(payments.c.order_number).where(payments.c.id.in_(list(known)))
    query = sa.select(payments).where(payments.c.order_number.in_(orders), *removable_payments(scope))
    rows = _whole_orders(connection, _lock_rows(connection, query, payments, known, by_order=True))
    latest: dict[str, Mapping[str, Any]] = {}
    for row in sorted(rows, key=_attempt_of):
        latest[row["order_number"]] = row
    insert_remainders(connection, keys, [_remainder_of_payment(row) for row in latest.values()])
    ids = [row["id"] for row in rows]
    erase_events(connection, keys, events.c.subject.in_(ids))
    for table in _OF_PAYMENT:
        connection.execute(sa.delete(table).where(table.c.payment_id.in_(ids)))
    connection.execute(sa.delete(payments).where(payments.c.id.in_(ids)))
    return len(ids)


def remove_sales(connection: Connection, keys: JournalKeys, scope: Scope, known: Known) -> int:
    """Remove sales, and return how many were removed; as `remove_operations`."""
    query = sa.select(sales).where(sales.c.id.in_(list(known)), *removable_sales(scope))
    rows = _lock_rows(connection, query, sales, known)
    ids = [row["id"] for row in rows]
    insert_remainders(connection, keys, [_remainder_of_sale(row) for row in rows])
    erase_events(connection, keys, events.c.subject.in_(ids))
    connection.execute(sa.delete(sales).where(sales.c.id.in_(ids)))
    return len(rows)


def _lock_rows(
    connection: Connection, query: sa.Select[Any], table: sa.Table, known: Known, *, by_order: bool = False
) -> Sequence[Mapping[str, Any]]:
    """Return the rows of a query that are as they were archived. A row that another worker changes now is left out.

    Args:
        connection: in a transaction.
        query: the rows.
        table: whose rows are locked.
        known: the rows that were asked for. If they were archived, no other row is returned.
        by_order: whether all rows of an order are left out if one of them is not as it was archived.
    """
    locking = query.with_for_update(of=table, skip_locked=True)
    rows = [dict(row) for row in connection.execute(locking).mappings()]
    is_archived = any(moment is not None for moment in known.values())
    if not is_archived:
        return rows
    differing = [row for row in rows if known.get(row["id"]) != row["updated_at"]]
    if by_order:
        orders = {row["order_number"] for row in differing}
        return [row for row in rows if row["order_number"] not in orders]
    return [row for row in rows if row not in differing]


def _whole_orders(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the payments of the orders of which no payment is missing among the rows."""
    orders = {row["order_number"] for row in rows}
    query = (
        sa.select(payments.c.order_number, sa.func.count())
        .where(payments.c.order_number.in_(orders))
        .group_by(payments.c.order_number)
    )
    counts = Counter(row["order_number"] for row in rows)
    whole = {order for order, count in connection.execute(query) if counts[order] == count}
    return [row for row in rows if row["order_number"] in whole]


def _attempt_of(row: Mapping[str, Any]) -> int:
    return int(row["attempt"])


def _remainder_of_payment(row: Mapping[str, Any]) -> Remainder:
    return Remainder(
        verb=PAYMENT,
        name=row["order_number"],
        state=row["state"],
        created_at=parse_instant(row["created_at"]),
        money=Money(row["total"], row["currency"]),
    )


def _remainder_of_sale(row: Mapping[str, Any]) -> Remainder:
    return Remainder(
        verb=SALE,
        name=row["name"],
        state=row["state"],
        created_at=parse_instant(row["created_at"]),
        money=Money(row["amount"], row["currency"]),
    )
