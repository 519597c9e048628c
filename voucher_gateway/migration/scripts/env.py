"""Run by Alembic: migrates over the connection that `voucher_gateway.database.migrate` hands in."""

from alembic import context

from voucher_gateway.database.migrate import run_scripts

run_scripts(context)
