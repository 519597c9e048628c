"""The table of sales.

Instants are RFC 3339 text in UTC with microseconds, which sorts by time. Amounts are decimal text in the currency of
the sale. The table does not refer to those of the journal: an operation is found by its reference.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sqlalchemy import Boolean, Column, Index, Integer, MetaData, String, Table, Text, UniqueConstraint

from voucher_gateway.storage.schema_upgrade import Schema

metadata: Final = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

sales: Final = Table(
    "voucher_gateway_sales",
    metadata,
    # It sorts by time, and ends in the tag from which the code is derived.
    Column("id", String(32), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("account", String(255), nullable=False),
    Column("provider", String(64), nullable=False),
    Column("host", String(255), nullable=False),
    Column("order_number", String(200), nullable=False),
    # The print batch that it belongs to, and how many sales that batch has; NULL for a single sale.
    Column("batch", String(200)),
    Column("batch_size", Integer),
    Column("amount", String(32), nullable=False),
    Column("currency", String(3), nullable=False),
    # The voucher to issue as JSON, without its code and its PIN.
    Column("content", Text, nullable=False),
    # Whether the vendor issues it inactive, so that it is activated later.
    Column("inactive", Boolean, nullable=False),
    # The journal's key from which the code is derived, and with which the fingerprint is made.
    Column("key_id", String(16), nullable=False),
    # What the derived code begins with, so that it matches the account's pattern.
    Column("code_prefix", String(64), nullable=False),
    # Of the derived code or the caller's; NULL where the vendor makes the code.
    Column("fingerprint", String(64)),
    # A code that is not derived, and a PIN, until they are delivered.
    Column("sealed_code", Text),
    Column("sealed_pin", Text),
    Column("seal_key_id", String(16)),
    Column("state", String(16), nullable=False),
    # Why a person or a look-up is needed; NULL if neither is.
    Column("attention", Text),
    Column("voucher_id", String(255)),
    # The end of validity with which the vendor issued it; NULL for none.
    Column("valid_until", String(32)),
    # Raised by every `restore`.
    Column("generation", Integer, nullable=False),
    # Counts the calls that stop the voucher from being spent. A call that may have been undone gets the next number.
    Column("stops", Integer, nullable=False),
    # How much the present call that empties the voucher takes, and how much earlier ones took; NULL for none.
    Column("taking", String(32)),
    Column("taken", String(32)),
    # Of the revocation: why, how, what was spent before and what was left.
    Column("reason", Text),
    Column("method", String(16)),
    Column("spent", String(32)),
    Column("rest", String(32)),
    # Until when a lost call may still arrive that makes the voucher spendable again; NULL if none was lost.
    Column("watch_until", String(32)),
    # Raised by every worker that takes the sale: who works under an older one has lost it.
    Column("epoch", Integer, nullable=False),
    Column("created_at", String(32), nullable=False),
    Column("updated_at", String(32), nullable=False),
    # When `fulfil` was first called.
    Column("paid_at", String(32)),
    Column("delivered_at", String(32)),
    Column("revoked_at", String(32)),
    UniqueConstraint("name"),
    Index(None, "state"),
    Index(None, "created_at"),
    Index(None, "batch"),
    Index(None, "order_number"),
    Index(None, "watch_until"),
)

SALES: Final = Schema(
    subject="sales",
    scripts=Path(__file__).parent / "migrations",
    head="0001",
    version_table="voucher_gateway_sales_version",
    metadata=metadata,
)
"""The tables of sales, in the database of the journal."""
