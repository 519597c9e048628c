"""Makes a journal of millions of operations of a small one: copies of its rows, at earlier times, by SQL alone.

Ids, references, orders and vouchers of a copy end with its number, so that no two rows are of one operation. The
indexes are dropped while the copies are written and then built again: their order on the disk is that of a journal
that was compacted. Digests of copied events are those of the original: an audit would reject them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from voucher_gateway.instants import format_micros
from voucher_gateway.journal import schema
from voucher_gateway.journal.events.digests import chain_mac
from voucher_gateway.journal.keys.keys import JournalKeys

BETWEEN_COPIES: Final = timedelta(hours=4)
"""The time between two copies: 10 million operations are those of four years."""

_BATCH: Final = 50
_CHAIN: Final = 2
"""The chain of all copied events; that of the sample is 1."""

_TABLES: Final = (schema.operations, schema.requests, schema.holds, schema.events)
_WITH_NUMBER: Final = frozenset(
    {"reference", "order_number", "voucher_id", "target", "wire_reference", "reservation_id", "fingerprint"}
)
_INSTANTS: Final = frozenset({"created_at", "updated_at", "sent_at", "finished_at", "expires_at", "at"})
_OPERATION_IDS: Final = frozenset({(schema.operations.name, "id"), (schema.events.name, "subject")})
_TIME_DIGITS: Final = 12
_FINGERPRINT_DIGITS: Final = 52


def multiply(engine: Engine, keys: JournalKeys, count: int) -> None:
    """Write copies, the oldest first.

    Args:
        engine: of the journal's database. Nothing else uses it now.
        keys: the journal's.
        count: how many copies.
    """
    indexes = [index for table in _TABLES for index in table.indexes]
    with engine.begin() as connection:
        for table in _TABLES:
            _keep_originals(connection, table)
        for index in indexes:
            index.drop(connection)
        in_sample = connection.scalar(sa.select(sa.func.count()).select_from(schema.events)) or 0
    inserts = [_insert_copy(table) for table in _TABLES]
    for begin in range(count, 0, -_BATCH):
        with engine.begin() as connection:
            for number in range(begin, max(begin - _BATCH, 0), -1):
                values = {**_values_of(number), "events_before": (count - number) * in_sample}
                for insert in inserts:
                    connection.execute(insert, values)
    with engine.begin() as connection:
        for index in indexes:
            index.create(connection)
        _insert_chain(connection, keys, count * in_sample)
        if engine.dialect.name == "postgresql":
            connection.execute(sa.text("ANALYZE"))


def _insert_chain(connection: Connection, keys: JournalKeys, length: int) -> None:
    """Insert the chain of the copied events."""
    chain: dict[str, Any] = {
        "id": _CHAIN,
        "started_at": format_micros(datetime.now(UTC)),
        "first_number": 1,
        "first_digest": "",
        "length": length,
        "head": "",
        "key_id": keys.newest,
    }
    connection.execute(sa.insert(schema.chains), {**chain, "mac": chain_mac(keys, chain)})


def _keep_originals(connection: Connection, table: sa.Table) -> None:
    connection.execute(sa.text(f"CREATE TABLE {_original_of(table).name} AS SELECT * FROM {table.name}"))


def _original_of(table: sa.Table) -> Any:
    return sa.table(f"{table.name}_original", *[sa.column(column.name, column.type) for column in table.columns])


def _insert_copy(table: sa.Table) -> sa.Insert:
    original = _original_of(table)
    columns = [column for column in table.columns if column.autoincrement is not True]
    values = [_copied_value(table, column.name, original.c[column.name]) for column in columns]
    return sa.insert(table).from_select([column.name for column in columns], sa.select(*values))


def _copied_value(table: sa.Table, name: str, value: Any) -> Any:
    if (table.name, name) in _OPERATION_IDS or name == "operation_id":
        return sa.bindparam("time", type_=sa.String).concat(sa.func.substr(value, _TIME_DIGITS + 1))
    if name == "chain":
        return sa.literal_column(str(_CHAIN))
    if name == "number":
        return value + sa.bindparam("events_before", type_=sa.BigInteger)
    if name in _INSTANTS:
        return sa.case((value.is_(None), None), else_=sa.bindparam("at", type_=sa.String))
    if name == "fingerprint":
        value = sa.func.substr(value, 1, _FINGERPRINT_DIGITS)
    if name in _WITH_NUMBER:
        return value.concat(sa.bindparam("suffix", type_=sa.String))
    return value


def _values_of(number: int) -> Mapping[str, object]:
    instant = datetime.now(UTC) - number * BETWEEN_COPIES
    return {
        "time": f"{int(instant.timestamp() * 1000):0{_TIME_DIGITS}x}",
        "at": format_micros(instant),
        "suffix": f".{number}",
    }
