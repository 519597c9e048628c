"""Migrations: plans under way, and their vouchers."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "voucher_gateway_migration_plans",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("source", sa.String(length=255), nullable=False),
        sa.Column("target", sa.String(length=255), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("loaded", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.Column("updated_at", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_voucher_gateway_migration_plans"),
    )
    op.create_table(
        "voucher_gateway_migration_vouchers",
        sa.Column("plan_id", sa.String(length=64), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("source_id", sa.String(length=255), nullable=False),
        sa.Column("minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("planned", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("owner", sa.String(length=32), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("undo_target_state", sa.String(length=16), nullable=True),
        sa.Column("target_id", sa.String(length=255), nullable=True),
        sa.Column("drift_s", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("updated_at", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["plan_id"], ["voucher_gateway_migration_plans.id"], name="fk_voucher_gateway_migration_vouchers_plan_id"
        ),
        sa.PrimaryKeyConstraint("plan_id", "number", name="pk_voucher_gateway_migration_vouchers"),
    )
    op.create_index(
        "ix_voucher_gateway_migration_vouchers_plan_id_state_number",
        "voucher_gateway_migration_vouchers",
        ["plan_id", "state", "number"],
        unique=False,
    )
    op.create_table(
        "voucher_gateway_migration_runs",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("plan_id", sa.String(length=64), nullable=False),
        sa.Column("work", sa.String(length=16), nullable=False),
        sa.Column("performed_by", sa.String(length=255), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("version", sa.String(length=64), nullable=False),
        sa.Column("owner", sa.String(length=32), nullable=False),
        sa.Column("began_at", sa.String(length=32), nullable=False),
        sa.Column("ended_at", sa.String(length=32), nullable=True),
        sa.Column("result", sa.String(length=64), nullable=True),
        sa.Column("details", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_voucher_gateway_migration_runs"),
    )
    op.create_index(
        "ix_voucher_gateway_migration_runs_plan_id_began_at",
        "voucher_gateway_migration_runs",
        ["plan_id", "began_at"],
        unique=False,
    )
