"""The tables of migrations, beside the journal's. Amounts are whole minor units, so that the database can add them."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
)

from voucher_gateway.storage.schema_upgrade import Schema

metadata: Final = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

plans: Final = Table(
    "voucher_gateway_migration_plans",
    metadata,
    # The SHA-256 of the plan: another plan, or a changed one, is another migration.
    Column("id", String(64), primary_key=True),
    Column("source", String(255), nullable=False),
    Column("target", String(255), nullable=False),
    Column("state", String(16), nullable=False),
    # Whether all vouchers of the plan are in the other table.
    Column("loaded", Boolean, nullable=False),
    Column("created_at", String(32), nullable=False),
    Column("updated_at", String(32), nullable=False),
)

vouchers: Final = Table(
    "voucher_gateway_migration_vouchers",
    metadata,
    Column("plan_id", String(64), ForeignKey("voucher_gateway_migration_plans.id"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("source_id", String(255), nullable=False),
    Column("minor", BigInteger, nullable=False),
    Column("currency", String(3), nullable=False),
    # What the plan says of the voucher, as JSON; no code is in it.
    Column("planned", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("owner", String(32)),
    # How often it was attempted; all but the first time the journal is asked what was done already.
    Column("attempts", Integer, nullable=False),
    # Raised when everything was undone and it is to be tried again, so that the references are new.
    Column("generation", Integer, nullable=False),
    # What it ends as once everything is undone; while that is under way.
    Column("undo_target_state", String(16)),
    Column("target_id", String(255)),
    # How much longer the voucher lasts at the target than was planned, in seconds.
    Column("drift_s", BigInteger),
    Column("reason", Text),
    Column("updated_at", String(32), nullable=False),
    PrimaryKeyConstraint("plan_id", "number"),
    Index(None, "plan_id", "state", "number"),
)

SCHEMA: Final = Schema(
    subject="migrations",
    scripts=Path(__file__).parent / "scripts",
    head="0001",
    version_table="voucher_gateway_migrations_version",
    metadata=metadata,
)
"""The tables of migrations."""
