"""Commands about the journal's operations: list and show them, and copy the journal."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from itertools import islice
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import attrs
import typer
from rich.text import Text

from voucher_gateway.capabilities import Operation, Support
from voucher_gateway.cli import options as given
from voucher_gateway.cli.arguments import parse_code, parse_period
from voucher_gateway.cli.context import LOOK_INTO_THE_JOURNAL, cli_context_of
from voucher_gateway.cli.errors import decide_sentence
from voucher_gateway.cli.lookup_hints import print_hints
from voucher_gateway.cli.output import Output, printable
from voucher_gateway.cli.record_lists import print_records
from voucher_gateway.cli.tables import TableColumn, details, fields_of, texts_of
from voucher_gateway.errors import ConfigurationError, InvalidRequest
from voucher_gateway.journal.records import OperationState

if TYPE_CHECKING:
    from voucher_gateway.execution.recovery import Resolution
    from voucher_gateway.gateway.gateway import Gateway
    from voucher_gateway.journal.records import OperationRecord

_SENTENCES: Final = {
    OperationState.OPEN: "is open: a worker runs it, or crashed while it ran it",
    OperationState.SUCCEEDED: "succeeded",
    OperationState.DECLINED: "was declined: nothing moved",
    OperationState.NOT_EXECUTED: "was not executed: nothing moved",
    OperationState.UNKNOWN: "is still unknown",
    OperationState.PENDING: "is pending: the vendor will complete or cancel it later",
}
_STYLES: Final = {
    OperationState.OPEN: "yellow",
    OperationState.SUCCEEDED: "green",
    OperationState.DECLINED: "yellow",
    OperationState.NOT_EXECUTED: "yellow",
    OperationState.UNKNOWN: "bold magenta",
    OperationState.PENDING: "yellow",
}
_NO_DETAILS: Final = ("account", "reference", "order")
_IN_TITLE: Final = ("account", "verb", "reference", "outcome", "result")


def resolution_fields(resolution: Resolution) -> dict[str, Any]:
    """Return what is printed of an operation that was in doubt."""
    return {
        "account": resolution.account,
        "verb": str(resolution.verb),
        "reference": resolution.reference,
        "outcome": resolution.state,
        "reason": resolution.reason,
        "result": resolution.result,
        "operation_id": resolution.operation_id,
        "left_behind": [str(leftover) for leftover in resolution.left_behind],
    }


def operation_fields(record: OperationRecord, *, late: bool = False) -> dict[str, Any]:
    """Return what is printed of an operation of the journal.

    Args:
        record: the operation.
        late: whether an earlier request of it may still arrive, which is then the reason.
    """
    from voucher_gateway.journal.queries import MAY_STILL_ARRIVE

    return {
        "account": record.key.account,
        "verb": record.key.verb,
        "reference": record.key.reference,
        "order": record.order,
        "outcome": record.state,
        "money": record.target.money,
        "voucher_id": record.voucher_id,
        "attempt": record.attempt,
        "created_at": record.created_at,
        "updated_at": record.updated_at,
        "checks": record.checks,
        "decided_by": record.decided_by,
        "decision": record.decision,
        "reason": MAY_STILL_ARRIVE if late else record.reason,
        "operation_id": record.id,
        "result": record.replay() if record.result else None,
    }


def print_one(output: Output, fields: Mapping[str, Any], *, replaceable: bool) -> None:
    """Print one operation, and while it is unknown what to do about it.

    Args:
        output: where it is printed.
        fields: those of `resolution_fields` or `operation_fields`.
        replaceable: whether it is a reservation that can be made again.
    """
    from voucher_gateway.journal.queries import MAY_STILL_ARRIVE

    if output.as_json:
        output.object(fields)
        return
    account, verb, reference = fields["account"], fields["verb"], fields["reference"] or ""
    outcome, result = fields["outcome"], fields["result"]
    # what the operation meant gives way to what the vendor said of the same name
    texts = texts_of(fields, without=(*_IN_TITLE, "look_for"))
    texts |= {} if result is None else fields_of(result, without=_NO_DETAILS)
    title = f"{account}: {command_name(verb)} {reference} {_SENTENCES[outcome]}"
    output.show(Text(printable(title), _STYLES[outcome]), details(texts))
    print_hints(output, fields.get("look_for", ()))
    if fields["reason"] == MAY_STILL_ARRIVE:
        output.note(decide_sentence(account, verb, reference))
    if outcome is OperationState.PENDING:
        output.note("`voucher-gateway recover` asks the vendor for news whenever it is due.")
    if outcome is OperationState.UNKNOWN:
        print_next_steps(output, fields, replaceable=replaceable)


def is_replaceable(gateway: Gateway, account: str, verb: str) -> bool:
    """Return whether an operation is a reservation that can be made again while its outcome is unknown."""
    if verb != Operation.RESERVE.value or not gateway.has_account(account):
        return False
    capabilities = gateway.capabilities(account)
    native = capabilities.of(Operation.RESERVE).support is Support.NATIVE
    return native and capabilities.reservations is not None and capabilities.reservations.superseded_by_next


def may_still_arrive(gateway: Gateway, record: OperationRecord) -> bool:
    """Return whether an earlier request of an operation that succeeded may still overwrite its voucher's value."""
    from voucher_gateway.journal.queries import open_requests

    account, journal = record.key.account, gateway.journal
    if record.state is not OperationState.SUCCEEDED or journal is None:
        return False
    if not gateway.has_account(account):
        return False
    return gateway.capabilities(account).can_overwrite_value and bool(open_requests(journal.requests_of(record.id)))


def print_next_steps(output: Output, fields: Mapping[str, Any], *, replaceable: bool) -> None:
    """Say what to do about an operation that is unknown; `replaceable` names a reservation that can be made again."""
    if fields["operation_id"] is None or fields["reference"] is None:
        return
    if replaceable:
        output.note("A reservation moves no money and lapses by itself: no decision is needed.")
        output.note("To reserve again at once, give the same reserve command with the same reference.")
        return
    output.note("`voucher-gateway recover` looks again whenever it is due.")
    output.note(decide_sentence(fields["account"], fields["verb"], fields["reference"]))


def parse_operation(verb: str) -> Operation:
    """Return the operation that a word stands for.

    Raises:
        InvalidRequest: if the word is not a state. The word is not repeated: it may be a code in the wrong place.
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


def _command_of_record(record: OperationRecord) -> str:
    return command_name(record.key.verb)


@attrs.frozen(kw_only=True)
class ArchiveFilter:
    """Conditions on the operations of an archive. An operation must meet all that are not None."""

    outcome: OperationState | None
    account: str | None
    verb: Operation | None
    reference: str | None
    order: str | None
    voucher: str | None
    since: datetime | None
    until: datetime | None

    def matches(self, record: OperationRecord) -> bool:
        """Whether an operation meets the conditions."""
        pairs = (
            (self.outcome, record.state),
            (self.account, record.key.account),
            (self.verb, record.key.verb),
            (self.reference, record.key.reference),
            (self.order, record.order),
            (self.voucher, record.voucher_id),
        )
        if any(wanted is not None and wanted != value for wanted, value in pairs):
            return False
        is_after = self.since is None or record.created_at >= self.since
        return is_after and (self.until is None or record.created_at < self.until)


OPERATION_COLUMNS: Final = (
    TableColumn("begun (UTC)", attrgetter("created_at")),
    TableColumn("account", attrgetter("key.account")),
    TableColumn("verb", _command_of_record),
    TableColumn("reference", attrgetter("key.reference")),
    TableColumn("order", attrgetter("order"), optional=True),
    TableColumn("amount", attrgetter("target.money"), right=True),
    TableColumn("outcome", attrgetter("state")),
)


def list_operations(
    context: typer.Context,
    outcome: Annotated[
        OperationState | None,
        typer.Option("--outcome", help="Only those that ended so; `open`: a worker runs it, or crashed."),
    ] = None,
    account: given.AccountOption = None,
    verb: Annotated[
        str | None,
        typer.Option("--verb", metavar="VERB", help="Only this operation.", autocompletion=given.complete_operation),
    ] = None,
    order: given.OrderFilter = None,
    reference: Annotated[
        str | None, typer.Option("--reference", metavar="REFERENCE", help="Only under this reference.")
    ] = None,
    voucher: Annotated[
        str | None, typer.Option("--voucher", metavar="ID", help="Only on the voucher with this id.")
    ] = None,
    code: Annotated[
        str | None,
        typer.Option("--code", metavar="CODE", help="Only on the voucher with this code; - reads it, as elsewhere."),
    ] = None,
    code_file: given.CodeFile = None,
    since: given.Since = None,
    until: given.Until = None,
    limit: given.Newest = None,
    archive: Annotated[
        Path | None,
        typer.Option("--archive", metavar="FILE", help="List those of an archive of this journal, the oldest first."),
    ] = None,
) -> None:
    """List the operations of the journal, the newest first.

    It shows when (UTC) they were begun, their amounts and their outcomes. Nothing is sent. An operation must match all
    options that are given. Those in doubt: --outcome unknown; those that the vendor has accepted and not decided:
    --outcome pending. `recover` looks both up.

    Examples:
        voucher-gateway operations list --outcome unknown
        voucher-gateway operations list --order 1001
        voucher-gateway operations list --since 2026-11-01 --limit 100 --json
        voucher-gateway operations list --archive 2026.jsonl.gz --order 1001
    """
    session = cli_context_of(context)
    begin, end = parse_period(since, until)
    if archive is not None:
        if code is not None or code_file is not None:
            raise InvalidRequest("an archive cannot be searched by a code", field="--code", rule="without --archive")
        wanted = ArchiveFilter(
            outcome=outcome,
            account=account,
            verb=None if verb is None else parse_operation(verb),
            reference=reference,
            order=order,
            voucher=voucher,
            since=begin,
            until=end,
        )
        with session.gateway() as gateway:
            archived = filter(wanted.matches, gateway.archived_operations(archive))
            print_records(session.output, islice(archived, limit), OPERATION_COLUMNS, operation_fields)
        return
    with session.gateway(account) as gateway:
        records = gateway.operations(
            states=() if outcome is None else (outcome,),
            account=account,
            verb=None if verb is None else parse_operation(verb),
            reference=reference,
            order=order,
            voucher=voucher,
            code=parse_code(code, code_file),
            since=begin,
            until=end,
            limit=limit,
        )
        print_records(session.output, records, OPERATION_COLUMNS, operation_fields)


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
        record = gateway.operation(account, parse_operation(verb), reference)
        replaceable = is_replaceable(gateway, account, parse_operation(verb).value)
        late = record is not None and may_still_arrive(gateway, record)
        leftovers = () if record is None or gateway.journal is None else gateway.journal.leftovers_of(record)
        hints = [] if record is None or replaceable else gateway.lookup_hints(record.key)
    if record is None:
        error = InvalidRequest(
            "the journal has no such operation: under this reference it sent nothing",
            field="REFERENCE",
            rule="of an operation that was sent",
        )
        error.add_note(LOOK_INTO_THE_JOURNAL)
        raise error
    hints = hints if record.state.is_unresolved or late else []
    fields = operation_fields(record, late=late) | {"left_behind": list(map(str, leftovers)), "look_for": hints}
    print_one(session.output, fields, replaceable=replaceable)


def backup(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A new file.", show_default=False)],
) -> None:
    """Copy an SQLite journal into a file, while it is in use.

    After you restore the copy, run `recover --after-restore` before anything else is sent. The key file beside the
    journal is not in the copy: store it elsewhere.

    Examples:
        voucher-gateway operations backup journal-backup.db
    """
    from voucher_gateway.journal.backup import copy_journal

    session = cli_context_of(context)
    with session.gateway() as gateway:
        if gateway.journal is None:
            raise ConfigurationError("this needs a journal: name one in the configuration")
        copy_journal(gateway.journal, file)
    session.output.note(f"The journal is in {file}; its key file is not.")
