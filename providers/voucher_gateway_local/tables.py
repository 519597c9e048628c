"""The tables: vouchers, and the ledger with the value of each voucher.

The row of a voucher holds its properties. Its value is stored only in its last entry. The entries of a voucher form one
chain, and the database itself protects it:

* ``before + amount = after`` and ``held_before + held_amount = held``, by CHECK;
* each entry begins with the value and the held value of the previous entry, by a FOREIGN KEY on (voucher, sequence,
  after, held) of that entry;
* no value is below zero and not more is held than the voucher has, ``0 <= held <= after``, by CHECK;
* each kind of entry changes the amounts in its own direction only, by CHECK;
* a reservation ends once, and a reference has one entry of a kind, by UNIQUE;
* the end of a reservation frees all that it held, and refunds never exceed the redemption, by triggers;
* an open reservation has the amount and the end of its entry, until an entry ends it, by triggers;
* the currency of a voucher never changes, and no entry is ever changed or removed, by triggers.

SQLite would accept a fraction or a text in a column of integers, and checks a FOREIGN KEY only if the program asks for
it. So a CHECK and triggers do this at SQLite.

The sum of a voucher's entries is therefore its value, whichever program writes them. No second number could differ.
Amounts are integers in minor units (cents). Instants are RFC 3339 text in UTC with microseconds, which sorts by time.
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
"""The maximum value of a voucher, in minor units. A 64-bit integer holds 92 times as much."""

metadata: Final = MetaData()

_NUMBER: Final = BigInteger().with_variant(Integer(), "sqlite")  # SQLite generates numbers only for INTEGER

# The keys that find and encrypt codes, encrypted with the configured key; see `vault.Vault`.
keys: Final = Table(
    "local_keys",
    metadata,
    Column("number", _NUMBER, primary_key=True),
    Column("wrapped", Text, nullable=False),
    Column("made_at", String(32), nullable=False),
    # A look-up that finds no entry of its call adds one; see `transactions.find_committed`.
    Column("looks", Integer, nullable=False),
)

vouchers: Final = Table(
    "local_vouchers",
    metadata,
    Column("number", _NUMBER, primary_key=True),
    Column("id", String(255), nullable=False),
    Column("fingerprint", String(64)),
    # Code and PIN, encrypted with the configured key. A deletion erases them.
    Column("sealed", Text),
    # Whether there is a PIN, so that a voucher without a PIN need not be decrypted.
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
    # When the row was last written. A voucher shows the time of its last entry instead.
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
"""How each kind of entry changes the value and the held value."""

INTEGERS: Final = " AND ".join(
    f"typeof({column}) = 'integer'"
    for column in ("seq", "before", "amount", "after", "held_before", "held_amount", "held")
)
"""At SQLite: the columns of integers hold integers. Without this, SQLite stores a fraction or a text as it is."""

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
    # The sequence number of the previous entry; null for the first.
    Column("previous", Integer),
    # The reservation that a capture, release or lapse ends, or the redeem or capture that a refund gives back.
    Column("subject", Integer),
    # The reference of the call; null for an entry without a call.
    Column("reference", String(255)),
    # A keyed digest of the request. The same reference with another digest is a conflict.
    Column("content", String(64)),
    Column("order_number", String(255)),
    # When a reservation ends.
    Column("ends_at", String(32)),
    # The state of the voucher after a call that changed it, so that a repeat returns the same result.
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
    CheckConstraint(INTEGERS, name="ck_local_entries_whole").ddl_if(dialect="sqlite"),
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

# The open reservations, so that finding them does not read all reservations of the voucher.
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
