"""The command that tests the accounts and the journal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from voucher_gateway.capabilities import AccountCheck, Operation, Support
from voucher_gateway.cli.commands.accounts.providers import command_of, operations_object
from voucher_gateway.cli.context import DECLINED, DONE, NOT_DONE, OUR_BUG, UNKNOWN, UNREADABLE, WRONG, cli_context_of
from voucher_gateway.cli.errors import error_lines, error_object, exit_code
from voucher_gateway.cli.options import complete_account
from voucher_gateway.cli.tables import details

if TYPE_CHECKING:
    from voucher_gateway.cli.output import Output
    from voucher_gateway.gateway.diagnosis import AccountDiagnosis, JournalDiagnosis

_NO_JOURNAL: Final = (
    "a repeated command is executed again; to prevent this, set"
    ' journal = "sqlite:///voucher-gateway.db" at the top of the configuration'
)

_WORST_FIRST: Final = (OUR_BUG, WRONG, UNKNOWN, UNREADABLE, DECLINED, NOT_DONE, DONE)
"""The exit codes. A problem that a person must correct comes before one that may end by itself."""


def doctor(
    context: typer.Context,
    account: Annotated[
        str | None,
        typer.Argument(
            metavar="[ACCOUNT]", help="Only this account.", show_default=False, autocompletion=complete_account
        ),
    ] = None,
) -> None:
    """Test the accounts and the journal: reachable, credentials, rights, clock.

    It also shows the currency and the operations of each account. `resolves` names the operations whose unknown
    outcome can be looked up. `by hand` names the operations whose unknown outcome a person must decide. The journal is
    opened, and created if it does not exist.

    All accounts are tested at the same time. Each test reads one voucher and changes nothing. The exit code is the one
    of the worst problem. A difference of more than 5 seconds between the clocks is a warning. If an account does not
    answer, its test takes batch_timeout_s (30 seconds by default).

    Examples:
        voucher-gateway doctor
        voucher-gateway doctor shop --json
    """
    from voucher_gateway.gateway.diagnosis import diagnose_accounts, diagnose_journal

    session = cli_context_of(context)
    config = session.load_config()
    journal = diagnose_journal(config)
    with session.gateway(account, config, journal=False) as gateway:
        diagnoses = diagnose_accounts(gateway, account)
    for diagnosis in diagnoses:
        if session.output.as_json:
            session.output.object(_account_object(diagnosis, journal))
        else:
            _print_account(session.output, diagnosis, journal)
    if not session.output.as_json:
        _print_journal(session.output, journal)
    codes = [_code(diagnosis) for diagnosis in (*diagnoses, journal) if diagnosis is not None]
    raise typer.Exit(min(codes, key=_WORST_FIRST.index))


def _code(diagnosis: AccountDiagnosis | JournalDiagnosis) -> int:
    return DONE if diagnosis.error is None else exit_code(diagnosis.error)


def _account_object(diagnosis: AccountDiagnosis, journal: JournalDiagnosis | None) -> dict[str, Any]:
    provider, check = diagnosis.account.provider, diagnosis.check or AccountCheck(asked=False)
    return {
        "account": diagnosis.account.name,
        "provider": provider.name,
        "host": provider.host,
        "login": provider.login,
        "ok": diagnosis.error is None,
        "asked": check.asked,
        "exit_code": _code(diagnosis),
        "error": None if diagnosis.error is None else error_object(diagnosis.error),
        "warnings": _warnings(diagnosis, journal),
        "seconds": diagnosis.seconds,
        "scopes": check.scopes,
        "missing_scopes": check.missing,
        "clock_skew_s": diagnosis.clock_skew_s,
        "currency": check.currency,
        "operations": operations_object(diagnosis.capabilities),
        "resolves": diagnosis.resolvable,
        "decided_by_hand": diagnosis.decided_by_hand,
        "journal": None if journal is None else _journal_object(journal, diagnosis.account.name),
    }


def _journal_object(journal: JournalDiagnosis, account: str) -> dict[str, Any]:
    """Return the state of the journal for programs, with the operations in doubt of one account."""
    return {
        "ok": journal.error is None and not journal.restored,
        "restored": journal.restored,
        "in_doubt": journal.in_doubt.get(account, 0),
        "error": None if journal.error is None else error_object(journal.error),
        "warnings": journal.warnings,
    }


def _warnings(diagnosis: AccountDiagnosis, journal: JournalDiagnosis | None) -> list[str]:
    if journal is None:
        return diagnosis.warnings
    return diagnosis.warnings + journal.account_warnings(diagnosis.account.name, diagnosis.account.provider)


def _print_account(output: Output, diagnosis: AccountDiagnosis, journal: JournalDiagnosis | None) -> None:
    account, check = diagnosis.account, diagnosis.check
    where = ", ".join(part for part in (account.provider.title, account.provider.host, account.provider.login) if part)
    output.show(f"{account.name} ({where})")
    fields = {}
    if diagnosis.error is not None:
        first, *hints = error_lines(diagnosis.error)
        fields["problem"] = first
        fields["to do"] = hints[-1] if hints else ""
    if check is not None:
        skew = diagnosis.clock_skew_s
        answers = f"in {diagnosis.seconds} s, and accepts the credentials"
        fields["answers"] = answers if check.asked else "not tried: this login has no cheap read"
        fields["rights"] = "" if check.scopes is None else ", ".join(sorted(check.scopes)) or "none"
        fields["rights missing"] = ", ".join(sorted(check.missing))
        fields["clock"] = "" if skew is None else _clock(skew)
        fields["currency"] = check.currency or ""
    output.show(details({**fields, **_abilities(diagnosis)}))
    for warning in _warnings(diagnosis, journal):
        output.note(f"{account.name}: {warning}", "yellow")


def _print_journal(output: Output, journal: JournalDiagnosis | None) -> None:
    if journal is None:
        output.show("journal", details({"none": _NO_JOURNAL}))
        return
    title = f"journal ({journal.database})" if journal.database else "journal"
    output.show(title, details(_journal_fields(journal)))
    for warning in journal.warnings:
        output.note(f"journal: {warning}", "yellow")


def _journal_fields(journal: JournalDiagnosis) -> dict[str, str]:
    if journal.error is not None:
        first, *hints = error_lines(journal.error)
        return {"problem": first, "to do": hints[-1] if hints else ""}
    doubts = sum(journal.in_doubt.values())
    return {
        "opens": "yes, and can be written",
        "restored": "from a backup; no changes are sent until you run `voucher-gateway recover --after-restore`"
        if journal.restored
        else "",
        "in doubt": f"{doubts} open, unknown or pending; `voucher-gateway recover` resolves them"
        if doubts
        else "nothing",
    }


def _clock(skew: int) -> str:
    """Return the difference between the vendor's clock and ours. The vendor shows whole seconds only."""
    return "agrees with ours" if abs(skew) <= 1 else f"{abs(skew)} s {'behind' if skew < 0 else 'ahead of'} ours"


def _abilities(diagnosis: AccountDiagnosis) -> dict[str, str]:
    abilities: dict[str, list[str]] = {"can": [], "emulates": [], "not allowed": [], "cannot": []}
    for operation in Operation:
        support = diagnosis.capabilities.of(operation)
        name = command_of(operation)
        if support.support is Support.NATIVE:
            abilities["can"].append(name)
        elif support.support is Support.EMULATED:
            abilities["emulates"].append(f"{name} ({support.emulation})")
        elif support.support is Support.DENIED:
            abilities["not allowed"].append(f"{name} ({support.note})")
        else:
            abilities["cannot"].append(f"{name} (at a risk: {support.emulation})" if support.risk else name)
    abilities["resolves"] = [command_of(operation) for operation in diagnosis.resolvable]
    abilities["by hand"] = [command_of(operation) for operation in diagnosis.decided_by_hand]
    return {name: ", ".join(operations) for name, operations in abilities.items()}
