"""The command that holds the journal against the vendors."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from voucher_gateway.cli import options as given
from voucher_gateway.cli.context import cli_context_of, require_accounts
from voucher_gateway.cli.exit_codes import DIFFERENT, DONE, NOT_DONE
from voucher_gateway.cli.operations import command_name
from voucher_gateway.cli.output import Output
from voucher_gateway.cli.tables import Column, count_text, print_rows, text_of
from voucher_gateway.reconcile import Finding, Reconciliation, reconcile

_COLUMNS: Final = (
    Column[Finding]("found", lambda finding: finding.kind.value),
    Column[Finding]("voucher", lambda finding: finding.voucher_id or "", optional=True),
    Column[Finding]("verb", lambda finding: command_name(finding.verb or "")),
    Column[Finding]("reference", lambda finding: finding.reference or "", optional=True),
    Column[Finding]("amount", lambda finding: text_of(finding.money), right=True),
    Column[Finding]("explanation", lambda finding: finding.explanation),
)


def reconcile_accounts(
    context: typer.Context,
    account: given.AccountNames = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Look at every voucher, not only at those that the journal touched.")
    ] = False,
) -> None:
    """Compare the journal with what the vendors show.

    It only reads, and is meant for a nightly job. Exit code 0 if they agree, 5 if they differ, 3 if something could
    not be checked. Movements of other channels (tills, say) are listed and are not a difference.

    Examples:
        voucher-gateway reconcile
        voucher-gateway reconcile shop --all
    """
    session = cli_context_of(context)
    with session.gateway() as gateway:
        names = account or [account.name for account in gateway.accounts]
        require_accounts(gateway, names)
        reconciliations = [reconcile(gateway, name, everything=everything) for name in names]
    for reconciliation in reconciliations:
        _print(session.output, reconciliation)
    raise typer.Exit(_code(reconciliations))


def _code(reconciliations: list[Reconciliation]) -> int:
    if any(reconciliation.differences for reconciliation in reconciliations):
        return DIFFERENT
    return NOT_DONE if any(reconciliation.unchecked for reconciliation in reconciliations) else DONE


def _print(output: Output, reconciliation: Reconciliation) -> None:
    if output.as_json:
        output.object(reconciliation)
        return
    output.show(
        f"{reconciliation.account}: {count_text(reconciliation.vouchers, 'voucher')},"
        f" {count_text(reconciliation.operations, 'operation')},"
        f" {count_text(len(reconciliation.differences), 'difference')}, {len(reconciliation.unchecked)} not checked"
    )
    if reconciliation.findings:
        print_rows(output, reconciliation.findings, _COLUMNS)
    for voucher_id, reason in reconciliation.unchecked:
        output.note(f"Not checked: {voucher_id}: {reason}", "yellow")
