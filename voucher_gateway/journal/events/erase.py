"""Erases the data of events, and deletes the oldest events, so that an audit still finds every other change.

An erased event keeps its digests, and gets a proof that only the journal's key can make. The oldest events of a chain
are deleted once all of them are erased: the chain then begins with the digest of the last one that was deleted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from voucher_gateway.journal.events.digests import (
    chain_mac,
    erasure_proof,
    event_digest,
    has_own_content,
    is_own_chain,
)
from voucher_gateway.journal.keys.keys import JournalKeys, is_same_digest
from voucher_gateway.journal.schema import chains, events

_ABOUT_ALL: Final = ("journal.", "account.")
_ERASE: Final = (
    sa.update(events)
    .where(events.c.id == sa.bindparam("erased_id"))
    .values(data=None, order_number=None, row_digest=None, erased=sa.bindparam("proof"))
)


def erase_events(connection: Connection, keys: JournalKeys, condition: sa.ColumnElement[bool]) -> int:
    """Erase the data and the orders of events, and return of how many.

    Args:
        connection: in a transaction.
        keys: the journal's.
        condition: which events.
    """
    columns = (events.c.id, events.c.chain, events.c.number, events.c.content, events.c.key_id)
    query = sa.select(*columns).where(condition, events.c.erased.is_(None))
    rows = [dict(row) for row in connection.execute(query).mappings()]
    values = [
        {"erased_id": row["id"], "proof": erasure_proof(keys, row, key_id=row["key_id"])}
        for row in rows
        if row["key_id"] in keys.keys
    ]
    if values:
        connection.execute(_ERASE, values)
    return len(values)


def drop_chain_start(connection: Connection, keys: JournalKeys, chain_id: int, before: str, *, limit: int) -> int:
    """Delete the first events of a chain, as far as they are old and not needed, and return how many.

    These are the erased ones, and those about the journal or an account. A chain that something else changed keeps its
    events from the first changed one on, so that an audit finds it afterwards, too.

    Args:
        connection: in a transaction.
        keys: the journal's.
        chain_id: the chain.
        before: only events before this moment, as text.
        limit: at most this many.
    """
    query = sa.select(chains).where(chains.c.id == chain_id).with_for_update()
    chain = dict(connection.execute(query).mappings().one())
    if not is_own_chain(keys, chain):
        return 0
    first = sa.select(events).where(events.c.chain == chain_id).order_by(events.c.id).limit(limit)
    dropped, number, digest = 0, chain["first_number"], chain["first_digest"]
    last: Mapping[str, Any] = {}
    for row in map(dict, connection.execute(first).mappings()):
        is_needed = row["erased"] is None and not row["kind"].startswith(_ABOUT_ALL)
        if is_needed or row["at"] >= before or not _continues(keys, number, digest, row):
            break
        dropped, number, digest, last = dropped + 1, number + 1, row["digest"], row
    if not dropped:
        return 0
    shorter = {**chain, "first_number": last["number"] + 1, "first_digest": last["digest"], "key_id": keys.newest}
    connection.execute(
        sa.update(chains)
        .where(chains.c.id == chain_id)
        .values(
            first_number=shorter["first_number"],
            first_digest=shorter["first_digest"],
            mac=chain_mac(keys, shorter),
            key_id=keys.newest,
        )
    )
    of_start = (events.c.chain == chain_id) & (events.c.id <= last["id"])
    connection.execute(sa.delete(events).where(of_start))
    return dropped


def _continues(keys: JournalKeys, number: int, previous: str, event: Mapping[str, Any]) -> bool:
    """Whether an event is as the library wrote it, and has its number and the event before it."""
    key_id = event["key_id"]
    return (
        event["number"] == number
        and key_id in keys.keys
        and has_own_content(keys, event)
        and is_same_digest(event_digest(keys, previous, event, key_id=key_id), event["digest"])
    )


def list_chains(connection: Connection) -> list[int]:
    """Return the ids of all chains."""
    return list(connection.scalars(sa.select(chains.c.id).order_by(chains.c.id)))
