"""Says how large a journal is, how far it reaches back, and which schemas its tables have."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

import attrs
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from voucher_gateway.instants import parse_instant
from voucher_gateway.journal.journal import Journal
from voucher_gateway.journal.pruned.pruned import pruned_before
from voucher_gateway.journal.schema import events, holds, operations, pruned, requests
from voucher_gateway.payments.rows.schema import payments
from voucher_gateway.sales.schema import sales
from voucher_gateway.storage.schema_upgrade import SchemaState, read_schema_state
from voucher_gateway.storage.waits import allow_long_statements
from voucher_gateway.upkeep.upgrade import SCHEMAS

_COUNTED: Final = {
    "operations": operations,
    "requests": requests,
    "reservations": holds,
    "events": events,
    "payments": payments,
    "sales": sales,
    "removed": pruned,
}


@attrs.frozen(kw_only=True)
class JournalStatus:
    """The state of a journal.

    Attributes:
        database: where it is, without a password.
        size: its size on the disk in bytes, with its indexes.
        free: how many of these bytes are free for new rows; None in PostgreSQL, which does not tell.
        rows: how many rows there are of each kind. ``removed`` is what is left of removed operations, payments, sales.
        oldest: when the oldest operation was begun, or None.
        newest: when the newest operation was begun, or None.
        pruned_before: the moment before which operations may have been removed; None if none ever was.
        schemas: how the tables are.
    """

    database: str
    size: int
    free: int | None
    rows: Mapping[str, int]
    oldest: datetime | None
    newest: datetime | None
    pruned_before: datetime | None
    schemas: tuple[SchemaState, ...]


@allow_long_statements()
def read_status(journal: Journal) -> JournalStatus:
    """Return the state of a journal. It counts the rows, so it takes longer for a larger one.

    Raises:
        DatabaseUnavailable: if the database cannot be read.
    """
    database = journal.database
    with database.read() as connection:
        names = set(sa.inspect(connection).get_table_names())
        rows = {
            name: int(connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0)
            for name, table in _COUNTED.items()
            if table.name in names
        }
        size, free = _sqlite_size(connection) if database.is_sqlite else (_postgres_size(connection, names), None)
        return JournalStatus(
            database=database.safe_url,
            size=size,
            free=free,
            rows=rows,
            oldest=_begin_of(connection, operations.c.id.asc()),
            newest=_begin_of(connection, operations.c.id.desc()),
            pruned_before=pruned_before(connection),
            schemas=tuple(read_schema_state(schema, connection) for schema in SCHEMAS if schema.version_table in names),
        )


def _begin_of(connection: Connection, order: sa.UnaryExpression[str]) -> datetime | None:
    moment = connection.scalar(sa.select(operations.c.created_at).order_by(order).limit(1))
    return None if moment is None else parse_instant(moment)


def _sqlite_size(connection: Connection) -> tuple[int, int]:
    pages, page_size, free = (
        int(connection.exec_driver_sql(f"PRAGMA {name}").scalar() or 0)
        for name in ("page_count", "page_size", "freelist_count")
    )
    return pages * page_size, free * page_size


def _postgres_size(connection: Connection, names: set[str]) -> int:
    ours = sorted(name for name in names if name.startswith("voucher_gateway_"))
    total = sa.select(sa.func.sum(sa.func.pg_total_relation_size(sa.column("name")))).select_from(
        sa.values(sa.column("name", sa.String), name="tables").data([(name,) for name in ours])
    )
    return int(connection.scalar(total) or 0)
