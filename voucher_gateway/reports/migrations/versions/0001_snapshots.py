"""Snapshots, and the balances in them."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "voucher_gateway_snapshots",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("provider", sa.String(length=64), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("owner", sa.String(length=32), nullable=False),
        sa.Column("began_at", sa.BigInteger(), nullable=False),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.Column("vouchers", sa.Integer(), nullable=True),
        sa.Column("unknown", sa.Integer(), nullable=True),
        sa.Column("consistent", sa.Boolean(), nullable=True),
        sa.Column("problems", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_voucher_gateway_snapshots"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_voucher_gateway_snapshots_account_began_at",
        "voucher_gateway_snapshots",
        ["account", "began_at"],
        unique=False,
    )
    by_bytes = sa.String(length=255).with_variant(sa.String(length=255, collation="C"), "postgresql")
    op.create_table(
        "voucher_gateway_snapshot_balances",
        sa.Column("snapshot_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("voucher_id", by_bytes, nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=True),
        sa.Column("initial", sa.String(length=32), nullable=True),
        sa.Column("remaining", sa.String(length=32), nullable=True),
        sa.Column("status", sa.String(length=1), nullable=True),
        sa.Column("valid_until", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=True),
        sa.Column("updated_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["snapshot_id"], ["voucher_gateway_snapshots.id"], name="fk_voucher_gateway_snapshot_balances_snapshot_id"
        ),
        sa.PrimaryKeyConstraint("snapshot_id", "voucher_id", name="pk_voucher_gateway_snapshot_balances"),
        sqlite_with_rowid=False,
    )
