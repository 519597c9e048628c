"""The tables of payments.

Instants are RFC 3339 text in UTC with microseconds, which sorts by time. Amounts are decimal text in the currency of
the payment. The tables do not refer to those of the journal: an operation is found by its reference.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, MetaData, String, Table, Text, UniqueConstraint

from voucher_gateway.storage.schema_upgrade import Schema

metadata: Final = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

payments: Final = Table(
    "voucher_gateway_payments",
    metadata,
    # It sorts by time.
    Column("id", String(32), primary_key=True),
    Column("order_number", String(200), nullable=False),
    # A changed order is paid by the next attempt.
    Column("attempt", Integer, nullable=False),
    Column("total", String(32), nullable=False),
    Column("currency", String(3), nullable=False),
    Column("allocation", String(32), nullable=False),
    Column("state", String(16), nullable=False),
    # Why a person or a look-up is needed; NULL if neither is.
    Column("attention", Text),
    # By how much a payment is short; NULL if it is not.
    Column("short_by", String(32)),
    # The other means, where it is inside the payment.
    Column("has_other", Boolean, nullable=False),
    Column("other_amount", String(32)),
    Column("other_state", String(16), nullable=False),
    Column("other_generation", Integer, nullable=False),
    # What the other means returned when it authorized.
    Column("other_id", String(255)),
    # How many refunds were begun.
    Column("refunds", Integer, nullable=False),
    # Raised by every worker that takes the payment: who works under an older one has lost it.
    Column("epoch", Integer, nullable=False),
    Column("created_at", String(32), nullable=False),
    Column("updated_at", String(32), nullable=False),
    # When it was decided to capture or to cancel.
    Column("decided_at", String(32)),
    UniqueConstraint("order_number", "attempt"),
    Index(None, "state"),
    Index(None, "created_at"),
)

# A person asks for these alone. The index holds no other payments.
_NEEDS_ATTENTION: Final = payments.c.attention.is_not(None)
Index(
    "ix_voucher_gateway_payments_attention",
    payments.c.created_at,
    sqlite_where=_NEEDS_ATTENTION,
    postgresql_where=_NEEDS_ATTENTION,
)

legs: Final = Table(
    "voucher_gateway_payment_legs",
    metadata,
    Column("payment_id", String(32), ForeignKey("voucher_gateway_payments.id"), primary_key=True),
    # From 1; a number is not used again.
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("account", String(255), nullable=False),
    Column("voucher_id", String(255), nullable=False),
    # The journal's fingerprint of the code, and the code with a mask.
    Column("fingerprint", String(64), nullable=False),
    Column("hint", String(32), nullable=False),
    # The code and the PIN, sealed; NULL once the payment is over.
    Column("sealed_code", Text),
    Column("sealed_pin", Text),
    # Which of the journal's keys the fingerprint and the seals were made with.
    Column("key_id", String(16), nullable=False),
    Column("limit_amount", String(32)),
    Column("remaining", String(32), nullable=False),
    Column("valid_until", String(32)),
    Column("holdable", Boolean, nullable=False),
    # What the allocation takes of this voucher.
    Column("amount", String(32), nullable=False),
    # Part of the references of its calls: each reservation has a generation for itself.
    Column("generation", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    # Until when the value is reserved, by the vendor's clock; of a released leg, when its value is free.
    Column("held_until", String(32)),
    Column("taken", String(32)),
    Column("returned", String(32)),
    # The type and the message of the last error; NULL for none.
    Column("error", Text),
    Index(None, "voucher_id"),
)

refunds: Final = Table(
    "voucher_gateway_payment_refunds",
    metadata,
    Column("payment_id", String(32), ForeignKey("voucher_gateway_payments.id"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    # The caller's name of the refund.
    Column("reference", String(200), nullable=False),
    # What the caller asked for; NULL for all that was left.
    Column("asked", String(32)),
    Column("amount", String(32), nullable=False),
    # The name of the strategy, or the mapping as JSON.
    Column("strategy", Text, nullable=False),
    # The rule for replacement vouchers, as JSON.
    Column("replacement", Text),
    Column("state", String(16), nullable=False),
    Column("created_at", String(32), nullable=False),
    Column("updated_at", String(32), nullable=False),
    # In this order, so that a reference alone finds its refunds.
    UniqueConstraint("reference", "payment_id"),
    Index(None, "state"),
)

refund_parts: Final = Table(
    "voucher_gateway_payment_refund_parts",
    metadata,
    Column("payment_id", String(32), ForeignKey("voucher_gateway_payments.id"), primary_key=True),
    Column("refund", Integer, primary_key=True, autoincrement=False),
    # 0 is the other means.
    Column("leg", Integer, primary_key=True, autoincrement=False),
    Column("amount", String(32), nullable=False),
    Column("state", String(16), nullable=False),
    Column("reason", Text),
    Column("replacement_account", String(255)),
    Column("replacement_id", String(255)),
)

PAYMENTS: Final = Schema(
    subject="payments",
    scripts=Path(__file__).parent / "migrations",
    head="0001",
    version_table="voucher_gateway_payments_version",
    metadata=metadata,
)
"""The tables of payments, in the database of the journal."""
