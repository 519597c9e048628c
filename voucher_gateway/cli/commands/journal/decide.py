"""The command that records a person's decision about an operation that stays unknown."""

from __future__ import annotations

import sys
from operator import attrgetter
from pathlib import Path
from typing import Annotated, Final

import typer

from voucher_gateway.cli import options as given
from voucher_gateway.cli.commands.journal.operations import parse_operation, print_one, resolution_fields
from voucher_gateway.cli.context import LOOK_INTO_THE_JOURNAL, CliContext, advising, cli_context_of
from voucher_gateway.cli.lookup_hints import print_hints
from voucher_gateway.cli.tables import TableColumn, print_rows
from voucher_gateway.errors import InvalidRequest


def decide(
    context: typer.Context,
    account: given.OptionalAccountName = None,
    verb: given.OptionalVerb = None,
    reference: given.OptionalReference = None,
    *,
    by: Annotated[str | None, typer.Option("--by", metavar="NAME", help="Who decides; the journal keeps it.")] = None,
    reason: Annotated[
        str | None, typer.Option("--reason", metavar="TEXT", help="How you know; the journal keeps it.")
    ] = None,
    happened: Annotated[
        bool | None,
        typer.Option("--happened/--did-not-happen", help="What you found out at the vendor.", show_default=False),
    ] = None,
    voucher_id: Annotated[
        str | None,
        typer.Option("--id", metavar="ID", help="The voucher that an issue made, at the vendor; it is read."),
    ] = None,
    plan: Annotated[
        Path | None,
        typer.Option("--plan", metavar="PLAN", help="All operations of this migration that are unknown; no others."),
    ] = None,
) -> None:
    """Record what a person found out about an operation that stays unknown.

    Without --happened or --did-not-happen it says what to look for at the vendor: from when to when, which amount,
    which order mark, and what was left on the voucher before and after. A terminal then asks for the decision.

    The vendor is asked once more first; only an operation that no reading decides can be decided by hand. If it did not
    happen, the same command is carried out again; if it happened, it is never sent. For an issue that happened, --id
    names the voucher. A second decision corrects the first; the journal keeps both. An update that succeeded when it
    was repeated can be decided, too: its first request is closed, and it stays succeeded.

    With --plan and --did-not-happen each unknown operation of a migration is looked at, and decided where that shows
    nothing.

    Examples:
        voucher-gateway operations decide shop redeem 1002-a
        voucher-gateway operations decide shop redeem 1002-a --did-not-happen
            --by Ann --reason 'support case 4711'
        voucher-gateway operations decide --plan move.plan --did-not-happen
            --by Ann --reason 'support case 4711'
    """
    from voucher_gateway.journal.records import OperationKey

    session = cli_context_of(context)
    if plan is not None:
        if happened or voucher_id is not None or account is not None:
            raise InvalidRequest(
                "--plan is given alone, with --did-not-happen; whether a voucher was issued is decided with its --id",
                field="--plan",
                rule="without an operation and --happened",
            )
        if happened is None or by is None or reason is None:
            rule = "--did-not-happen, with --by NAME and --reason TEXT"
            raise InvalidRequest(f"the decision of a plan needs {rule}", field="--did-not-happen", rule=rule)
        _decide_plan(session, plan, by=by, reason=reason)
        return
    if account is None or verb is None or reference is None:
        raise InvalidRequest(
            "name the operation: ACCOUNT VERB REFERENCE, or --plan PLAN", field="REFERENCE", rule="an operation"
        )
    with session.gateway(account) as gateway, advising(LOOK_INTO_THE_JOURNAL, "reference", "key"):
        key = OperationKey(account, parse_operation(verb), reference)
        if happened is None or by is None or reason is None:
            hints = gateway.lookup_hints(key, ask_vendor=True)
            if session.output.as_json:
                session.output.object({"look_for": hints})
            print_hints(session.output, () if session.output.as_json else hints)
            happened, by, reason = _ask_for_decision(happened, by, reason)
        resolution = gateway.decide(key, succeeded=happened, by=by, reason=reason, voucher_id=voucher_id)
    print_one(session.output, resolution_fields(resolution), replaceable=False)


def _ask_for_decision(happened: bool | None, by: str | None, reason: str | None) -> tuple[bool, str, str]:
    """Return a decision, and ask for what is missing of it.

    Raises:
        InvalidRequest: if stdin is not a terminal.
    """
    if not sys.stdin.isatty():
        rule = "--happened or --did-not-happen, with --by NAME and --reason TEXT"
        raise InvalidRequest(f"a decision needs {rule}", field="--happened", rule=rule)
    if happened is None:
        happened = typer.confirm("Does the vendor show it?", err=True)
    by = by or typer.prompt("Who decides?", err=True)
    return happened, by, reason or typer.prompt("How do you know?", err=True)


_DECIDED: Final = (
    TableColumn("account", attrgetter("account")),
    TableColumn("verb", attrgetter("verb")),
    TableColumn("reference", attrgetter("reference")),
    TableColumn("outcome", attrgetter("state")),
    TableColumn("because", attrgetter("reason")),
)


def _decide_plan(session: CliContext, plan: Path, *, by: str, reason: str) -> None:
    """Look at each operation of a plan that is unknown, and decide that those which stay so did not happen."""
    from voucher_gateway.migration.run.decide import decide_unknown_operations

    with session.gateway() as gateway:
        resolutions = decide_unknown_operations(gateway, plan, by=by, reason=reason)
    if session.output.as_json:
        for resolution in resolutions:
            session.output.object(resolution_fields(resolution))
        return
    if not print_rows(session.output, resolutions, _DECIDED):
        session.output.note("No operation of the plan is unknown.")
