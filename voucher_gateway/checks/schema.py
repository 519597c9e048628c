"""The table of checks: one row for each code that was tried, without the code.

Instants are RFC 3339 text in UTC with microseconds, which sorts by time.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sqlalchemy import Column, Index, Integer, MetaData, String, Table

from voucher_gateway.storage.schema_upgrade import Schema

metadata: Final = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

checks: Final = Table(
    "voucher_gateway_checks",
    metadata,
    Column("id", String(32), primary_key=True),
    # A keyed digest: an address is personal data.
    Column("caller", String(64), nullable=False),
    Column("checked_at", String(32), nullable=False),
    # In tenths of a guess.
    Column("cost", Integer, nullable=False),
    Index(None, "caller", "checked_at"),
    Index(None, "cost", "checked_at"),
)

CHECKS: Final = Schema(
    subject="checks",
    scripts=Path(__file__).parent / "migrations",
    head="0001",
    version_table="voucher_gateway_checks_version",
    metadata=metadata,
)
"""The table of the guess guard. It is in the database of the journal."""
