"""Run by Alembic: migrates over the connection that `voucher_gateway.database.migrate` hands in."""

from alembic import context

from voucher_gateway.database.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
