"""Reads events in an order in which none is left out, however late its transaction commits."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from itertools import islice
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import BigInteger
from sqlalchemy.engine import Connection

from voucher_gateway.errors import InvalidRequest
from voucher_gateway.journal.events.event import Event, EventPosition
from voucher_gateway.journal.schema import events
from voucher_gateway.storage.engine import Database

POLL_S: Final = 0.5
"""How often a reader that waits for events looks again, in seconds."""

PAGE: Final = 200
"""How many events are read at a time."""

_COLUMNS: Final = (
    events.c.id,
    events.c.transaction_id,
    events.c.at,
    events.c.kind,
    events.c.subject,
    events.c.order_number,
    events.c.data,
    events.c.erased,
)
# All transactions below it have ended; one at or above it may still commit an event. It is read in the same snapshot as
# the events.
_FIRST_OPEN: Final[sa.ColumnElement[int]] = sa.literal_column(
    "CAST(CAST(pg_snapshot_xmin(pg_current_snapshot()) AS text) AS bigint)", BigInteger
)
_NEXT_TRANSACTION: Final[sa.ColumnElement[int]] = sa.literal_column(
    "CAST(CAST(pg_snapshot_xmax(pg_current_snapshot()) AS text) AS bigint)", BigInteger
)
_LAST_ID: Final = 2**63 - 1


def iterate_events(
    database: Database,
    *,
    after: EventPosition,
    kinds: Collection[str] = (),
    order: str | None = None,
    limit: int | None = None,
    follow: bool = False,
) -> Iterator[Event]:
    """Iterate over events, the oldest first. No transaction stays open while the caller has an event.

    Args:
        database: the journal's.
        after: the place after which it begins.
        kinds: only events of these kinds; all if there is none.
        order: only events of this order of the shop.
        limit: at most this many.
        follow: whether to wait for later events at the end, without an end.
    """
    return islice(
        _iterate(database, after, kinds, order, PAGE if limit is None else max(1, min(limit, PAGE)), follow), limit
    )


def _iterate(
    database: Database, position: EventPosition, kinds: Collection[str], order: str | None, page: int, follow: bool
) -> Iterator[Event]:
    while True:
        batch = read_events(database, position, kinds=kinds, order=order, limit=page)
        yield from batch
        if batch:
            position = EventPosition.parse(batch[-1].cursor)
        if len(batch) == page:
            continue
        if not follow:
            return
        time.sleep(POLL_S)


def read_events(
    database: Database,
    after: EventPosition,
    *,
    kinds: Collection[str] = (),
    order: str | None = None,
    limit: int = PAGE,
) -> list[Event]:
    """Return the next events after a place, the oldest first; see `iterate_events`."""
    query = sa.select(*_COLUMNS).limit(limit)
    if kinds:
        query = query.where(events.c.kind.in_(sorted(kinds)))
    if order is not None:
        query = query.where(events.c.order_number == order)
    with database.read() as connection:
        if database.is_sqlite:
            rows = _rows(connection, query.where(events.c.id > after.event_id).order_by(events.c.id))
        else:
            rows = _read_from_postgres(connection, query, after, limit)
    return [Event.from_row(row) for row in rows]


def _read_from_postgres(
    connection: Connection, query: sa.Select[Any], after: EventPosition, limit: int
) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    if after.transaction_id == 0:
        # Events of a restored journal have no transaction. Their ids are below those of all later ones.
        restored = query.where(events.c.transaction_id == 0, events.c.id > after.event_id).order_by(events.c.id)
        first_later = connection.scalar(_in_order(sa.select(events.c.id)).limit(1))
        rows = _rows(connection, restored if first_later is None else restored.where(events.c.id < first_later))
    if len(rows) < limit:
        place = sa.tuple_(sa.literal(after.transaction_id), sa.literal(after.event_id))
        later = _in_order(query).where(sa.tuple_(events.c.transaction_id, events.c.id) > place)
        rows += _rows(connection, later.where(events.c.transaction_id < _FIRST_OPEN).limit(limit - len(rows)))
    return rows


def _in_order(query: sa.Select[Any]) -> sa.Select[Any]:
    return query.where(events.c.transaction_id > 0).order_by(events.c.transaction_id, events.c.id)


def _rows(connection: Connection, query: sa.Select[Any]) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.execute(query).mappings()]


def read_end(database: Database) -> EventPosition:
    """Return the place after all events whose transactions have ended. Events that are committed from now on follow."""
    with database.read() as connection:
        if database.is_sqlite:
            return EventPosition(0, connection.scalar(sa.select(sa.func.max(events.c.id))) or 0)
        return EventPosition((connection.scalar(sa.select(_FIRST_OPEN)) or 1) - 1, _LAST_ID)


def check_position(database: Database, position: EventPosition) -> None:
    """Make sure that a place can be one of this database.

    Raises:
        InvalidRequest: if its transaction has not begun yet. It is of another server, such as one before a restore.
    """
    if position.transaction_id == 0:
        return
    with database.read() as connection:
        next_transaction = 0 if database.is_sqlite else connection.scalar(sa.select(_NEXT_TRANSACTION)) or 0
    if position.transaction_id >= next_transaction:
        raise InvalidRequest(
            "after is the cursor of an event of another database, such as one before a restore: begin without it",
            field="after",
            rule="the cursor of an event of this journal",
        )
