"""Commands that compare the journal with the vendors: what became of operations, and what differs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from voucher_gateway.cli import options as given
from voucher_gateway.cli.arguments import parse_period
from voucher_gateway.cli.commands.journal.operations import (
    command_name,
    is_replaceable,
    parse_operation,
    print_next_steps,
    print_one,
    resolution_fields,
)
from voucher_gateway.cli.context import (
    DIFFERENT,
    DONE,
    LOOK_INTO_THE_JOURNAL,
    NOT_DONE,
    UNKNOWN,
    advising,
    cli_context_of,
    require_accounts,
)
from voucher_gateway.cli.errors import print_warnings
from voucher_gateway.cli.options import complete_account, complete_operation
from voucher_gateway.cli.tables import TableColumn, count_text, print_rows, text_of
from voucher_gateway.cli.usage import did_you_mean_file
from voucher_gateway.errors import ConfigurationError, InvalidRequest, Ticket

if TYPE_CHECKING:
    from voucher_gateway.cli.output import Output
    from voucher_gateway.execution.recovery import Resolution
    from voucher_gateway.gateway.gateway import Gateway
    from voucher_gateway.journal.records import OperationKey
    from voucher_gateway.reconciliation.findings import Finding, Reconciliation

_FORGOTTEN_MOVES: Final = (
    "the journal cannot recover which vouchers were moved since the backup, and would allow you to make them spendable"
    " at their old account, too. Before you change anything, run `voucher-gateway migrate verify PLAN` for every plan."
)
_NONE_DUE: Final = "No operation in doubt is due for a look-up. --all looks up all of them."
_LONGEST_TICKET: Final = 100_000
"""The maximum length of a ticket in characters. A real one has a few hundred."""


def resolve(
    context: typer.Context,
    account: Annotated[
        str | None,
        typer.Argument(metavar="[ACCOUNT", help="The account.", show_default=False, autocompletion=complete_account),
    ] = None,
    verb: Annotated[
        str | None,
        typer.Argument(
            metavar="VERB",
            help="The operation: redeem, capture, refund, ...",
            show_default=False,
            autocompletion=complete_operation,
        ),
    ] = None,
    reference: Annotated[
        str | None,
        typer.Argument(metavar="REFERENCE]", help="The reference it was made under.", show_default=False),
    ] = None,
    ticket: Annotated[
        Path | None,
        typer.Option(
            "--ticket",
            metavar="FILE",
            help="Instead, a file with the ticket that the failed command printed; - is stdin. Needs no journal.",
        ),
    ] = None,
    timeout: given.ReadTimeout = None,
) -> None:
    """Find out what became of one operation.

    It only reads at the vendor. The operation is named by account, verb and reference, or by its ticket. Exit code 0
    once the outcome is known, whatever it is; 4 while it stays unknown, 3 while a worker is on it, or while it is
    pending: the vendor has accepted it and will complete or cancel it later.

    Examples:
        voucher-gateway resolve shop redeem 1002-a
        voucher-gateway resolve --ticket ticket.json
    """
    from voucher_gateway.journal.records import OperationKey

    session = cli_context_of(context)
    if ticket is not None and account is None:
        doubt: Ticket | OperationKey = _ticket_from(ticket)
    elif ticket is None and account is not None and verb is not None and reference is not None:
        doubt = OperationKey(account, parse_operation(verb), reference)
    else:
        rule = "ACCOUNT VERB REFERENCE, or --ticket FILE"
        raise InvalidRequest(f"give {rule}", field="REFERENCE", rule=rule)
    with session.gateway(doubt.account) as gateway, advising(LOOK_INTO_THE_JOURNAL, "reference"):
        resolution = gateway.resolve(doubt, timeout=timeout)
        replaceable = is_replaceable(gateway, resolution.account, resolution.verb)
    print_one(session.output, resolution_fields(resolution), replaceable=replaceable)
    raise typer.Exit(_resolve_code([resolution]))


def _ticket_from(file: Path) -> Ticket:
    try:
        if str(file) == "-":
            text = sys.stdin.read(_LONGEST_TICKET)
        else:
            with file.open(encoding="utf-8") as lines:
                text = lines.read(_LONGEST_TICKET)
    except OSError as error:
        problem = did_you_mean_file(file) or error.strerror or "unreadable"
    except UnicodeDecodeError:
        problem = "it is not text in UTF-8"
    else:
        return Ticket.from_json(text)
    raise InvalidRequest(f"the ticket cannot be read: {problem}", field="--ticket", rule="a file of text in UTF-8")


def _command_of(row: Resolution | Finding) -> str:
    return command_name(row.verb or "")


def _leftovers_of(resolution: Resolution) -> str:
    return "; ".join(map(str, resolution.left_behind))


_RESOLUTION_COLUMNS: Final = (
    TableColumn("account", attrgetter("account")),
    TableColumn("verb", _command_of),
    TableColumn("reference", attrgetter("reference")),
    TableColumn("outcome", attrgetter("state")),
    TableColumn("reason", attrgetter("reason"), optional=True),
    TableColumn("left behind", _leftovers_of, optional=True),
)


def recover(
    context: typer.Context,
    account: given.AccountOption = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Look even at operations whose next look-up is not due yet.")
    ] = False,
    after_restore: Annotated[
        bool,
        typer.Option(
            "--after-restore",
            help="The journal comes from a backup: read every voucher's history first, keep what the journal has"
            " forgotten, and forbid changing calls until that is done.",
        ),
    ] = False,
) -> None:
    """Find out what became of all that is in doubt, and complete what was decided.

    These are the operations that are unknown or pending, and those of a worker that crashed. For them it only reads at
    the vendors. Then it completes payments and sales whose decision is recorded, and prints them, with the payments
    that wait for a person. It may run from cron on several machines at once. An operation that stays unknown or pending
    is looked up less and less often, from a minute to six hours. Exit code 4 if some stay unknown, 3 if some are
    pending, or if a decision is not carried out yet.

    Examples:
        voucher-gateway recover
        voucher-gateway recover --all --account shop
    """
    from voucher_gateway.cli.waiting_work import WaitingWork
    from voucher_gateway.journal.records import OperationState

    session = cli_context_of(context)
    with session.gateway(account) as gateway:
        if after_restore:
            _adopt(gateway, session.output)
        with session.output.progress("looking up what is in doubt"):
            waiting = WaitingWork.find(gateway, account)
            resolutions = gateway.recover(account=account, everything=everything)
            waiting = waiting.read_again(gateway)
        unknown = [resolution for resolution in resolutions if resolution.state is OperationState.UNKNOWN]
        lapsing = [resolution for resolution in unknown if is_replaceable(gateway, resolution.account, resolution.verb)]
    if session.output.as_json:
        for resolution in resolutions:
            session.output.object(resolution_fields(resolution))
    elif not print_rows(session.output, resolutions, _RESOLUTION_COLUMNS):
        session.output.note("No operation is in doubt." if everything else _NONE_DUE)
    waiting.print(session.output)
    if undecided := [resolution for resolution in unknown if resolution not in lapsing]:
        print_next_steps(session.output, resolution_fields(undecided[0]), replaceable=False)
    elif lapsing:
        print_next_steps(session.output, resolution_fields(lapsing[0]), replaceable=True)
    raise typer.Exit(_resolve_code(resolutions) or waiting.exit_code)


def _adopt(gateway: Gateway, output: Output) -> None:
    from voucher_gateway.journal.backup import import_missing_movements, mark_restored

    if gateway.journal is None:
        raise ConfigurationError("this needs a journal: name one in the configuration")
    mark_restored(gateway.journal)
    with output.progress("reading the histories of all vouchers"):
        summaries = list(import_missing_movements(gateway.journal, [account.provider for account in gateway.accounts]))
    for summary in summaries:
        if output.as_json:
            output.object({"adoption": summary})
        else:
            kept = f"{summary.adopted} forgotten movement{'' if summary.adopted == 1 else 's'} of ours kept"
            output.show(f"{summary.account}: {count_text(summary.vouchers, 'voucher')} read, {kept}")
    output.note("Changing calls are allowed again.")
    print_warnings(output, [_FORGOTTEN_MOVES])


def _resolve_code(resolutions: Sequence[Resolution]) -> int:
    from voucher_gateway.journal.records import OperationState

    states = {resolution.state for resolution in resolutions}
    if OperationState.UNKNOWN in states:
        return UNKNOWN
    return NOT_DONE if states & {OperationState.OPEN, OperationState.PENDING} else DONE


_FINDING_COLUMNS: Final = (
    TableColumn("found", attrgetter("kind")),
    TableColumn("voucher", attrgetter("voucher_id"), optional=True),
    TableColumn("verb", _command_of),
    TableColumn("reference", attrgetter("reference"), optional=True),
    TableColumn("amount", attrgetter("money"), right=True),
    TableColumn("explanation", attrgetter("explanation")),
)


def reconcile_accounts(
    context: typer.Context,
    account: given.AccountNames = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Look at every voucher, not only at those that the journal touched.")
    ] = False,
    since: Annotated[
        str | None,
        typer.Option(
            "--since",
            metavar="MOMENT",
            help="Look only at vouchers that the journal has touched from this day (UTC) or moment on, such as"
            " 2026-11-29, and at those of operations in doubt.",
        ),
    ] = None,
) -> None:
    """Compare the journal with what the vendors show.

    It only reads, and is meant for a nightly job. With --since it reads what moved since the job before. Exit code 0
    if they agree, 5 if they differ, 3 if something could not be checked. Movements of other channels (tills, say) are
    listed and are not a difference.

    Examples:
        voucher-gateway reconcile
        voucher-gateway reconcile shop --all
        voucher-gateway reconcile --since 2026-11-29
    """
    from voucher_gateway.reconciliation.reconcile import reconcile

    session = cli_context_of(context)
    begin, _ = parse_period(since, None)
    reconciliations = []
    with session.gateway() as gateway:
        names = account or list(gateway.account_names)
        require_accounts(gateway, names)
        for name in names:
            with session.output.progress(f"comparing {name}") as line:
                reconciliations.append(
                    reconcile(gateway, name, everything=everything, since=begin, on_progress=line.update)
                )
    for reconciliation in reconciliations:
        _print_reconciliation(session.output, reconciliation)
    raise typer.Exit(_reconcile_code(reconciliations))


def _reconcile_code(reconciliations: list[Reconciliation]) -> int:
    if any(reconciliation.differences for reconciliation in reconciliations):
        return DIFFERENT
    return NOT_DONE if any(reconciliation.unchecked for reconciliation in reconciliations) else DONE


def _print_reconciliation(output: Output, reconciliation: Reconciliation) -> None:
    if output.as_json:
        output.object(reconciliation)
        return
    output.show(
        f"{reconciliation.account}: {count_text(reconciliation.vouchers, 'voucher')},"
        f" {count_text(reconciliation.operations, 'operation')},"
        f" {count_text(len(reconciliation.differences), 'difference')}, {len(reconciliation.unchecked)} not checked"
    )
    if reconciliation.findings:
        print_rows(output, reconciliation.findings, _FINDING_COLUMNS)
    if reconciliation.pruned:
        output.note(
            f"Not compared: {count_text(reconciliation.pruned, 'movement')} of operations that were removed from the"
            " journal."
        )
    if reconciliation.pruned_before is not None:
        output.note(
            f"Operations that changed last before {text_of(reconciliation.pruned_before)} may have been removed"
            " from the journal: vouchers that only they touched were not looked at, unless you gave --all."
        )
    for voucher_id, reason in reconciliation.unchecked:
        output.note(f"Not checked: {voucher_id}: {reason}", "yellow")
