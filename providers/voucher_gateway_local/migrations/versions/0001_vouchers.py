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
_WHOLE = " AND ".join(
    f"typeof({column}) = 'integer'"
    for column in ("seq", "before", "amount", "after", "held_before", "held_amount", "held")
)

# What must be true of what is written, beyond what a constraint can say of one row.
_SUBJECT_FITS = (
    "EXISTS (SELECT 1 FROM local_entries AS about WHERE about.voucher = NEW.voucher AND about.seq = NEW.subject"
    " AND CASE WHEN NEW.kind = 'refund' THEN about.kind IN ('redeem', 'capture') AND about.amount + ("
    "SELECT sum(back.amount) FROM local_entries AS back"
    " WHERE back.voucher = NEW.voucher AND back.subject = NEW.subject AND back.kind = 'refund') <= 0"
    " WHEN NEW.kind IN ('capture', 'release', 'lapse')"
    " THEN about.kind = 'reserve' AND about.held_amount = -NEW.held_amount"
    " ELSE false END)"
)
_CHAIN_FITS = (
    "EXISTS (SELECT 1 FROM local_vouchers WHERE number = NEW.voucher) AND (NEW.seq = 1 OR EXISTS ("
    "SELECT 1 FROM local_entries AS last WHERE last.voucher = NEW.voucher AND last.seq = NEW.previous"
    " AND last.after = NEW.before AND last.held = NEW.held_before))"
)
_HOLD_FITS = (
    "EXISTS (SELECT 1 FROM local_entries AS made WHERE made.voucher = NEW.voucher AND made.seq = NEW.seq"
    " AND made.kind = 'reserve' AND made.held_amount = NEW.amount AND made.ends_at = NEW.ends_at)"
    " AND NOT EXISTS (SELECT 1 FROM local_entries AS ending WHERE ending.voucher = NEW.voucher"
    " AND ending.subject = NEW.seq AND ending.kind IN ('capture', 'release', 'lapse'))"
)
_HOLD_IS_OVER = (
    "EXISTS (SELECT 1 FROM local_entries AS ending WHERE ending.voucher = OLD.voucher AND ending.subject = OLD.seq"
    " AND ending.kind IN ('capture', 'release', 'lapse'))"
)

_STAY = "entries are never changed or removed"
_FIT = "what an entry is about must be there, and cover it"
_CHAIN = "an entry begins where the one before it ended"
_OPEN = "an open reservation is as its entry says, until one ends it"
_SAME = "a voucher stays, with its number and currency"


def upgrade() -> None:
    """Create the tables, and the triggers that keep entries as they were written and adding up."""
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
    not_deleted = sa.text("deleted_at IS NULL")
    op.create_index(
        "uq_local_vouchers_id",
        "local_vouchers",
        ["id"],
        unique=True,
        sqlite_where=not_deleted,
        postgresql_where=not_deleted,
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
    if op.get_bind().dialect.name == "sqlite":
        _guard_in_sqlite()
    else:
        _guard_in_postgresql()


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
        sa.CheckConstraint(_WHOLE, name="ck_local_entries_whole").ddl_if(dialect="sqlite"),
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


def _guard_in_sqlite() -> None:
    def refuse(name: str, event: str, message: str, *, when: str = "true") -> None:
        op.execute(f"CREATE TRIGGER {name} {event} WHEN {when} BEGIN SELECT RAISE(ABORT, '{message}'); END")

    refuse("local_entries_update", "BEFORE UPDATE ON local_entries", _STAY)
    refuse("local_entries_delete", "BEFORE DELETE ON local_entries", _STAY)
    # REPLACE removes the rows that a unique index stands for, without a word to the trigger above.
    replaced = (
        "EXISTS (SELECT 1 FROM local_entries WHERE voucher = NEW.voucher AND seq = NEW.seq)"
        " OR EXISTS (SELECT 1 FROM local_entries WHERE reference = NEW.reference AND kind = NEW.kind)"
        " OR NEW.kind IN ('capture', 'release', 'lapse') AND EXISTS (SELECT 1 FROM local_entries"
        " WHERE voucher = NEW.voucher AND subject = NEW.subject AND kind IN ('capture', 'release', 'lapse'))"
    )
    refuse("local_entries_replace", "BEFORE INSERT ON local_entries", _STAY, when=replaced)
    refuse("local_entries_chain", "AFTER INSERT ON local_entries", _CHAIN, when=f"NOT ({_CHAIN_FITS})")
    unfit = f"NEW.subject IS NOT NULL AND NOT {_SUBJECT_FITS}"
    refuse("local_entries_fit", "AFTER INSERT ON local_entries", _FIT, when=unfit)
    refuse("local_holds_insert", "AFTER INSERT ON local_holds", _OPEN, when=f"NOT ({_HOLD_FITS})")
    refuse("local_holds_update", "BEFORE UPDATE ON local_holds", _OPEN)
    refuse("local_holds_delete", "BEFORE DELETE ON local_holds", _OPEN, when=f"NOT {_HOLD_IS_OVER}")
    other = "NEW.number IS NOT OLD.number OR NEW.currency IS NOT OLD.currency"
    refuse("local_vouchers_update", "BEFORE UPDATE OF number, currency ON local_vouchers", _SAME, when=other)
    refuse("local_vouchers_delete", "BEFORE DELETE ON local_vouchers", _SAME)
    exists = "EXISTS (SELECT 1 FROM local_vouchers WHERE number = NEW.number)"
    refuse("local_vouchers_replace", "BEFORE INSERT ON local_vouchers", _SAME, when=exists)


def _guard_in_postgresql() -> None:
    _function("local_refuse", "")
    _function("local_entries_fit", f"IF {_SUBJECT_FITS} THEN RETURN NULL; END IF;")
    _function(
        "local_holds_fit",
        f"IF TG_OP = 'INSERT' THEN IF {_HOLD_FITS} THEN RETURN NULL; END IF;"
        f" ELSIF {_HOLD_IS_OVER} THEN RETURN NULL; END IF;",
    )
    stay = "BEFORE UPDATE OR DELETE OR TRUNCATE ON local_entries FOR EACH STATEMENT"
    fit = "AFTER INSERT ON local_entries FOR EACH ROW WHEN (NEW.subject IS NOT NULL)"
    open_stays = "BEFORE UPDATE OR TRUNCATE ON local_holds FOR EACH STATEMENT"
    open_fits = "AFTER INSERT OR DELETE ON local_holds FOR EACH ROW"
    same = (
        "BEFORE UPDATE OF number, currency ON local_vouchers FOR EACH ROW"
        " WHEN (NEW.number <> OLD.number OR NEW.currency <> OLD.currency)"
    )
    _trigger("local_entries_stay", stay, "local_refuse", _STAY)
    _trigger("local_entries_fit", fit, "local_entries_fit", _FIT)
    _trigger("local_holds_stay", open_stays, "local_refuse", _OPEN)
    _trigger("local_holds_fit", open_fits, "local_holds_fit", _OPEN)
    _trigger("local_vouchers_stay", same, "local_refuse", _SAME)


def _trigger(name: str, event: str, function: str, message: str) -> None:
    op.execute(f"CREATE TRIGGER {name} {event} EXECUTE FUNCTION {function}('{message}')")


def _function(name: str, unless: str) -> None:
    # With the path of now: another program's path may not find the tables.
    op.execute(
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$ BEGIN {unless}"
        " RAISE EXCEPTION USING MESSAGE = TG_ARGV[0], ERRCODE = 'integrity_constraint_violation'; END $$"
    )
