"""The journal's tables.

Instants are RFC 3339 text in UTC with microseconds, which sorts by time. Amounts are decimal text.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    FetchedValue,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    literal_column,
)

from voucher_gateway.storage.schema_upgrade import Schema

metadata: Final = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

operations: Final = Table(
    "voucher_gateway_operations",
    metadata,
    Column("id", String(32), primary_key=True),
    # A file of vouchers is an account too, under its path.
    Column("account", String(255), nullable=False),
    Column("verb", String(16), nullable=False),
    Column("reference", String(200), nullable=False),
    Column("order_number", String(200)),
    Column("provider", String(64), nullable=False),
    Column("host", String(255), nullable=False),
    Column("login", String(255)),
    # Which key the fingerprint was made with; codes themselves are never stored.
    Column("key_id", String(16), nullable=False),
    Column("fingerprint", String(64)),
    Column("target", String(255)),
    Column("voucher_id", String(255)),
    Column("amount", String(32)),
    Column("currency", String(3)),
    # A digest of all else that was asked for, such as the changes of an update.
    Column("content", String(33)),
    Column("state", String(16), nullable=False),
    Column("attempt", Integer, nullable=False),
    # Raised by every take-over: who writes under an older one has lost the operation.
    Column("epoch", Integer, nullable=False),
    Column("owner", String(32)),
    Column("result", Text),
    Column("error", Text),
    Column("created_at", String(32), nullable=False),
    Column("updated_at", String(32), nullable=False),
    Column("checks", Integer, nullable=False, default=0),
    Column("check_at", String(32)),
    Column("decided_by", String(200)),
    Column("decision", Text),
    # Each filter of `voucher_gateway.journal.search` has an index. Those of many rows give them in the order of the id.
    UniqueConstraint("reference", "account", "verb"),
    Index(None, "state", "id"),
    Index(None, "account", "id"),
    Index(None, "verb", "id"),
)


def _index_where(condition: ColumnElement[bool], *columns: Column[Any]) -> None:
    """Add an index of the rows that meet a condition. A write of another row does not touch it."""
    Index(None, *columns, sqlite_where=condition, postgresql_where=condition)


_index_where(operations.c.order_number.is_not(None), operations.c.order_number, operations.c.id)
_index_where(operations.c.voucher_id.is_not(None), operations.c.voucher_id, operations.c.provider, operations.c.host)
_index_where(
    operations.c.fingerprint.is_not(None),
    operations.c.fingerprint,
    operations.c.provider,
    operations.c.host,
    operations.c.id,
)

# Every refund sums the refunds of its redemption. The index holds refunds alone: other verbs do not pay for it.
_IS_REFUND: Final = operations.c.verb == "refund"
Index(
    "ix_voucher_gateway_operations_refunds_target",
    operations.c.target,
    sqlite_where=_IS_REFUND,
    postgresql_where=_IS_REFUND,
)

# `audit verify` and `journal forget` ask for what captured or released a reservation.
_ENDS: Final = (operations.c.verb == "capture") | (operations.c.verb == "release")
Index(
    "ix_voucher_gateway_operations_ends_target",
    operations.c.target,
    sqlite_where=_ENDS,
    postgresql_where=_ENDS,
)

requests: Final = Table(
    "voucher_gateway_requests",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("operation_id", String(32), ForeignKey("voucher_gateway_operations.id"), nullable=False, index=True),
    Column("epoch", Integer, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("step", String(32), nullable=False),
    # Whether the success of this request is that of the operation.
    Column("decisive", Boolean, nullable=False),
    # Whether it only prepares a later one, and leaves something at the vendor if that is not sent.
    Column("prepares", Boolean, nullable=False),
    Column("wire_reference", String(255), nullable=False),
    # The vendor's idempotency key, and a digest of the credentials where the key ends with them.
    Column("vendor_key", String(255)),
    Column("key_credentials", String(16)),
    Column("intent", Text, nullable=False),
    Column("sent_at", String(32), nullable=False),
    Column("finished_at", String(32)),
    Column("effect", String(16)),
    Column("reason", Text),
)

# Few requests prepare. The index holds these alone: `voucher_gateway.journal.leftovers` asks for them.
_PREPARES: Final = requests.c.prepares.is_(True)
Index(
    "ix_voucher_gateway_requests_preparing_operation_id",
    requests.c.operation_id,
    sqlite_where=_PREPARES,
    postgresql_where=_PREPARES,
)

facts: Final = Table(
    "voucher_gateway_facts",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("value", Text, nullable=False),
)

# Under which names accounts are known, and were known before; see `voucher_gateway.journal.names`.
# The seals of rows are made by `voucher_gateway.journal.keys.row_seals`.
accounts: Final = Table(
    "voucher_gateway_accounts",
    metadata,
    Column("provider", String(64), primary_key=True),
    Column("host", String(255), primary_key=True),
    # Empty where the vendor shows none.
    Column("login", String(255), primary_key=True),
    Column("name", String(255), primary_key=True),
    Column("known_as", String(255), primary_key=True),
    # A keyed digest of the other columns, and the journal's key that made it.
    Column("key_id", String(16), nullable=False),
    Column("seal", String(16), nullable=False),
)

# Movements of ours that a restored journal knows nothing of, found at the vendor; see `voucher_gateway.journal.backup`.
adopted: Final = Table(
    "voucher_gateway_adopted",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("account", String(255), nullable=False),
    Column("host", String(255), nullable=False),
    Column("mark", String(16), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("voucher_id", String(255), nullable=False),
    Column("movement_id", String(255)),
    Column("wire_reference", String(255), nullable=False),
    Column("amount", String(32), nullable=False),
    Column("currency", String(3), nullable=False),
    # Whether the vendor had not completed it yet when the journal was restored.
    Column("pending", Boolean, nullable=False),
    Column("moved_at", String(32)),
    # A keyed digest of the other columns without the id, and the journal's key that made it.
    Column("key_id", String(16), nullable=False),
    Column("seal", String(16), nullable=False),
    UniqueConstraint("host", "wire_reference", "kind"),
    Index(None, "account", "mark"),
)

holds: Final = Table(
    "voucher_gateway_holds",
    metadata,
    Column("operation_id", String(32), ForeignKey("voucher_gateway_operations.id"), primary_key=True),
    Column("provider", String(64), nullable=False),
    Column("host", String(255), nullable=False),
    Column("fingerprint", String(64), nullable=False),
    Column("order_number", String(200)),
    Column("reservation_id", String(255)),
    Column("amount", String(32), nullable=False),
    Column("currency", String(3), nullable=False),
    Column("expires_at", String(32)),
    # Whether the vendor ends it when a later one is made.
    Column("exclusive", Boolean, nullable=False),
    # Whether the rest stays reserved after a capture of a part: the amount is then what is left of it.
    Column("holds_rest", Boolean, nullable=False),
    Column("state", String(16), nullable=False),
    Index(None, "provider", "host", "fingerprint", "state"),
)

IS_ACTIVE_HOLD: Final = holds.c.state.in_([literal_column("'asked'"), literal_column("'live'")])
"""Whether a hold may hold value. SQLite uses the index of these rows only for a condition of the same words."""

_index_where(IS_ACTIVE_HOLD, holds.c.state)
_index_where(holds.c.reservation_id.is_not(None), holds.c.reservation_id)

# Where vouchers went that were moved to another account; see `voucher_gateway.journal.moves`.
moved: Final = Table(
    "voucher_gateway_moved",
    metadata,
    Column("account", String(255), primary_key=True),
    Column("voucher_id", String(255), primary_key=True),
    Column("to_account", String(255)),
    Column("to_voucher_id", String(255)),
    Column("plan_id", String(64), nullable=False),
    Column("moved_at", String(32), nullable=False),
    # A keyed digest of the other columns, and the journal's key that made it.
    Column("key_id", String(16), nullable=False),
    Column("seal", String(16), nullable=False),
)

# What happened, in the order of the commits: the outbox and the audit trail; see `voucher_gateway.journal.events`.
events: Final = Table(
    "voucher_gateway_events",
    metadata,
    # It grows. In PostgreSQL an event may be committed after one of a greater id; see `transaction_id`.
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    # PostgreSQL's number of the transaction; 0 in SQLite, and for events that a restored journal had.
    Column("transaction_id", BigInteger, FetchedValue(), nullable=False),
    Column("chain", Integer, nullable=False),
    # The place in its chain, from 1.
    Column("number", BigInteger, nullable=False),
    Column("at", String(32), nullable=False),
    Column("kind", String(32), nullable=False),
    # The id of the operation, the payment or the sale; the name of the account.
    Column("subject", String(255), nullable=False),
    # The shop's order. NULL as well once it is erased.
    Column("order_number", String(200)),
    # JSON; NULL once it is erased.
    Column("data", Text),
    # Keyed digests of the subject's rows after the event, joined by dots; NULL if the event covers none.
    Column("row_digest", String(160)),
    # A keyed digest of order number, data and row digest. It stays when those are erased.
    Column("content", String(64), nullable=False),
    # A keyed digest of all the above and of the event before it in the chain.
    Column("digest", String(64), nullable=False),
    Column("key_id", String(16), nullable=False),
    # Proves that the library erased the data; NULL as long as they are there.
    Column("erased", String(64)),
    Index(None, "subject", "id"),
)
_index_where(events.c.order_number.is_not(None), events.c.order_number, events.c.id)
# The order of PostgreSQL's transactions. In SQLite the index is empty.
_index_where(events.c.transaction_id > 0, events.c.transaction_id, events.c.id)

# Each transaction appends to a chain that no other transaction uses. The ids are without gaps, from 1.
chains: Final = Table(
    "voucher_gateway_chains",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("started_at", String(32), nullable=False),
    # The first event that is still there, and the digest of the one before it; empty for none.
    Column("first_number", BigInteger, nullable=False),
    Column("first_digest", String(64), nullable=False),
    # The number of the last event, and its digest.
    Column("length", BigInteger, nullable=False),
    Column("head", String(64), nullable=False),
    # A keyed digest of the row.
    Column("mac", String(64), nullable=False),
    Column("key_id", String(16), nullable=False),
)

# How far each consumer of events has read.
cursors: Final = Table(
    "voucher_gateway_cursors",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("transaction_id", BigInteger, nullable=False),
    Column("event_id", BigInteger, nullable=False),
    Column("updated_at", String(32), nullable=False),
    # A keyed digest of the other columns, and the journal's key that made it.
    Column("key_id", String(16), nullable=False),
    Column("seal", String(16), nullable=False),
)

# What is left of operations, payments and sales whose rows were removed; see `voucher_gateway.journal.pruned.pruned`.
pruned_accounts: Final = Table(
    "voucher_gateway_pruned_accounts",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    # Empty for payments, sales and orders, which are of no account.
    Column("provider", String(64), nullable=False),
    Column("host", String(255), nullable=False),
    Column("login", String(255), nullable=False),
    Column("account", String(255), nullable=False),
    # The journal's key that the digests were made with.
    Column("key_id", String(16), nullable=False),
    # A keyed digest of the other columns.
    Column("seal", String(16), nullable=False),
)

pruned: Final = Table(
    "voucher_gateway_pruned",
    metadata,
    # A keyed digest of the verb and the reference.
    Column("digest", String(32), primary_key=True),
    Column("account_id", Integer, ForeignKey("voucher_gateway_pruned_accounts.id"), primary_key=True),
    Column("verb", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    # The year and the month in which it was begun.
    Column("month", String(7), nullable=False),
    # What was moved, so that refunds of it stay limited.
    Column("amount", String(32)),
    Column("currency", String(3)),
    # The end of the operation's id, which is part of the references at the vendor.
    Column("mark", String(14)),
    # Keyed digests: of the id of the result, and of the redemption that a refund gave back.
    Column("result", String(24)),
    Column("target", String(24)),
    # A keyed digest of the other columns.
    Column("seal", String(16), nullable=False),
    sqlite_with_rowid=False,
)
for _name in ("mark", "result", "target"):
    _is_set = pruned.c[_name].is_not(None)
    Index(f"ix_voucher_gateway_pruned_{_name}", pruned.c[_name], sqlite_where=_is_set, postgresql_where=_is_set)

# How long the requests that were permitted keep a vendor busy; see `voucher_gateway.journal.permits`.
rates: Final = Table(
    "voucher_gateway_rates",
    metadata,
    # The account, or the plan of a migration and the account.
    Column("name", String(320), primary_key=True),
    Column("backlog_us", BigInteger, nullable=False),
    # When it was that long, by the clock of the database, in microseconds since 1970.
    Column("at_us", BigInteger, nullable=False),
)

# Accounts to which no new work is sent for a while; see `voucher_gateway.journal.pauses`.
pauses: Final = Table(
    "voucher_gateway_pauses",
    metadata,
    Column("account", String(255), primary_key=True),
    Column("everything", Boolean, nullable=False),
    # By the clock of the database.
    Column("paused_at", String(32), nullable=False),
    Column("ends_at", String(32)),
    Column("reason", String(200)),
    Column("paused_by", String(200)),
    # A keyed digest of the other columns, and the journal's key that made it.
    Column("key_id", String(16), nullable=False),
    Column("seal", String(16), nullable=False),
)

JOURNAL: Final = Schema(
    subject="journal",
    scripts=Path(__file__).parent / "migrations",
    head="0001",
    version_table="voucher_gateway_journal_version",
    metadata=metadata,
)
