"""Erases the data of one order, where a person has the right to that.

It keeps what a prune keeps: no reference of the order is sent again, and its redemptions are not refunded twice. That
needs keyed digests only, which show neither the order nor the voucher.
"""

from __future__ import annotations

from typing import Any, Final

import attrs
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from voucher_gateway.capabilities import Operation
from voucher_gateway.errors import OperationInProgress
from voucher_gateway.instants import now
from voucher_gateway.journal.events.append import append_event
from voucher_gateway.journal.events.erase import erase_events
from voucher_gateway.journal.events.kinds import EventKind
from voucher_gateway.journal.journal import Journal
from voucher_gateway.journal.pruned.pruned import ORDER, Remainder, find_pruned, insert_remainders
from voucher_gateway.journal.records import read_result
from voucher_gateway.journal.schema import events, operations
from voucher_gateway.models.requests import nfc, require_name
from voucher_gateway.payments.rows.schema import payments
from voucher_gateway.process.loggers import get_logger
from voucher_gateway.sales.schema import sales
from voucher_gateway.storage.waits import allow_long_statements
from voucher_gateway.upkeep.batches import BATCH
from voucher_gateway.upkeep.eligibility import Scope, conditions_of_end, removable_payments, removable_sales
from voucher_gateway.upkeep.prune import hold_upkeep_lock
from voucher_gateway.upkeep.removal import remove_operations, remove_payments, remove_sales

log: Final = get_logger("voucher_gateway.upkeep")

FORGOTTEN: Final = "forgotten"
"""The state of an order whose data was erased."""

_FOLLOWING: Final = (Operation.CAPTURE.value, Operation.RELEASE.value, Operation.REFUND.value)
"""Operations that name a result of an earlier one, and may name no order."""


@attrs.frozen(kw_only=True)
class ForgetSummary:
    """What was erased of an order.

    Attributes:
        operations: how many operations.
        payments: how many payments.
        sales: how many sales.
    """

    operations: int
    payments: int
    sales: int


@allow_long_statements()
def forget(journal: Journal, order: str) -> ForgetSummary:
    """Erase what the journal has of an order. If it is killed, call it again.

    Of an order that the journal does not know, nothing is erased and nothing is written.

    Raises:
        InvalidRequest: if the text cannot be an order.
        OperationInProgress: if something of the order may still change. Nothing is erased then.
        DatabaseUnavailable: if the database fails. What was erased until then stays erased.
    """
    order = nfc(order)
    require_name(order, "order")
    counts = {"payments": 0, "sales": 0, "operations": 0}
    with hold_upkeep_lock(journal.database):
        is_first = True
        while True:
            with journal.database.write() as connection:
                scope = Scope.read(connection, at=now(), before=None)
                ids = _ids_of_order(connection, order)
                if is_first:
                    _require_over(connection, scope, order, ids)
                    _remove_whole(connection, journal, scope, order, counts)
                some = ids[:BATCH]
                removed = remove_operations(connection, journal.keys, scope, dict.fromkeys(some))
                counts["operations"] += removed
                is_done = len(ids) == removed
                if is_done:
                    _finish(connection, journal, order, counts)
            if is_done:
                break
            if removed == 0:
                raise OperationInProgress("another worker has taken up the order again; erase it when that is done")
            is_first = False
    log.info("erased an order: %(operations)d operations, %(payments)d payments, %(sales)d sales", counts)
    return ForgetSummary(**counts)


def _ids_of_order(connection: Connection, order: str) -> list[str]:
    """Return the ids of the operations of an order, those first that took, released or gave back what others made."""
    query = sa.select(operations.c.id, operations.c.host, operations.c.result).where(operations.c.order_number == order)
    ids: dict[str, None] = {}
    results: list[tuple[str, str]] = []
    for row in connection.execute(query.order_by(operations.c.id)):
        ids[row.id] = None
        if row.result is not None and (result_id := getattr(read_result(row.result), "id", None)) is not None:
            results.append((row.host, result_id))
    following: dict[str, None] = {}
    while results:
        host, result_id = results.pop()
        names_it: Any = (
            operations.c.order_number.is_(None)
            & (operations.c.host == host)
            & (operations.c.target == result_id)
            & operations.c.verb.in_(_FOLLOWING)
        )
        for row in connection.execute(
            sa.select(operations.c.id, operations.c.host, operations.c.result).where(names_it)
        ):
            if row.id in following:
                continue
            following[row.id] = None
            if row.result is not None and (next_id := getattr(read_result(row.result), "id", None)) is not None:
                results.append((host, next_id))
    return list(following | ids)


def _require_over(connection: Connection, scope: Scope, order: str, ids: list[str]) -> None:
    """Check that nothing of an order may still change.

    Raises:
        OperationInProgress: if something may.
    """
    over: set[str] = set()
    for first in range(0, len(ids), BATCH):
        some = ids[first : first + BATCH]
        over.update(
            connection.scalars(sa.select(operations.c.id).where(operations.c.id.in_(some), *conditions_of_end(scope)))
        )
    count = len(ids) - len(over)
    open_things = [f"{count} operation{'' if count == 1 else 's'}"] if count else []
    for name, table, conditions, is_there in (
        ("its payment", payments, removable_payments(scope), scope.has_payments),
        ("a sale", sales, removable_sales(scope), scope.has_sales),
    ):
        if is_there:
            of_order = table.c.order_number == order
            unfinished = sa.select(table.c.id).where(of_order, ~sa.and_(*conditions)).limit(1)
            if connection.execute(unfinished).first() is not None:
                open_things.append(name)
    if open_things:
        raise OperationInProgress(
            f"the order cannot be erased yet: {' and '.join(open_things)} may still change. `explain` shows them;"
            " resolve, release, cancel or deliver what is open first"
        )


def _remove_whole(connection: Connection, journal: Journal, scope: Scope, order: str, counts: dict[str, int]) -> None:
    """Remove all payments and sales of an order."""
    for name, table, remove, is_there in (
        ("payments", payments, remove_payments, scope.has_payments),
        ("sales", sales, remove_sales, scope.has_sales),
    ):
        if is_there:
            ids = list(connection.scalars(sa.select(table.c.id).where(table.c.order_number == order)))
            for first in range(0, len(ids), BATCH):
                known = dict.fromkeys(ids[first : first + BATCH])
                counts[name] += remove(connection, journal.keys, scope, known)


def _finish(connection: Connection, journal: Journal, order: str, counts: dict[str, int]) -> None:
    """Erase the events of an order, and write that it was erased if anything was."""
    erase_events(connection, journal.keys, events.c.order_number == order)
    if not any(counts.values()):
        return  # the order may be a wrong one; and what an earlier call erased is written already
    if find_pruned(connection, journal.keys, ORDER, order) is None:
        marker = Remainder(verb=ORDER, name=order, state=FORGOTTEN, created_at=now())
        insert_remainders(connection, journal.keys, [marker])
    append_event(connection, journal.keys, EventKind.JOURNAL_FORGOTTEN, "journal", dict(counts))
