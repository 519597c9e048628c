"""The command that holds the journal against the vendors."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from voucher_gateway.adapter import ConfigurationError
from voucher_gateway.cli.exits import DIFFERENT, DONE, NOT_DONE
from voucher_gateway.cli.output import Output
from voucher_gateway.cli.session import session_of
from voucher_gateway.cli.tables import Column, counted, print_rows, text_of
from voucher_gateway.cli.told import verb_word
from voucher_gateway.reconcile import Finding, Reconciliation, reconcile

_COLUMNS: Final = (
    Column[Finding]("found", lambda one: one.kind.value),
    Column[Finding]("voucher", lambda one: one.voucher_id or "", optional=True),
    Column[Finding]("verb", lambda one: verb_word(one.verb or "")),
    Column[Finding]("reference", lambda one: one.reference or "", optional=True),
    Column[Finding]("amount", lambda one: text_of(one.money), right=True),
    Column[Finding]("explanation", lambda one: one.explanation),
)


def reconcile_accounts(
    context: typer.Context,
    account: Annotated[
        list[str] | None, typer.Argument(metavar="[ACCOUNT]...", help="The accounts; all by default.")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Look at every voucher, not only at those that the journal touched.")
    ] = False,
) -> None:
    """Compare the journal with what the vendors show, for a nightly job. Only reads.

    Exit code 0 if they agree, 5 if they differ, 3 if something could not be checked. Movements of other channels
    (tills, say) are listed and are no difference.
    """
    session = session_of(context)
    with session.gateway() as gateway:
        known = [one.name for one in gateway.accounts]
        names = account or known
        if not set(names) <= set(known):  # not repeated: a code given in the account's place would show
            raise ConfigurationError(f"there is no account of this name; there are: {', '.join(known)}")
        found = [reconcile(gateway, name, everything=everything) for name in names]
    for one in found:
        _print(session.output, one)
    raise typer.Exit(_code(found))


def _code(found: list[Reconciliation]) -> int:
    if any(one.differences for one in found):
        return DIFFERENT
    return NOT_DONE if any(one.unchecked for one in found) else DONE


def _print(output: Output, found: Reconciliation) -> None:
    if output.as_json:
        output.object(found)
        return
    output.show(
        f"{found.account}: {counted(found.vouchers, 'voucher')}, {counted(found.operations, 'operation')},"
        f" {counted(len(found.differences), 'difference')}, {len(found.unchecked)} not checked"
    )
    if found.findings:
        print_rows(output, found.findings, _COLUMNS)
    for voucher_id, reason in found.unchecked:
        output.remark(f"Not checked: {voucher_id}: {reason}", "yellow")
