"""The codes that were tried, without the codes."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "voucher_gateway_checks",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("caller", sa.String(length=64), nullable=False),
        sa.Column("checked_at", sa.String(length=32), nullable=False),
        sa.Column("cost", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_voucher_gateway_checks"),
    )
    for column in ("caller", "cost"):
        op.create_index(
            f"ix_voucher_gateway_checks_{column}_checked_at",
            "voucher_gateway_checks",
            [column, "checked_at"],
            unique=False,
        )
