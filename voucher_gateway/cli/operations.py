"""Commands about the journal's operations: list, show and decide them, and copy the journal."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import attrs
import typer

from voucher_gateway.cli import arguments as given
from voucher_gateway.cli.helptext import paragraphs
from voucher_gateway.cli.session import advising, cli_context_of
from voucher_gateway.cli.tables import Column, minute_of, print_rows, text_of
from voucher_gateway.cli.told import (
    LOOK_INTO_THE_JOURNAL,
    OperationOutput,
    OperationReference,
    ResolutionOutput,
    Verb,
    command_name,
    is_replaceable,
    may_still_arrive,
    operation_from,
    print_one,
)
from voucher_gateway.errors.kinds import ConfigurationError
from voucher_gateway.errors.request import InvalidRequest
from voucher_gateway.journal.backup import copy_journal
from voucher_gateway.journal.overwrites import MAY_STILL_ARRIVE
from voucher_gateway.journal.records import OperationKey, OperationState

app = typer.Typer(help="The journal's operations: what was sent, and what became of it.", no_args_is_help=True)

_COLUMNS: Final = (
    Column[OperationOutput]("since (UTC)", lambda record: minute_of(record.updated_at)),
    Column[OperationOutput]("account", lambda record: record.account),
    Column[OperationOutput]("verb", lambda record: command_name(record.verb)),
    Column[OperationOutput]("reference", lambda record: record.reference),
    Column[OperationOutput]("order", lambda record: record.order or "", optional=True),
    Column[OperationOutput]("amount", lambda record: text_of(record.money), right=True),
    Column[OperationOutput]("outcome", lambda record: text_of(record.outcome)),
)


def list_operations(
    context: typer.Context,
    outcome: Annotated[
        OperationState | None,
        typer.Option("--outcome", help="Only those that ended so; `open` ones have a worker, or had one that died."),
    ] = None,
    account: Annotated[str | None, typer.Option("--account", metavar="ACCOUNT", help="Only this account's.")] = None,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="At most so many, the oldest first.")] = None,
) -> None:
    """List the journal's operations, the oldest first, with their amounts and since when (UTC) they stand so.

    Nothing is sent. Those in doubt: --outcome unknown; `recover` looks them up.
    """
    session = cli_context_of(context)
    with session.gateway(account) as gateway:
        entries = gateway.operations(states=() if outcome is None else (outcome,), account=account, limit=limit)
    records = [OperationOutput.of(entry) for entry in entries]
    if session.output.as_json:
        for record in records:
            session.output.object(record)
    elif not print_rows(session.output, records, _COLUMNS):
        session.output.note("There are none.")


def show_operation(
    context: typer.Context, account: given.AccountName, verb: Verb, reference: OperationReference
) -> None:
    """Show one operation: its outcome, its attempts, its result or the reason of its doubt. Moments are in UTC."""
    session = cli_context_of(context)
    with session.gateway(account) as gateway:
        entry = gateway.operation(account, operation_from(verb), reference)
        replaceable = is_replaceable(gateway, account, operation_from(verb).value)
        late = entry is not None and may_still_arrive(gateway, entry)
    if entry is None:
        error = InvalidRequest(
            "the journal has no such operation: under this reference it sent nothing",
            field="REFERENCE",
            rule="of an operation that was sent",
        )
        error.add_note(LOOK_INTO_THE_JOURNAL)
        raise error
    told = OperationOutput.of(entry)
    if late:
        told = attrs.evolve(told, reason=MAY_STILL_ARRIVE)
    print_one(session.output, told, replaceable=replaceable)


def decide(
    context: typer.Context,
    account: given.AccountName,
    verb: Verb,
    reference: OperationReference,
    by: Annotated[
        str, typer.Option("--by", metavar="NAME", help="Who decides; kept in the journal.", show_default=False)
    ],
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="How you know; kept in the journal.", show_default=False)
    ],
    happened: Annotated[
        bool, typer.Option("--happened/--did-not-happen", help="What you found out at the vendor.", show_default=False)
    ],
) -> None:
    """Write down what a person found out about an operation that stays unknown. It cannot be undone.

    The vendor is looked at once more first; only an operation that no reading decides can be decided by hand. When it
    did not happen, the same command is carried out again; when it happened, it is never sent. An update that succeeded
    when it was repeated can be decided, too: its first request is closed, and it stays succeeded.
    """
    session = cli_context_of(context)
    with session.gateway(account) as gateway, advising(LOOK_INTO_THE_JOURNAL, "reference", "key"):
        key = OperationKey(account, operation_from(verb), reference)
        resolution = gateway.decide(key, succeeded=happened, by=by, reason=reason)
    print_one(session.output, ResolutionOutput.of(resolution), replaceable=False)


def backup(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A new file.", show_default=False)],
) -> None:
    """Copy an SQLite journal into a file, while it is in use.

    Who restores the copy must run `recover --after-restore` before anything else is sent. The key file beside the
    journal is not in it: keep that elsewhere.
    """
    session = cli_context_of(context)
    with session.gateway() as gateway:
        if gateway.journal is None:
            raise ConfigurationError("there is no journal: name one in the configuration")
        copy_journal(gateway.journal, file)
    session.output.note(f"The journal is in {file}; its key file is not.")


for _name, _command in (("list", list_operations), ("show", show_operation), ("decide", decide), ("backup", backup)):
    app.command(_name, help=paragraphs(_command))(_command)
