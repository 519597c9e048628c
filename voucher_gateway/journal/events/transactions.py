"""The numbers of PostgreSQL's transactions, by which a reader of events knows which transactions are over."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from voucher_gateway.journal.keys.keys import JournalKeys
from voucher_gateway.journal.keys.row_seals import CURSORS
from voucher_gateway.journal.schema import cursors, events


def forget_transactions(connection: Connection, keys: JournalKeys) -> None:
    """Set the numbers to 0, if they are of another server, whose later numbers this server has not reached yet.

    Call it when a journal was restored. The order is then that of the ids. A cursor goes back to the first event that
    its consumer has not read, so that none is left out.
    """
    if connection.dialect.name != "postgresql":
        return
    present = sa.text("(pg_current_xact_id()::text)::bigint")
    is_ahead = sa.select(sa.exists().where(events.c.transaction_id > 0, events.c.transaction_id > present))
    if not connection.scalar(is_ahead):
        return
    query = sa.select(cursors).where(cursors.c.transaction_id > 0)
    for cursor in [dict(row) for row in connection.execute(query).mappings()]:
        is_unread = sa.tuple_(events.c.transaction_id, events.c.id) > sa.tuple_(
            sa.literal(cursor["transaction_id"]), sa.literal(cursor["event_id"])
        )
        unread = connection.scalar(sa.select(sa.func.min(events.c.id)).where(is_unread))
        place = cursor["event_id"] if unread is None else min(cursor["event_id"], unread - 1)
        own = cursors.c.name == cursor["name"]
        moved_back = CURSORS.seal_again(keys, cursor, {**cursor, "transaction_id": 0, "event_id": place})
        connection.execute(sa.update(cursors).where(own).values(moved_back))
    connection.execute(sa.update(events).where(events.c.transaction_id > 0).values(transaction_id=0))
