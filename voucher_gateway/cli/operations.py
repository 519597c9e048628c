"""Commands about the journal's operations: list, show and decide them, and copy the journal."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Final

import attrs
import typer

from voucher_gateway.capabilities import Operation, Support
from voucher_gateway.cli import options as given
from voucher_gateway.cli.context import advising, cli_context_of
from voucher_gateway.cli.errors import decide_sentence
from voucher_gateway.cli.output import Output
from voucher_gateway.cli.tables import Column, details, fields_of, minute_of, print_rows, text_of
from voucher_gateway.errors import ConfigurationError, InvalidRequest
from voucher_gateway.execution.recovery import Resolution
from voucher_gateway.gateway.gateway import Gateway
from voucher_gateway.journal.backup import copy_journal
from voucher_gateway.journal.overwrites import MAY_STILL_ARRIVE, open_requests
from voucher_gateway.journal.records import OperationKey, OperationRecord, OperationState
from voucher_gateway.money import Money
from voucher_gateway.outcome import Result

LOOK_INTO_THE_JOURNAL: Final = "`voucher-gateway operations list` shows what the journal holds."
"""What to do about an operation that the journal does not have."""

_SENTENCES: Final = {
    OperationState.OPEN: "is open: a worker is on it, or died on it",
    OperationState.SUCCEEDED: "succeeded",
    OperationState.DECLINED: "was declined: nothing moved",
    OperationState.NOT_EXECUTED: "was not executed: nothing moved",
    OperationState.UNKNOWN: "is still unknown",
}
_NO_DETAILS: Final = ("account", "reference", "order")
_IN_TITLE: Final = ("account", "verb", "reference", "outcome", "result")


@attrs.frozen(kw_only=True)
class ResolutionOutput:
    """What is known of an operation that was in doubt, as it is printed.

    Attributes:
        account: the account's name.
        verb: the operation.
        reference: the caller's name for it.
        outcome: what became of it.
        reason: on what that rests, or why it is still unknown.
        result: what it brought about.
        operation_id: the journal's name of it.
    """

    account: str
    verb: str
    reference: str | None
    outcome: OperationState
    reason: str
    result: Result | None
    operation_id: str | None

    @classmethod
    def of(cls, resolution: Resolution) -> ResolutionOutput:
        """Return a resolution as it is printed."""
        return cls(
            account=resolution.account,
            verb=str(resolution.verb),
            reference=resolution.reference,
            outcome=resolution.state,
            reason=resolution.reason,
            result=resolution.result,
            operation_id=resolution.operation_id,
        )


@attrs.frozen(kw_only=True)
class OperationOutput:
    """An operation of the journal, as it is printed.

    Attributes:
        account: the account's name.
        verb: the operation.
        reference: the caller's name for it.
        order: the shop's order.
        outcome: where it stands.
        money: the amount that was to move.
        voucher_id: the voucher.
        attempt: how many times it was begun.
        created_at: when it was first begun.
        updated_at: when it last changed.
        checks: how often its outcome was looked up in vain.
        decided_by: the person who decided it.
        decision: how that person knew.
        reason: what the last error said, or that an earlier request may still arrive.
        operation_id: the journal's name of it.
        result: what it brought about.
    """

    account: str
    verb: Operation
    reference: str
    order: str | None
    outcome: OperationState
    money: Money | None
    voucher_id: str | None
    attempt: int
    created_at: datetime
    updated_at: datetime
    checks: int
    decided_by: str | None
    decision: str | None
    reason: str
    operation_id: str
    result: Result | None

    @classmethod
    def of(cls, entry: OperationRecord) -> OperationOutput:
        """Return an entry as it is printed."""
        return cls(
            account=entry.key.account,
            verb=entry.key.verb,
            reference=entry.key.reference,
            order=entry.order,
            outcome=entry.state,
            money=entry.target.money,
            voucher_id=entry.voucher_id,
            attempt=entry.attempt,
            created_at=entry.created_at,
            updated_at=entry.updated_at,
            checks=entry.checks,
            decided_by=entry.decided_by,
            decision=entry.decision,
            reason=entry.reason,
            operation_id=entry.id,
            result=entry.replay() if entry.result else None,
        )


def print_one(output: Output, shown_object: OperationOutput | ResolutionOutput, *, replaceable: bool) -> None:
    """Print one operation, and what to do about it while it is unknown, which `advise` says."""
    if output.as_json:
        output.object(shown_object)
        return
    fields = {} if shown_object.result is None else fields_of(shown_object.result, without=_NO_DETAILS)
    # what the operation meant gives way to what the vendor said of the same name
    fields = {**fields_of(shown_object, without=_IN_TITLE), **fields}
    title = (
        f"{shown_object.account}: {command_name(shown_object.verb)} {shown_object.reference or ''}"
        f" {_SENTENCES[shown_object.outcome]}"
    )
    output.show(title, details(fields))
    if shown_object.reason == MAY_STILL_ARRIVE:
        output.note(decide_sentence(shown_object.account, shown_object.verb, shown_object.reference or ""))
    if shown_object.outcome is OperationState.UNKNOWN:
        print_next_steps(output, shown_object, replaceable=replaceable)


def is_replaceable(gateway: Gateway, account: str, verb: str) -> bool:
    """Whether an operation is a reservation that can be made again while its outcome is unknown."""
    if verb != Operation.RESERVE.value or account not in {one.name for one in gateway.accounts}:
        return False
    capabilities = gateway.capabilities(account)
    native = capabilities.of(Operation.RESERVE).support is Support.NATIVE
    return native and capabilities.reservations is not None and capabilities.reservations.superseded_by_next


def may_still_arrive(gateway: Gateway, entry: OperationRecord) -> bool:
    """Whether an earlier request of an operation that succeeded may still overwrite its voucher's value."""
    account = entry.key.account
    if entry.state is not OperationState.SUCCEEDED or account not in {one.name for one in gateway.accounts}:
        return False
    writes_value, journal = gateway.capabilities(account).can_overwrite_value, gateway.journal
    return writes_value and journal is not None and bool(open_requests(journal.requests_of(entry.id)))


def print_next_steps(output: Output, shown_object: OperationOutput | ResolutionOutput, *, replaceable: bool) -> None:
    """Say what to do about an operation that is unknown; `replaceable` names a reservation that can be made again."""
    if shown_object.operation_id is None or shown_object.reference is None:
        return
    if replaceable:
        output.note("A reservation moves no money and lapses by itself: nobody needs to decide it.")
        output.note("To reserve again at once, give the same reserve command with the same reference.")
        return
    output.note("`voucher-gateway recover` looks again whenever it is due.")
    output.note(decide_sentence(shown_object.account, shown_object.verb, shown_object.reference))


def operation_from(verb: str) -> Operation:
    """Return the operation that a word stands for.

    Raises:
        InvalidRequest: if there is none. The word is not repeated: it may be a code in the wrong place.
    """
    known = [operation for operation in Operation if operation.changes]
    for record in known:
        if verb.replace("-", "_") == record.value:
            return record
    rule = ", ".join(map(command_name, known))
    raise InvalidRequest(f"VERB must be one of {rule}", field="VERB", rule=rule)


def command_name(verb: str) -> str:
    """Return the command of a verb."""
    return str(verb).replace("_", "-")


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
    account: given.AccountOption = None,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="At most so many, the oldest first.")] = None,
) -> None:
    """List the operations of the journal, the oldest first.

    It shows their amounts, their outcomes and since when (UTC) they have them. Nothing is sent. Those in doubt:
    --outcome unknown; `recover` looks them up.

    Examples:
        voucher-gateway operations list --outcome unknown
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
    context: typer.Context, account: given.AccountName, verb: given.Verb, reference: given.OperationReference
) -> None:
    """Show one operation: its outcome, its attempts and its result.

    Of an operation that is unknown it shows the reason. Moments are in UTC.

    Examples:
        voucher-gateway operations show shop redeem 1002-a
    """
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
    verb: given.Verb,
    reference: given.OperationReference,
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
    """Record what a person found out about an operation that stays unknown.

    It cannot be undone. The vendor is asked once more first; only an operation that no reading decides can be decided
    by hand. If it did not happen, the same command is carried out again; if it happened, it is never sent. An update
    that succeeded when it was repeated can be decided, too: its first request is closed, and it stays succeeded.

    Examples:
        voucher-gateway operations decide shop redeem 1002-a --did-not-happen
            --by Ann --reason 'support case 4711'
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

    Whoever restores the copy must run `recover --after-restore` before anything else is sent. The key file beside the
    journal is not in the copy: store it elsewhere.

    Examples:
        voucher-gateway operations backup journal-backup.db
    """
    session = cli_context_of(context)
    with session.gateway() as gateway:
        if gateway.journal is None:
            raise ConfigurationError("there is no journal: name one in the configuration")
        copy_journal(gateway.journal, file)
    session.output.note(f"The journal is in {file}; its key file is not.")
