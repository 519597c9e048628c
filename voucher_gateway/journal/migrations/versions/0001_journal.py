"""The journal: operations, their requests, holds, and events."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "voucher_gateway_operations",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("account", sa.String(length=255), nullable=False),
        sa.Column("verb", sa.String(length=16), nullable=False),
        sa.Column("reference", sa.String(length=200), nullable=False),
        sa.Column("order_number", sa.String(length=200), nullable=True),
        sa.Column("provider", sa.String(length=64), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("login", sa.String(length=255), nullable=True),
        sa.Column("key_id", sa.String(length=16), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=True),
        sa.Column("target", sa.String(length=255), nullable=True),
        sa.Column("voucher_id", sa.String(length=255), nullable=True),
        sa.Column("amount", sa.String(length=32), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=True),
        sa.Column("content", sa.String(length=33), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("owner", sa.String(length=32), nullable=True),
        sa.Column("result", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.Column("updated_at", sa.String(length=32), nullable=False),
        sa.Column("checks", sa.Integer(), nullable=False),
        sa.Column("check_at", sa.String(length=32), nullable=True),
        sa.Column("decided_by", sa.String(length=200), nullable=True),
        sa.Column("decision", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_voucher_gateway_operations"),
        sa.UniqueConstraint(
            "reference", "account", "verb", name="uq_voucher_gateway_operations_reference_account_verb"
        ),
    )
    op.create_index(
        "ix_voucher_gateway_operations_state_id",
        "voucher_gateway_operations",
        ["state", "id"],
        unique=False,
    )
    op.create_index(
        "ix_voucher_gateway_operations_account_id",
        "voucher_gateway_operations",
        ["account", "id"],
        unique=False,
    )
    op.create_index(
        "ix_voucher_gateway_operations_verb_id",
        "voucher_gateway_operations",
        ["verb", "id"],
        unique=False,
    )
    op.create_index(
        "ix_voucher_gateway_operations_order_number_id",
        "voucher_gateway_operations",
        ["order_number", "id"],
        unique=False,
        sqlite_where=sa.text("order_number IS NOT NULL"),
        postgresql_where=sa.text("order_number IS NOT NULL"),
    )
    op.create_index(
        "ix_voucher_gateway_operations_voucher_id_provider_host",
        "voucher_gateway_operations",
        ["voucher_id", "provider", "host"],
        unique=False,
        sqlite_where=sa.text("voucher_id IS NOT NULL"),
        postgresql_where=sa.text("voucher_id IS NOT NULL"),
    )
    op.create_index(
        "ix_voucher_gateway_operations_fingerprint_provider_host_id",
        "voucher_gateway_operations",
        ["fingerprint", "provider", "host", "id"],
        unique=False,
        sqlite_where=sa.text("fingerprint IS NOT NULL"),
        postgresql_where=sa.text("fingerprint IS NOT NULL"),
    )
    op.create_index(
        "ix_voucher_gateway_operations_refunds_target",
        "voucher_gateway_operations",
        ["target"],
        unique=False,
        sqlite_where=sa.text("verb = 'refund'"),
        postgresql_where=sa.text("verb = 'refund'"),
    )
    op.create_index(
        "ix_voucher_gateway_operations_ends_target",
        "voucher_gateway_operations",
        ["target"],
        unique=False,
        sqlite_where=sa.text("verb = 'capture' OR verb = 'release'"),
        postgresql_where=sa.text("verb = 'capture' OR verb = 'release'"),
    )
    op.create_table(
        "voucher_gateway_facts",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_voucher_gateway_facts"),
    )
    op.create_table(
        "voucher_gateway_accounts",
        sa.Column("provider", sa.String(length=64), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("login", sa.String(length=255), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("known_as", sa.String(length=255), nullable=False),
        sa.Column("key_id", sa.String(length=16), nullable=False),
        sa.Column("seal", sa.String(length=16), nullable=False),
        sa.PrimaryKeyConstraint("provider", "host", "login", "name", "known_as", name="pk_voucher_gateway_accounts"),
    )
    op.create_table(
        "voucher_gateway_adopted",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("account", sa.String(length=255), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("mark", sa.String(length=16), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("voucher_id", sa.String(length=255), nullable=False),
        sa.Column("movement_id", sa.String(length=255), nullable=True),
        sa.Column("wire_reference", sa.String(length=255), nullable=False),
        sa.Column("amount", sa.String(length=32), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("pending", sa.Boolean(), nullable=False),
        sa.Column("moved_at", sa.String(length=32), nullable=True),
        sa.Column("key_id", sa.String(length=16), nullable=False),
        sa.Column("seal", sa.String(length=16), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_voucher_gateway_adopted"),
        sa.UniqueConstraint(
            "host", "wire_reference", "kind", name="uq_voucher_gateway_adopted_host_wire_reference_kind"
        ),
    )
    op.create_index(
        "ix_voucher_gateway_adopted_account_mark", "voucher_gateway_adopted", ["account", "mark"], unique=False
    )
    op.create_table(
        "voucher_gateway_holds",
        sa.Column("operation_id", sa.String(length=32), nullable=False),
        sa.Column("provider", sa.String(length=64), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("order_number", sa.String(length=200), nullable=True),
        sa.Column("reservation_id", sa.String(length=255), nullable=True),
        sa.Column("amount", sa.String(length=32), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("expires_at", sa.String(length=32), nullable=True),
        sa.Column("exclusive", sa.Boolean(), nullable=False),
        sa.Column("holds_rest", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.ForeignKeyConstraint(
            ["operation_id"], ["voucher_gateway_operations.id"], name="fk_voucher_gateway_holds_operation_id"
        ),
        sa.PrimaryKeyConstraint("operation_id", name="pk_voucher_gateway_holds"),
    )
    op.create_index(
        "ix_voucher_gateway_holds_provider_host_fingerprint_state",
        "voucher_gateway_holds",
        ["provider", "host", "fingerprint", "state"],
        unique=False,
    )
    op.create_index(
        "ix_voucher_gateway_holds_reservation_id",
        "voucher_gateway_holds",
        ["reservation_id"],
        unique=False,
        sqlite_where=sa.text("reservation_id IS NOT NULL"),
        postgresql_where=sa.text("reservation_id IS NOT NULL"),
    )
    op.create_index(
        "ix_voucher_gateway_holds_state",
        "voucher_gateway_holds",
        ["state"],
        unique=False,
        sqlite_where=sa.text("state IN ('asked', 'live')"),
        postgresql_where=sa.text("state IN ('asked', 'live')"),
    )
    op.create_table(
        "voucher_gateway_moved",
        sa.Column("account", sa.String(length=255), nullable=False),
        sa.Column("voucher_id", sa.String(length=255), nullable=False),
        sa.Column("to_account", sa.String(length=255), nullable=True),
        sa.Column("to_voucher_id", sa.String(length=255), nullable=True),
        sa.Column("plan_id", sa.String(length=64), nullable=False),
        sa.Column("moved_at", sa.String(length=32), nullable=False),
        sa.Column("key_id", sa.String(length=16), nullable=False),
        sa.Column("seal", sa.String(length=16), nullable=False),
        sa.PrimaryKeyConstraint("account", "voucher_id", name="pk_voucher_gateway_moved"),
    )
    op.create_table(
        "voucher_gateway_pauses",
        sa.Column("account", sa.String(length=255), nullable=False),
        sa.Column("everything", sa.Boolean(), nullable=False),
        sa.Column("paused_at", sa.String(length=32), nullable=False),
        sa.Column("ends_at", sa.String(length=32), nullable=True),
        sa.Column("reason", sa.String(length=200), nullable=True),
        sa.Column("paused_by", sa.String(length=200), nullable=True),
        sa.Column("key_id", sa.String(length=16), nullable=False),
        sa.Column("seal", sa.String(length=16), nullable=False),
        sa.PrimaryKeyConstraint("account", name="pk_voucher_gateway_pauses"),
    )
    op.create_table(
        "voucher_gateway_rates",
        sa.Column("name", sa.String(length=320), nullable=False),
        sa.Column("backlog_us", sa.BigInteger(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_voucher_gateway_rates"),
    )
    op.create_table(
        "voucher_gateway_requests",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("operation_id", sa.String(length=32), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("step", sa.String(length=32), nullable=False),
        sa.Column("decisive", sa.Boolean(), nullable=False),
        sa.Column("prepares", sa.Boolean(), nullable=False),
        sa.Column("wire_reference", sa.String(length=255), nullable=False),
        sa.Column("vendor_key", sa.String(length=255), nullable=True),
        sa.Column("key_credentials", sa.String(length=16), nullable=True),
        sa.Column("intent", sa.Text(), nullable=False),
        sa.Column("sent_at", sa.String(length=32), nullable=False),
        sa.Column("finished_at", sa.String(length=32), nullable=True),
        sa.Column("effect", sa.String(length=16), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["operation_id"], ["voucher_gateway_operations.id"], name="fk_voucher_gateway_requests_operation_id"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_voucher_gateway_requests"),
    )
    op.create_index(
        "ix_voucher_gateway_requests_operation_id", "voucher_gateway_requests", ["operation_id"], unique=False
    )
    op.create_index(
        "ix_voucher_gateway_requests_preparing_operation_id",
        "voucher_gateway_requests",
        ["operation_id"],
        unique=False,
        sqlite_where=sa.text("prepares IS 1"),
        postgresql_where=sa.text("prepares IS true"),
    )
    _create_events(is_postgres=op.get_bind().dialect.name == "postgresql")
    _create_pruned()


def _create_events(*, is_postgres: bool) -> None:
    # PostgreSQL's own number is read within the insert, so that a reader knows which transactions are over.
    transaction = "(pg_current_xact_id()::text)::bigint" if is_postgres else "0"
    op.create_table(
        "voucher_gateway_events",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("transaction_id", sa.BigInteger(), server_default=sa.text(transaction), nullable=False),
        sa.Column("chain", sa.Integer(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("subject", sa.String(length=255), nullable=False),
        sa.Column("order_number", sa.String(length=200), nullable=True),
        sa.Column("data", sa.Text(), nullable=True),
        sa.Column("row_digest", sa.String(length=160), nullable=True),
        sa.Column("content", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("key_id", sa.String(length=16), nullable=False),
        sa.Column("erased", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_voucher_gateway_events"),
    )
    op.create_index("ix_voucher_gateway_events_subject_id", "voucher_gateway_events", ["subject", "id"], unique=False)
    op.create_index(
        "ix_voucher_gateway_events_order_number_id",
        "voucher_gateway_events",
        ["order_number", "id"],
        unique=False,
        sqlite_where=sa.text("order_number IS NOT NULL"),
        postgresql_where=sa.text("order_number IS NOT NULL"),
    )
    op.create_index(
        "ix_voucher_gateway_events_transaction_id_id",
        "voucher_gateway_events",
        ["transaction_id", "id"],
        unique=False,
        sqlite_where=sa.text("transaction_id > 0"),
        postgresql_where=sa.text("transaction_id > 0"),
    )
    op.create_table(
        "voucher_gateway_chains",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("started_at", sa.String(length=32), nullable=False),
        sa.Column("first_number", sa.BigInteger(), nullable=False),
        sa.Column("first_digest", sa.String(length=64), nullable=False),
        sa.Column("length", sa.BigInteger(), nullable=False),
        sa.Column("head", sa.String(length=64), nullable=False),
        sa.Column("mac", sa.String(length=64), nullable=False),
        sa.Column("key_id", sa.String(length=16), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_voucher_gateway_chains"),
    )
    op.create_table(
        "voucher_gateway_cursors",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("transaction_id", sa.BigInteger(), nullable=False),
        sa.Column("event_id", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.String(length=32), nullable=False),
        sa.Column("key_id", sa.String(length=16), nullable=False),
        sa.Column("seal", sa.String(length=16), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_voucher_gateway_cursors"),
    )


def _create_pruned() -> None:
    op.create_table(
        "voucher_gateway_pruned_accounts",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("provider", sa.String(length=64), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("login", sa.String(length=255), nullable=False),
        sa.Column("account", sa.String(length=255), nullable=False),
        sa.Column("key_id", sa.String(length=16), nullable=False),
        sa.Column("seal", sa.String(length=16), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_voucher_gateway_pruned_accounts"),
    )
    op.create_table(
        "voucher_gateway_pruned",
        sa.Column("digest", sa.String(length=32), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("verb", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("amount", sa.String(length=32), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=True),
        sa.Column("mark", sa.String(length=14), nullable=True),
        sa.Column("result", sa.String(length=24), nullable=True),
        sa.Column("target", sa.String(length=24), nullable=True),
        sa.Column("seal", sa.String(length=16), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["voucher_gateway_pruned_accounts.id"],
            name="fk_voucher_gateway_pruned_account_id",
        ),
        sa.PrimaryKeyConstraint("digest", "account_id", name="pk_voucher_gateway_pruned"),
        sqlite_with_rowid=False,
    )
    for column in ("mark", "result", "target"):
        is_set = sa.text(f"{column} IS NOT NULL")
        op.create_index(
            f"ix_voucher_gateway_pruned_{column}",
            "voucher_gateway_pruned",
            [column],
            unique=False,
            sqlite_where=is_set,
            postgresql_where=is_set,
        )
