"""The tables of migrations in the journal's database, and the states that they hold.

Amounts are whole minor units, so that the database can add them.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
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
    select,
)

from voucher_gateway.storage.engine import Database
from voucher_gateway.storage.schema_upgrade import Schema, upgrade_schema

_BATCH: Final = 1000


class PlanState(enum.StrEnum):
    """The state of a migration."""

    RUNNING = "running"
    PAUSED = "paused"
    """No move begins until the plan is run again."""
    DONE = "done"
    ROLLED_BACK = "rolled-back"
    """It is being undone, or was undone. It cannot be run again."""


RUNNABLE: Final = (PlanState.RUNNING, PlanState.PAUSED, PlanState.DONE)
"""The states in which a plan can be run."""


class RowState(enum.StrEnum):
    """The state of one voucher."""

    PLANNED = "planned"
    """It is to be moved. Some steps may have been done before an interruption."""
    WORKING = "working"
    """A process is moving it, or died while it did."""
    MOVED = "moved"
    CHANGED = "changed"
    """It is no longer what was planned. It was not moved; make a new plan for it."""
    REFUSED = "refused"
    """A vendor or a rule refused the move. Everything that had been done was undone."""
    IN_DOUBT = "in-doubt"
    """The outcome of a step is unknown; the next run looks it up."""
    UNDONE = "undone"
    """It was moved, and rolled back."""
    KEPT = "kept"
    """It was moved, and could not be rolled back."""


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


def ids_of_moved_vouchers(database: Database, plan_id: str) -> Iterator[str]:
    """Yield the source ids of the vouchers that a plan has moved, in the order of the plan.

    Args:
        database: the database of the journal.
        plan_id: the hash of the plan.
    """
    upgrade_schema(SCHEMA, database.write, database.locks)
    last = 0
    while True:
        query = (
            select(vouchers.c.number, vouchers.c.source_id)
            .where(
                vouchers.c.plan_id == plan_id,
                vouchers.c.number > last,
                vouchers.c.state.in_([RowState.MOVED.value, RowState.KEPT.value]),
            )
            .order_by(vouchers.c.number)
            .limit(_BATCH)
        )
        with database.read() as connection:
            batch = connection.execute(query).all()
        yield from (source_id for _, source_id in batch)
        if len(batch) < _BATCH:
            return
        last = batch[-1].number
