"""Commands that find out what became of operations. They only read at the vendors."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import typer

from voucher_gateway.adapter import ConfigurationError, InvalidRequest, Ticket
from voucher_gateway.cli.exits import DONE, NOT_DONE, UNKNOWN
from voucher_gateway.cli.output import Output
from voucher_gateway.cli.session import advising, session_of
from voucher_gateway.cli.tables import Column, counted, print_rows, text_of
from voucher_gateway.cli.telling import warn
from voucher_gateway.cli.told import (
    LOOK_INTO_THE_JOURNAL,
    Found,
    advise,
    is_replaceable,
    operation_from,
    print_one,
    verb_word,
)
from voucher_gateway.gateway import Gateway
from voucher_gateway.journal import Key, State
from voucher_gateway.restoring import adopt, begin_restoration

_FORGOTTEN_MOVES: Final = (
    "which vouchers were moved since the backup is forgotten for good: nothing refuses any more to make them spendable"
    " where they were, too. Before anything is changed, run `voucher-gateway migrate verify PLAN` for every plan."
)
_LONGEST_TICKET: Final = 100_000
"""In characters. A ticket has a few hundred."""


def resolve(
    context: typer.Context,
    account: Annotated[str | None, typer.Argument(metavar="[ACCOUNT", help="The account.", show_default=False)] = None,
    verb: Annotated[
        str | None,
        typer.Argument(metavar="VERB", help="The operation: redeem, capture, refund, ...", show_default=False),
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
) -> None:
    """Find out what became of an operation, only reading at the vendor.

    It is named by account, verb and reference, or by its ticket. Exit code 0 once it is known, whatever it was; 4 while
    it stays unknown, 3 while a worker is on it.
    """
    session = session_of(context)
    if ticket is not None and account is None:
        doubt: Ticket | Key = _ticket_from(ticket)
    elif ticket is None and account is not None and verb is not None and reference is not None:
        doubt = Key(account, operation_from(verb), reference)
    else:
        rule = "ACCOUNT VERB REFERENCE, or --ticket FILE"
        raise InvalidRequest(f"give {rule}", field="REFERENCE", rule=rule)
    with session.gateway(doubt.account) as gateway, advising(LOOK_INTO_THE_JOURNAL, "reference"):
        found = Found.of(gateway.resolve(doubt))
        replaceable = is_replaceable(gateway, found.account, found.verb)
    print_one(session.output, found, replaceable=replaceable)
    raise typer.Exit(_code([found]))


def _ticket_from(file: Path) -> Ticket:
    try:
        if str(file) == "-":
            text = sys.stdin.read(_LONGEST_TICKET)
        else:
            with file.open(encoding="utf-8") as lines:
                text = lines.read(_LONGEST_TICKET)
    except OSError as error:
        problem = error.strerror or "unreadable"
    except UnicodeDecodeError:
        problem = "it is not text in UTF-8"
    else:
        return Ticket.from_json(text)
    raise InvalidRequest(f"the ticket cannot be read: {problem}", field="--ticket", rule="a file of text in UTF-8")


_COLUMNS: Final = (
    Column[Found]("account", lambda one: one.account),
    Column[Found]("verb", lambda one: verb_word(one.verb)),
    Column[Found]("reference", lambda one: one.reference or ""),
    Column[Found]("outcome", lambda one: text_of(one.outcome)),
    Column[Found]("reason", lambda one: one.reason, optional=True),
)


def recover(
    context: typer.Context,
    account: Annotated[str | None, typer.Option("--account", metavar="ACCOUNT", help="Only this account.")] = None,
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
    """Find out what became of every operation that is unknown, or was left behind by a worker that died.

    Only reads at the vendors, and may run from cron on several machines at once. What was looked up in vain is looked
    up less and less often, from a minute to six hours. Exit code 4 if some stay unknown.
    """
    session = session_of(context)
    with session.gateway(account) as gateway:
        if after_restore:
            _adopt(gateway, session.output)
        found = [Found.of(one) for one in gateway.recover(account=account, everything=everything)]
        unknown = [one for one in found if one.outcome is State.UNKNOWN]
        lapsing = [one for one in unknown if is_replaceable(gateway, one.account, one.verb)]
    if session.output.as_json:
        for one in found:
            session.output.object(one)
    elif not print_rows(session.output, found, _COLUMNS):
        session.output.remark("Nothing is in doubt." if everything else "Nothing that is due is in doubt.")
    if undecided := [one for one in unknown if one not in lapsing]:
        advise(session.output, undecided[0], replaceable=False)
    elif lapsing:
        advise(session.output, lapsing[0], replaceable=True)
    raise typer.Exit(_code(found))


def _adopt(gateway: Gateway, output: Output) -> None:
    if gateway.journal is None:
        raise ConfigurationError("there is no journal: name one in the configuration")
    begin_restoration(gateway.journal)
    for one in adopt(gateway.journal, [account.provider for account in gateway.accounts]):
        if output.as_json:
            output.object({"adoption": one})
        else:
            kept = f"{one.adopted} forgotten movement{'' if one.adopted == 1 else 's'} of ours kept"
            output.show(f"{one.account}: {counted(one.vouchers, 'voucher')} read, {kept}")
    output.remark("Changing calls are allowed again.")
    warn(output, [_FORGOTTEN_MOVES])


def _code(found: Sequence[Found]) -> int:
    states = {one.outcome for one in found}
    if State.UNKNOWN in states:
        return UNKNOWN
    return NOT_DONE if State.OPEN in states else DONE
