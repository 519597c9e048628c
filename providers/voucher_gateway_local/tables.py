"""The tables: vouchers, and the one ledger that says what each of them is worth.

A voucher's row holds what it *is*; what it is *worth* stands nowhere but in its last entry. Entries of a voucher form
one chain, and the database itself keeps it whole:

* ``before + amount = after`` and ``held_before + held_amount = held``, by CHECK;
* each entry begins where the one before it ended, value and held value, by a FOREIGN KEY on (voucher, sequence, after,
  held) of that entry;
* nothing falls below zero and no more is held than there is, ``0 <= held <= after``, by CHECK;
* each kind of entry moves the way that its name says, by CHECK;
* a reservation ends once, and a reference makes one entry, by UNIQUE;
* what ends a reservation frees all that it held, and refunds never exceed what was taken, by triggers;
* a reservation stands open with the amount and the end of its entry, until an entry ends it, by triggers;
* a voucher's currency never changes, and no entry is ever changed or removed, by triggers.

SQLite would take a fraction or a text for a number, and checks a FOREIGN KEY only for a program that asks for it:
there, a CHECK and triggers stand in.

So the sum of a voucher's entries is its value, whoever writes them: there is no second number that could differ.
Amounts are whole minor units (cents). Instants are RFC 3339 text in UTC with microseconds, which sorts by time.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from voucher_gateway.storage.schema_upgrade import Schema

LARGEST_MINOR: Final = 10**17
"""The most minor units on one voucher; a 64-bit integer holds 92 times that."""

metadata: Final = MetaData()

_NUMBER: Final = BigInteger().with_variant(Integer(), "sqlite")  # SQLite counts up by itself only an INTEGER

# The keys that codes are found and sealed by, wrapped in the configured key; see `keys.Vault`.
keys: Final = Table(
    "local_keys",
    metadata,
    Column("number", _NUMBER, primary_key=True),
    Column("wrapped", Text, nullable=False),
    Column("made_at", String(32), nullable=False),
    # Raised by a look for a call that is not there; see `transactions.find_committed`.
    Column("looks", Integer, nullable=False),
)

vouchers: Final = Table(
    "local_vouchers",
    metadata,
    Column("number", _NUMBER, primary_key=True),
    Column("id", String(255), nullable=False),
    Column("fingerprint", String(64)),
    # Code and PIN, which only the configured key opens; gone with the voucher.
    Column("sealed", Text),
    # Whether there is a PIN, so that nothing need be opened to see that there is none.
    Column("has_pin", Boolean, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("status", String(16), nullable=False),
    Column("medium", String(16)),
    Column("valid_until", String(32)),
    Column("validity_value", Integer),
    Column("validity_interval", String(16)),
    Column("taxable", Boolean),
    Column("tax_rate", String(255)),
    Column("sku", String(255)),
    Column("batch", String(255)),
    Column("order_number", String(255)),
    Column("metadata", Text),
    Column("created_at", String(32), nullable=False),
    # When the row was last written; what is shown of a voucher is when its last entry was.
    Column("updated_at", String(32), nullable=False),
    Column("deleted_at", String(32)),
    CheckConstraint("status IN ('active', 'inactive')", name="ck_local_vouchers_status"),
    CheckConstraint(
        "(deleted_at IS NULL) = (fingerprint IS NOT NULL) AND (deleted_at IS NULL) = (sealed IS NOT NULL)",
        name="ck_local_vouchers_deleted",
    ),
    UniqueConstraint("fingerprint", name="uq_local_vouchers_fingerprint"),
    Index(
        "uq_local_vouchers_id",
        "id",
        unique=True,
        sqlite_where=text("deleted_at IS NULL"),
        postgresql_where=text("deleted_at IS NULL"),
    ),
)

MOVES: Final = (
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
"""Which way each kind of entry moves value and held value."""

WHOLE: Final = " AND ".join(
    f"typeof({column}) = 'integer'"
    for column in ("seq", "before", "amount", "after", "held_before", "held_amount", "held")
)
"""SQLite keeps a fraction or a text in a column of whole numbers, unless it is told not to."""

_ENDS: Final = text("kind IN ('capture', 'release', 'lapse')")
_HAS_SUBJECT: Final = text("subject IS NOT NULL")

entries: Final = Table(
    "local_entries",
    metadata,
    Column("voucher", _NUMBER, ForeignKey("local_vouchers.number", name="fk_local_entries_voucher"), nullable=False),
    Column("seq", Integer, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("before", BigInteger, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("after", BigInteger, nullable=False),
    Column("held_before", BigInteger, nullable=False),
    Column("held_amount", BigInteger, nullable=False),
    Column("held", BigInteger, nullable=False),
    # The sequence of the entry before; none for the first.
    Column("previous", Integer),
    # What a capture, release or lapse ends (a reserve), or what a refund gives back (a redeem or capture).
    Column("subject", Integer),
    # The caller's name for the call; none for what time alone brings about.
    Column("reference", String(255)),
    # A keyed digest of what the call asked for: the same reference with another content is a conflict.
    Column("content", String(64)),
    Column("order_number", String(255)),
    # When a reservation is over.
    Column("ends_at", String(32)),
    # What a call that changes the voucher itself left it as, so that its repeat can be answered.
    Column("state", Text),
    Column("at", String(32), nullable=False),
    PrimaryKeyConstraint("voucher", "seq", name="pk_local_entries"),
    UniqueConstraint("voucher", "seq", "after", "held", name="uq_local_entries_balance"),
    UniqueConstraint("reference", "kind", name="uq_local_entries_reference"),
    ForeignKeyConstraint(
        ["voucher", "previous", "before", "held_before"],
        ["local_entries.voucher", "local_entries.seq", "local_entries.after", "local_entries.held"],
        name="fk_local_entries_chain",
    ),
    ForeignKeyConstraint(
        ["voucher", "subject"], ["local_entries.voucher", "local_entries.seq"], name="fk_local_entries_subject"
    ),
    CheckConstraint(
        "CASE WHEN seq = 1 THEN previous IS NULL AND before = 0 AND held_before = 0 AND kind = 'issue'"
        " ELSE previous IS NOT NULL AND previous = seq - 1 AND seq > 1 END",
        name="ck_local_entries_order",
    ),
    CheckConstraint(WHOLE, name="ck_local_entries_whole").ddl_if(dialect="sqlite"),
    CheckConstraint("before + amount = after AND held_before + held_amount = held", name="ck_local_entries_sum"),
    CheckConstraint(f"held >= 0 AND held <= after AND after <= {LARGEST_MINOR}", name="ck_local_entries_range"),
    CheckConstraint(MOVES, name="ck_local_entries_moves"),
    Index(
        "uq_local_entries_end",
        "voucher",
        "subject",
        unique=True,
        sqlite_where=_ENDS,
        postgresql_where=_ENDS,
    ),
    Index(
        "ix_local_entries_subject",
        "voucher",
        "subject",
        sqlite_where=_HAS_SUBJECT,
        postgresql_where=_HAS_SUBJECT,
    ),
)

# The reservations that nothing has ended yet, so that finding them does not take all that ever were.
holds: Final = Table(
    "local_holds",
    metadata,
    Column("voucher", _NUMBER, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("ends_at", String(32), nullable=False),
    PrimaryKeyConstraint("voucher", "seq", name="pk_local_holds"),
    ForeignKeyConstraint(
        ["voucher", "seq"], ["local_entries.voucher", "local_entries.seq"], name="fk_local_holds_entry"
    ),
    CheckConstraint("amount > 0", name="ck_local_holds_amount"),
)

VOUCHERS: Final = Schema(
    subject="vouchers",
    scripts=Path(__file__).parent / "migrations",
    head="0001",
    version_table="local_version",
    metadata=metadata,
)
"""The tables of vouchers that the shop issues itself."""
