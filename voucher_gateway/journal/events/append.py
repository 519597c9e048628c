"""Appends events, in the transaction that makes the change that they tell of.

Each event continues a chain: its digest is made of the digest of the event before it. A transaction takes a chain that
no other transaction uses at the moment, so that none waits for another. In SQLite, where transactions take turns, one
chain is enough. In PostgreSQL there are as many as there were transactions at the same time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from voucher_gateway.errors import DatabaseUnavailable
from voucher_gateway.instants import format_micros, now
from voucher_gateway.journal.events.digests import (
    chain_mac,
    content_digest,
    count_mac,
    encode_data,
    event_digest,
    is_own_chain,
    read_count,
)
from voucher_gateway.journal.events.kinds import EventKind
from voucher_gateway.journal.keys.keys import JournalKeys
from voucher_gateway.journal.schema import chains, events, facts
from voucher_gateway.storage.locks import lock_in_transaction
from voucher_gateway.storage.statements import PreparedStatement, sqlite_driver

CHAIN_COUNT: Final = "event-chains"
"""The fact that holds the number of chains with its digest: number, key, digest."""

_LAST_CHAIN: Final = "voucher_gateway_last_chain"
"""The attribute of an SQLite connection that keeps the row of the chain that it continued last, and the keys."""

_FREE_CHAIN: Final = PreparedStatement(
    sa.select(chains)
    .where(chains.c.id > sa.bindparam("after"))
    .order_by(chains.c.id)
    .limit(1)
    .with_for_update(skip_locked=True)
)
_INSERT: Final = PreparedStatement(sa.insert(events))
_COLUMNS: Final = tuple(column.name for column in chains.columns)
_CONTINUED: Final = ("length", "head", "mac", "key_id")
_CONTINUE: Final = PreparedStatement(
    sa.update(chains)
    .where(*[column == sa.bindparam(f"known_{column.name}") for column in chains.columns])
    .values({name: sa.bindparam(f"new_{name}") for name in _CONTINUED})
)


def append_event(
    connection: Connection,
    keys: JournalKeys,
    kind: EventKind,
    subject: str,
    data: Mapping[str, object],
    *,
    order: str | None = None,
    row_digest: str | None = None,
    at: str | None = None,
) -> None:
    """Append an event to a chain.

    Call it as the last step of a transaction: PostgreSQL keeps the chain locked until the commit, and the events of a
    subject are in the order of its commits only if the subject's row was written before.

    Args:
        connection: in the transaction that makes the change.
        keys: the journal's.
        kind: what happened.
        subject: the id of the operation, the payment or the sale; the name of the account.
        data: what the event says, of the types of JSON, without a code or a PIN. Values that are None are left out.
        order: the shop's order.
        row_digest: the digest of the subject's rows from now on; None if the event covers no rows.
        at: when it happened, as text; now if it is None.
    """
    at = at or format_micros(now())
    text = encode_data(data)
    event: dict[str, Any] = {
        "at": at,
        "kind": kind.value,
        "subject": subject,
        "order_number": order,
        "data": text,
        "row_digest": row_digest,
        "content": content_digest(keys, order, text, row_digest),
        "key_id": keys.newest,
    }
    last_keys, last = getattr(connection, _LAST_CHAIN, (None, None))
    if last_keys is keys and last is not None and _continue_chain(connection, keys, last, event):
        return
    chain = _free_chain(connection, keys) or _start_chain(connection, keys, at)
    if not _continue_chain(connection, keys, chain, event):
        raise DatabaseUnavailable("the chain of events was continued by another transaction: nothing was written")


def _continue_chain(
    connection: Connection, keys: JournalKeys, chain: Mapping[str, Any], event: Mapping[str, Any]
) -> bool:
    """Append an event to a chain, and return whether its row was as it is given here."""
    numbered = {**event, "chain": chain["id"], "number": chain["length"] + 1}
    numbered["digest"] = event_digest(keys, chain["head"], numbered)
    continued = {**chain, "length": numbered["number"], "head": numbered["digest"], "key_id": keys.newest}
    continued["mac"] = chain_mac(keys, continued)
    values = {f"known_{name}": chain[name] for name in _COLUMNS}
    values |= {f"new_{name}": continued[name] for name in _CONTINUED}
    if _CONTINUE.execute(connection, values) != 1:
        return False
    _INSERT.execute(connection, numbered)
    if sqlite_driver(connection) is not None:
        # The statement above compares every column with what was verified before: that spares both reading and
        # verifying. Elsewhere it would wait for a transaction that uses the chain.
        setattr(connection, _LAST_CHAIN, (keys, continued))
    return True


def _free_chain(connection: Connection, keys: JournalKeys) -> Mapping[str, Any] | None:
    """Return a chain that no other transaction uses, and lock it, or None.

    A chain whose row was changed by something else stays as it is. To continue it would be to sign that change.
    """
    chain = _FREE_CHAIN.first_row(connection, {"after": 0})
    while chain is not None and not is_own_chain(keys, chain):
        chain = _FREE_CHAIN.first_row(connection, {"after": chain["id"]})
    return chain


def _start_chain(connection: Connection, keys: JournalKeys, at: str) -> Mapping[str, Any]:
    """Insert a chain without events, and return its row."""
    lock_in_transaction(connection, "event chains")
    of_count = facts.c.name == CHAIN_COUNT
    recorded = connection.scalar(sa.select(facts.c.value).where(of_count))
    last = connection.scalar(sa.select(sa.func.max(chains.c.id)))
    known = (0 if last is None else None) if recorded is None else read_count(keys, recorded)
    number = max(known or 0, last or 0) + 1
    chain: dict[str, Any] = {
        "id": number,
        "started_at": at,
        "first_number": 1,
        "first_digest": "",
        "length": 0,
        "head": "",
        "key_id": keys.newest,
    }
    chain["mac"] = chain_mac(keys, chain)
    connection.execute(sa.insert(chains), chain)
    value = f"{number}:{keys.newest}:{count_mac(keys, number)}"
    if recorded is None and known is not None:
        connection.execute(sa.insert(facts), {"name": CHAIN_COUNT, "value": value})
    elif known is not None:  # else something else changed it, and an audit reports that
        connection.execute(sa.update(facts).where(of_count).values(value=value))
    return chain
