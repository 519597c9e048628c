"""Run by Alembic: migrates over the connection that `voucher_gateway.storage` hands in."""

from alembic import context

from voucher_gateway.storage.schema_upgrade import run_scripts

run_scripts(context)
