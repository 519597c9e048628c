"""Run by Alembic: migrates over the connection that `voucher_gateway.database` hands in."""

from alembic import context

from voucher_gateway.database import run_scripts

run_scripts(context)
