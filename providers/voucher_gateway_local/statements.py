"""The statements of the ledger, compiled once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.engine import Connection

from voucher_gateway.storage.statements import PreparedStatement
from voucher_gateway_local.tables import entries, holds, keys, vouchers

Row = Mapping[Any, Any]
"""A row, with the names of its columns as keys."""

_last: Final = entries.alias("last")
_first: Final = entries.alias("first")
_other: Final = entries.alias("further")

_LAST_SEQ: Final = sa.select(sa.func.max(_other.c.seq)).where(_other.c.voucher == vouchers.c.number).scalar_subquery()
"""The sequence number of the last entry of a voucher."""

_SqlTexts = list[sa.ColumnElement[str]]
_MOVEMENT: Final[_SqlTexts] = [sa.literal_column(f"'{kind}'") for kind in ("top_up", "redeem", "capture", "refund")]
_END: Final[_SqlTexts] = [sa.literal_column(f"'{kind}'") for kind in ("capture", "release", "lapse")]

_MOVED: Final = sa.exists().where(_other.c.voucher == vouchers.c.number, _other.c.kind.in_(_MOVEMENT))

_HELD_AMOUNT: Final = (
    sa.select(sa.cast(sa.func.coalesce(sa.func.sum(holds.c.amount), 0), sa.BigInteger))
    .where(holds.c.voucher == vouchers.c.number, holds.c.ends_at > sa.bindparam("now"))
    .scalar_subquery()
)
"""The amount in reservations that end after ``now``. Expired ones do not count, even without an entry of their end."""

VOUCHERS: Final = (
    sa.select(
        *[column for column in vouchers.c if column is not vouchers.c.updated_at],
        # The time of the last entry: a movement does not update the row, which saves a statement a redemption.
        _last.c.at.label("updated_at"),
        _first.c.amount.label("initial"),
        _last.c.after.label("remaining"),
        _HELD_AMOUNT.label("held"),
        _MOVED.label("moved"),
    )
    .join(_first, (_first.c.voucher == vouchers.c.number) & (_first.c.seq == 1))
    .join(_last, (_last.c.voucher == vouchers.c.number) & (_last.c.seq == _LAST_SEQ))
)
"""Vouchers with their value at ``now``. One statement reads all of it, so that the parts fit each other."""

CHANGEABLE: Final = ("status", "valid_until", "validity_value", "validity_interval", "sku", "batch", "updated_at")
"""The columns of a voucher that can change. Its value is not one of them."""

LAST_REMAINING: Final = _last.c.after

NOT_DELETED: Final = vouchers.c.deleted_at.is_(None)
_BY_FINGERPRINT: Final = vouchers.c.fingerprint == sa.bindparam("fingerprint")
_BY_ID: Final = (vouchers.c.id == sa.bindparam("id")) & NOT_DELETED
_BY_NUMBER: Final = vouchers.c.number == sa.bindparam("voucher_number")

VOUCHER_BY_FINGERPRINT: Final = PreparedStatement(VOUCHERS.where(_BY_FINGERPRINT))
VOUCHER_BY_ID: Final = PreparedStatement(VOUCHERS.where(_BY_ID))
VOUCHER_BY_NUMBER: Final = PreparedStatement(VOUCHERS.where(_BY_NUMBER))

# SQLite ignores the clause, because a transaction that writes locks the whole file.
_LOCKED_COLUMNS: Final = ("number", "id", "currency", "sealed", "has_pin", "taxable", "tax_rate", "deleted_at")
_LOCKED: Final = sa.select(*[vouchers.c[name] for name in (*_LOCKED_COLUMNS, *CHANGEABLE)]).with_for_update(
    key_share=True
)
LOCKED_BY_FINGERPRINT: Final = PreparedStatement(_LOCKED.where(_BY_FINGERPRINT))
LOCKED_BY_ID: Final = PreparedStatement(_LOCKED.where(_BY_ID))
LOCKED_BY_NUMBER: Final = PreparedStatement(_LOCKED.where(_BY_NUMBER))

# A separate statement: only a statement that begins after the lock was acquired sees what the last holder committed.
LAST_ENTRY: Final = PreparedStatement(
    sa.select(entries.c.seq, entries.c.after, entries.c.held)
    .where(entries.c.voucher == sa.bindparam("voucher"))
    .order_by(entries.c.seq.desc())
    .limit(sa.literal_column("1"))
)

_ENTRY_COLUMNS: Final = (
    "voucher",
    "seq",
    "kind",
    "before",
    "amount",
    "after",
    "held_before",
    "held_amount",
    "held",
    "previous",
    "subject",
    "reference",
    "content",
    "order_number",
    "ends_at",
    "state",
    "at",
)
_OF_REFERENCE: Final = ["reference", "kind"]
_REFERENCE_EXISTS: Final = sa.exists().where(
    _other.c.reference == sa.bindparam("reference"), _other.c.kind == sa.bindparam("kind")
)
_APPEND: Final = {
    # The statement itself checks the reference: a trigger would refuse the entry before ON CONFLICT could handle it.
    "sqlite": PreparedStatement(
        sa.insert(entries)
        .from_select(
            list(_ENTRY_COLUMNS),
            sa.select(*[sa.bindparam(name, type_=entries.c[name].type) for name in _ENTRY_COLUMNS]).where(
                ~_REFERENCE_EXISTS
            ),
        )
        .returning(entries.c.seq)
    ),
    "postgresql": PreparedStatement(
        postgres_insert(entries).on_conflict_do_nothing(index_elements=_OF_REFERENCE).returning(entries.c.seq)
    ),
}


def append(connection: Connection, values: Row) -> bool:
    """Write an entry, and return True; False if an entry of its kind has its reference already."""
    return _APPEND[connection.dialect.name].first_row(connection, values) is not None


OF_REFERENCE: Final = PreparedStatement(
    sa.select(entries).where(entries.c.reference == sa.bindparam("reference"), entries.c.kind == sa.bindparam("kind"))
)
ENTRY: Final = PreparedStatement(
    sa.select(entries).where(entries.c.voucher == sa.bindparam("voucher"), entries.c.seq == sa.bindparam("seq"))
)
END_OF: Final = PreparedStatement(
    sa.select(entries.c.kind).where(
        entries.c.voucher == sa.bindparam("voucher"),
        entries.c.subject == sa.bindparam("seq"),
        entries.c.kind.in_(_END),
    )
)
REFUNDED_AMOUNT: Final = sa.select(
    sa.cast(sa.func.coalesce(sa.func.sum(entries.c.amount), 0), sa.BigInteger).label("amount")
).where(
    entries.c.voucher == sa.bindparam("voucher"),
    entries.c.subject == sa.bindparam("seq"),
    entries.c.kind == "refund",
)
MOVEMENTS: Final = (
    sa.select(entries)
    .where(
        entries.c.voucher == sa.bindparam("voucher"),
        entries.c.kind.in_(_MOVEMENT),
    )
    .order_by(entries.c.seq)
)

HOLD: Final = PreparedStatement(sa.insert(holds))
HOLDS: Final = PreparedStatement(
    sa.select(holds).where(holds.c.voucher == sa.bindparam("voucher")).order_by(holds.c.seq)
)
DELETE_HOLD: Final = PreparedStatement(
    sa.delete(holds).where(holds.c.voucher == sa.bindparam("voucher"), holds.c.seq == sa.bindparam("seq"))
)

CHANGE: Final = PreparedStatement(
    sa.update(vouchers).where(_BY_NUMBER).values({name: sa.bindparam(f"new_{name}") for name in CHANGEABLE})
)
REMOVE: Final = (
    sa.update(vouchers)
    .where(_BY_NUMBER)
    .values(fingerprint=sa.null(), sealed=sa.null(), deleted_at=sa.bindparam("at"), updated_at=sa.bindparam("at"))
)

_VOUCHER_COLUMNS: Final = tuple(column.name for column in vouchers.c if column.name not in ("number", "deleted_at"))
_ISSUE: Final = {
    "sqlite": sqlite_insert(vouchers).on_conflict_do_nothing().returning(vouchers.c.number),
    "postgresql": postgres_insert(vouchers).on_conflict_do_nothing().returning(vouchers.c.number),
}


def insert_voucher(connection: Connection, values: Row) -> int | None:
    """Write the row of a voucher and return its number; None if its id or code already exists."""
    number: int | None = connection.scalar(_ISSUE[connection.dialect.name], values)
    return number


# It changes one row, so that two look-ups cannot deadlock.
RECORD_LOOK_UP: Final = (
    sa.update(keys)
    .where(keys.c.number == sa.select(sa.func.max(keys.alias("every").c.number)).scalar_subquery())
    .values(looks=keys.c.looks + 1)
)
