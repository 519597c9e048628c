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


class PlanState(enum.StrEnum):
    """The state of a migration.

    Attributes:
        RUNNING: a run moves vouchers, or ended before the last one.
        PAUSED: no move begins until the plan is run again.
        DONE: a run has ended with the last voucher.
        ROLLED_BACK: it is being rolled back, or was rolled back. It cannot be run again.
    """

    RUNNING = "running"
    PAUSED = "paused"
    DONE = "done"
    ROLLED_BACK = "rolled-back"


RUNNABLE: Final = (PlanState.RUNNING, PlanState.PAUSED, PlanState.DONE)
"""The states in which a plan can be run."""


class RowState(enum.StrEnum):
    """The state of one voucher.

    Attributes:
        PLANNED: it has still to be moved. Some steps may have been run before an interruption.
        WORKING: a process moves it, or died during the move.
        MOVED: it is at the target.
        CHANGED: it is not as it was planned any more. It was not moved. Make a new plan for it.
        REFUSED: a vendor or a rule refused the move. All steps were undone.
        IN_DOUBT: the outcome of a step is unknown or pending. The next run looks it up.
        UNDONE: it was moved and rolled back.
        KEPT: it was moved and could not be rolled back.
    """

    PLANNED = "planned"
    WORKING = "working"
    MOVED = "moved"
    CHANGED = "changed"
    REFUSED = "refused"
    IN_DOUBT = "in-doubt"
    UNDONE = "undone"
    KEPT = "kept"


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
    # The planned voucher as JSON, without its code.
    Column("planned", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("owner", String(32)),
    # How often the voucher was claimed. From the second time on the journal is asked which steps were run.
    Column("attempts", Integer, nullable=False),
    # Increased when all steps were undone and the move starts again, so that its references are new.
    Column("generation", Integer, nullable=False),
    # The state after an undo, during the undo.
    Column("undo_target_state", String(16)),
    Column("target_id", String(255)),
    # How much later than planned the voucher ends at the target, in seconds.
    Column("drift_s", BigInteger),
    Column("reason", Text),
    Column("updated_at", String(32), nullable=False),
    PrimaryKeyConstraint("plan_id", "number"),
    Index(None, "plan_id", "state", "number"),
)


class Work(enum.StrEnum):
    """What was done with a plan, as the table of runs records it."""

    RUN = "run"
    ROLLBACK = "rollback"
    VERIFY = "verify"
    CERTIFICATE = "certificate"
    CODES = "codes"


runs: Final = Table(
    "voucher_gateway_migration_runs",
    metadata,
    Column("id", String(32), primary_key=True),
    # The plan. It need not be in the table of plans: a verification is possible before a run.
    Column("plan_id", String(64), nullable=False),
    Column("work", String(16), nullable=False),
    # The name of the person, and of the machine.
    Column("performed_by", String(255), nullable=False),
    Column("host", String(255), nullable=False),
    Column("version", String(64), nullable=False),
    # The name of the process, which is alive as long as the process.
    Column("owner", String(32), nullable=False),
    Column("began_at", String(32), nullable=False),
    # Without an end the process works or was killed.
    Column("ended_at", String(32)),
    # "completed", the reason why it stopped, or the type of the error.
    Column("result", String(64)),
    # What it was asked for, and what it did, as a JSON object.
    Column("details", Text, nullable=False),
    Index(None, "plan_id", "began_at"),
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
    upgrade_schema(SCHEMA, database.read, database.write, database.locks)
    query = select(vouchers.c.number, vouchers.c.source_id).where(
        vouchers.c.plan_id == plan_id, vouchers.c.state.in_([RowState.MOVED.value, RowState.KEPT.value])
    )
    for row in database.iterate_rows(query, vouchers.c.number):
        yield row["source_id"]
