"""The commands that move vouchers from one account to another."""

from __future__ import annotations

import typer

from voucher_gateway.cli.helptext import paragraphs
from voucher_gateway.cli.migrate_plan import plan
from voucher_gateway.cli.migrate_run import pause, rollback, run, status, verify

app = typer.Typer(help="Move the vouchers of one account to another: plan it, run it, verify it.", no_args_is_help=True)
app.command("plan", help=paragraphs(plan))(plan)
for _command in (run, status, pause, verify, rollback):
    app.command(_command.__name__, help=paragraphs(_command))(_command)
