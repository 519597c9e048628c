"""The tables of snapshots. To save space, instants are whole microseconds since 1970. Amounts are decimal text."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, MetaData, String, Table, Text

from voucher_gateway.storage.schema_upgrade import Schema

metadata: Final = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# Every database sorts the ids by the bytes of UTF-8, as Python does: two snapshots are read in the same order.
_ID: Final = String(255).with_variant(String(255, collation="C"), "postgresql")

snapshots: Final = Table(
    "voucher_gateway_snapshots",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("account", String(64), nullable=False),
    Column("provider", String(64), nullable=False),
    Column("host", String(255), nullable=False),
    # The process that takes the snapshot. If the process is dead, an incomplete snapshot can be deleted.
    Column("owner", String(32), nullable=False),
    Column("began_at", BigInteger, nullable=False),
    # NULL until the snapshot is complete.
    Column("finished_at", BigInteger),
    Column("vouchers", Integer),
    Column("unknown", Integer),
    Column("consistent", Boolean),
    Column("problems", Text),
    Index(None, "account", "began_at"),
    sqlite_autoincrement=True,
)

balances: Final = Table(
    "voucher_gateway_snapshot_balances",
    metadata,
    Column("snapshot_id", Integer, ForeignKey("voucher_gateway_snapshots.id"), primary_key=True, autoincrement=False),
    Column("voucher_id", _ID, primary_key=True),
    Column("currency", String(3)),
    Column("initial", String(32)),
    Column("remaining", String(32)),
    # The first letter of the status; NULL if the vendor has none.
    Column("status", String(1)),
    Column("valid_until", BigInteger),
    Column("created_at", BigInteger),
    Column("updated_at", BigInteger),
    # The rows are stored in the order of their key, which is then stored once.
    sqlite_with_rowid=False,
)

SNAPSHOTS: Final = Schema(
    subject="snapshots",
    scripts=Path(__file__).parent / "migrations",
    head="0001",
    version_table="voucher_gateway_snapshots_version",
    metadata=metadata,
)
"""The tables of snapshots. They are usually in the database of the journal."""
