"""Vouchers, their ledger, and the keys that codes are kept under."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_MOVES = (
    "CASE kind"
    " WHEN 'issue' THEN seq = 1 AND amount >= 0 AND held_amount = 0"
    " WHEN 'top_up' THEN amount > 0 AND held_amount = 0"
    " WHEN 'redeem' THEN amount < 0 AND held_amount = 0"
    " WHEN 'refund' THEN amount > 0 AND held_amount = 0 AND subject IS NOT NULL"
    " WHEN 'reserve' THEN amount = 0 AND held_amount > 0 AND ends_at IS NOT NULL"
    " WHEN 'capture' THEN amount < 0 AND held_amount <= amount AND subject IS NOT NULL"
    " WHEN 'release' THEN amount = 0 AND held_amount < 0 AND subject IS NOT NULL"
    " WHEN 'lapse' THEN amount = 0 AND held_amount < 0 AND subject IS NOT NULL"
    " WHEN 'delete' THEN amount = -before AND held_amount = 0"
    " WHEN 'activate' THEN amount = 0 AND held_amount = 0"
    " WHEN 'deactivate' THEN amount = 0 AND held_amount = 0"
    " WHEN 'update' THEN amount = 0 AND held_amount = 0"
    " ELSE false END"
)


def upgrade() -> None:
    """Create the tables, and the triggers that keep entries as they were written."""
    op.create_table(
        "local_keys",
        sa.Column("number", _NUMBER, nullable=False),
        sa.Column("wrapped", sa.Text(), nullable=False),
        sa.Column("made_at", sa.String(length=32), nullable=False),
        sa.Column("looks", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
    )
    op.create_table(
        "local_vouchers",
        sa.Column("number", _NUMBER, nullable=False),
        sa.Column("id", sa.String(length=255), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=True),
        sa.Column("sealed", sa.Text(), nullable=True),
        sa.Column("has_pin", sa.Boolean(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("medium", sa.String(length=16), nullable=True),
        sa.Column("valid_until", sa.String(length=32), nullable=True),
        sa.Column("validity_value", sa.Integer(), nullable=True),
        sa.Column("validity_interval", sa.String(length=16), nullable=True),
        sa.Column("taxable", sa.Boolean(), nullable=True),
        sa.Column("tax_rate", sa.String(length=255), nullable=True),
        sa.Column("sku", sa.String(length=255), nullable=True),
        sa.Column("batch", sa.String(length=255), nullable=True),
        sa.Column("order_number", sa.String(length=255), nullable=True),
        sa.Column("metadata", sa.Text(), nullable=True),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.Column("updated_at", sa.String(length=32), nullable=False),
        sa.Column("deleted_at", sa.String(length=32), nullable=True),
        sa.CheckConstraint("status IN ('active', 'inactive')", name="ck_local_vouchers_status"),
        sa.CheckConstraint(
            "(deleted_at IS NULL) = (fingerprint IS NOT NULL) AND (deleted_at IS NULL) = (sealed IS NOT NULL)",
            name="ck_local_vouchers_deleted",
        ),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("fingerprint", name="uq_local_vouchers_fingerprint"),
    )
    there = sa.text("deleted_at IS NULL")
    op.create_index(
        "uq_local_vouchers_id", "local_vouchers", ["id"], unique=True, sqlite_where=there, postgresql_where=there
    )
    _create_entries()
    op.create_table(
        "local_holds",
        sa.Column("voucher", _NUMBER, nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", sa.String(length=32), nullable=False),
        sa.CheckConstraint("amount > 0", name="ck_local_holds_amount"),
        sa.ForeignKeyConstraint(
            ["voucher", "seq"], ["local_entries.voucher", "local_entries.seq"], name="fk_local_holds_entry"
        ),
        sa.PrimaryKeyConstraint("voucher", "seq", name="pk_local_holds"),
    )
    _keep_entries_as_they_are()


def _create_entries() -> None:
    op.create_table(
        "local_entries",
        sa.Column("voucher", _NUMBER, nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("before", sa.BigInteger(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("after", sa.BigInteger(), nullable=False),
        sa.Column("held_before", sa.BigInteger(), nullable=False),
        sa.Column("held_amount", sa.BigInteger(), nullable=False),
        sa.Column("held", sa.BigInteger(), nullable=False),
        sa.Column("previous", sa.Integer(), nullable=True),
        sa.Column("subject", sa.Integer(), nullable=True),
        sa.Column("reference", sa.String(length=255), nullable=True),
        sa.Column("content", sa.String(length=64), nullable=True),
        sa.Column("order_number", sa.String(length=255), nullable=True),
        sa.Column("ends_at", sa.String(length=32), nullable=True),
        sa.Column("state", sa.Text(), nullable=True),
        sa.Column("at", sa.String(length=32), nullable=False),
        sa.CheckConstraint(
            "CASE WHEN seq = 1 THEN previous IS NULL AND before = 0 AND held_before = 0 AND kind = 'issue'"
            " ELSE previous IS NOT NULL AND previous = seq - 1 AND seq > 1 END",
            name="ck_local_entries_order",
        ),
        sa.CheckConstraint("before + amount = after AND held_before + held_amount = held", name="ck_local_entries_sum"),
        sa.CheckConstraint(
            "held >= 0 AND held <= after AND after <= 100000000000000000", name="ck_local_entries_range"
        ),
        sa.CheckConstraint(_MOVES, name="ck_local_entries_moves"),
        sa.ForeignKeyConstraint(["voucher"], ["local_vouchers.number"], name="fk_local_entries_voucher"),
        sa.ForeignKeyConstraint(
            ["voucher", "previous", "before", "held_before"],
            ["local_entries.voucher", "local_entries.seq", "local_entries.after", "local_entries.held"],
            name="fk_local_entries_chain",
        ),
        sa.ForeignKeyConstraint(
            ["voucher", "subject"], ["local_entries.voucher", "local_entries.seq"], name="fk_local_entries_subject"
        ),
        sa.PrimaryKeyConstraint("voucher", "seq", name="pk_local_entries"),
        sa.UniqueConstraint("voucher", "seq", "after", "held", name="uq_local_entries_balance"),
        sa.UniqueConstraint("reference", "kind", name="uq_local_entries_reference"),
    )
    ends, has_subject = sa.text("kind IN ('capture', 'release', 'lapse')"), sa.text("subject IS NOT NULL")
    op.create_index(
        "uq_local_entries_end",
        "local_entries",
        ["voucher", "subject"],
        unique=True,
        sqlite_where=ends,
        postgresql_where=ends,
    )
    op.create_index(
        "ix_local_entries_subject",
        "local_entries",
        ["voucher", "subject"],
        sqlite_where=has_subject,
        postgresql_where=has_subject,
    )


def _keep_entries_as_they_are() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for event in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER local_entries_{event.lower()} BEFORE {event} ON local_entries"
                " BEGIN SELECT RAISE(ABORT, 'entries are never changed or removed'); END"
            )
        # REPLACE removes a row without a word to the trigger above.
        op.execute(
            "CREATE TRIGGER local_entries_replace BEFORE INSERT ON local_entries"
            " WHEN EXISTS (SELECT 1 FROM local_entries WHERE voucher = NEW.voucher AND seq = NEW.seq)"
            " BEGIN SELECT RAISE(ABORT, 'entries are never changed or removed'); END"
        )
        return
    op.execute(
        "CREATE FUNCTION local_entries_stay() RETURNS trigger LANGUAGE plpgsql AS $$"
        " BEGIN RAISE EXCEPTION 'entries are never changed or removed'"
        " USING ERRCODE = 'integrity_constraint_violation'; END $$"
    )
    op.execute(
        "CREATE TRIGGER local_entries_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON local_entries"
        " FOR EACH STATEMENT EXECUTE FUNCTION local_entries_stay()"
    )
