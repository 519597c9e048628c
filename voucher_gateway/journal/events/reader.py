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
from voucher_gateway.storage.waits import allow_long_statements

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


class EventReader:
    """Reads events from a place on, the oldest first, and keeps the place. No transaction stays open between two reads.

    Args:
        database: the journal's.
        after: the place after which it begins.
        kinds: only events of these kinds; all if none is named.
        order: only events of this order of the shop.
    """

    def __init__(
        self, database: Database, after: EventPosition, *, kinds: Collection[str] = (), order: str | None = None
    ) -> None:
        self._database = database
        self._position = after
        self._kinds = kinds
        self._order = order

    def read(self, limit: int = PAGE) -> list[Event]:
        """Return the next events. There are less than `limit` only if there are no more now."""
        # Events of other kinds are not read again: the place moves past all that was there before this read.
        end = read_end(self._database) if self._kinds or self._order is not None else EventPosition()
        batch = read_events(self._database, self._position, kinds=self._kinds, order=self._order, limit=limit)
        if batch:
            self._position = EventPosition.parse(batch[-1].cursor)
        if len(batch) < limit:
            self._position = max(self._position, end)
        return batch


def iterate_events(reader: EventReader, *, limit: int | None = None, follow: bool = False) -> Iterator[Event]:
    """Iterate over events, the oldest first. No transaction stays open while the caller has an event.

    Args:
        reader: reads them.
        limit: at most this many.
        follow: whether to wait for later events at the end, without an end.
    """
    return islice(_iterate(reader, PAGE if limit is None else max(1, min(limit, PAGE)), follow), limit)


def _iterate(reader: EventReader, page: int, follow: bool) -> Iterator[Event]:
    while True:
        batch = reader.read(page)
        yield from batch
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
    """Return the next events after a place, the oldest first; see `EventReader`."""
    query = sa.select(*_COLUMNS).limit(limit)
    if kinds:
        query = query.where(events.c.kind.in_(sorted(kinds)))
    if order is not None:
        query = query.where(events.c.order_number == order)
    with allow_long_statements(), database.read() as connection:  # there may be few of these kinds among millions
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
