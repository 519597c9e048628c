"""The command that tries the accounts."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Final

import attrs
import typer

from voucher_gateway.capabilities import AccountCheck, Capabilities, Operation, Support
from voucher_gateway.cli.commands.providers import command_of, operations_object
from voucher_gateway.cli.context import DECLINED, DONE, NOT_DONE, OUR_BUG, UNKNOWN, UNREADABLE, WRONG, cli_context_of
from voucher_gateway.cli.errors import error_lines, error_object, exit_code
from voucher_gateway.cli.options import complete_account
from voucher_gateway.cli.tables import details
from voucher_gateway.errors import VoucherGatewayError

if TYPE_CHECKING:
    from voucher_gateway.cli.output import Output
    from voucher_gateway.config.loader import Config
    from voucher_gateway.gateway.account import Account
    from voucher_gateway.provider import VoucherProvider

NO_JOURNAL: Final = (
    'a repeated command is carried out again; journal = "sqlite:///voucher-gateway.db" at the head of the config'
    " makes it remember"
)


@attrs.frozen(kw_only=True)
class JournalState:
    """What trying the journal gave.

    Attributes:
        where: the database, without its password.
        error: why it cannot be used.
        restored: whether it comes from a backup and still waits for `recover --after-restore`.
        in_doubt: how many operations are open or unknown, by account.
        changed_references: the facts about logins whose vendors change the references that they are sent.
        warning: what is wrong with the mode of its file.
    """

    where: str = ""
    error: VoucherGatewayError | None = None
    restored: bool = False
    in_doubt: Mapping[str, int] = attrs.field(factory=dict, hash=False)
    changed_references: frozenset[str] = frozenset()
    warning: str | None = None

    def warnings(self, provider: VoucherProvider) -> list[str]:
        """Return what the journal learnt of an account's vendor that a person should know."""
        from voucher_gateway.journal.resolution_queries import fact_name

        if fact_name(provider.name, provider.host, provider.login) not in self.changed_references:
            return []
        warning = (
            "the vendor changes the references that it is sent: a redeem or capture whose answer is lost, and which the"
            " vendor does not show, stays unknown until a person decides"
        )
        return [warning]

    @property
    def code(self) -> int:
        """The exit code that it stands for."""
        return DONE if self.error is None else exit_code(self.error)

    def object(self, account: str) -> dict[str, Any]:
        """Return it for programs, with the doubts of one account."""
        return {
            "ok": self.error is None and not self.restored,
            "restored": self.restored,
            "in_doubt": self.in_doubt.get(account, 0),
            "error": None if self.error is None else error_object(self.error),
            "warnings": [] if self.warning is None else [self.warning],
        }

    def fields(self) -> dict[str, str]:
        """Return it for people."""
        if self.error is not None:
            first, *hints = error_lines(self.error)
            return {"problem": first, "to do": hints[-1] if hints else ""}
        doubts = sum(self.in_doubt.values())
        return {
            "opens": "and can be written",
            "restored": "from a backup; nothing is sent until `voucher-gateway recover --after-restore`"
            if self.restored
            else "",
            "in doubt": f"{doubts} open or unknown; `voucher-gateway recover` looks them up" if doubts else "nothing",
        }


def check_journal(config: Config) -> JournalState | None:
    """Open the journal, creating it if it is not there yet, and take the right to write; None if none is configured."""
    from voucher_gateway.gateway.gateway import Gateway
    from voucher_gateway.journal.records import OperationState
    from voucher_gateway.journal.resolution_queries import list_changed_reference_facts
    from voucher_gateway.storage.files import mode_warning

    if config.journal is None:
        return None
    try:
        with Gateway.from_config(config) as gateway:
            journal = gateway.journal
            assert journal is not None
            with journal.database.write():
                pass
            records = journal.operations(states=(OperationState.OPEN, OperationState.UNKNOWN))
            return JournalState(
                where=journal.database.safe_url,
                restored=journal.restoration.pending,
                in_doubt=Counter(record.key.account for record in records),
                changed_references=list_changed_reference_facts(journal),
                warning=None if journal.database.path is None else mode_warning(journal.database.path),
            )
    except VoucherGatewayError as error:
        return JournalState(error=error)


def split_by_resolution(capabilities: Capabilities) -> tuple[list[Operation], list[Operation]]:
    """Return the changing operations that can be had: those whose unknown outcome can be looked up, and the others.

    Of the others only a person can decide what became of them.
    """
    from voucher_gateway.emulation.registry import emulated_operation

    looked_up: list[Operation] = []
    by_hand: list[Operation] = []
    for operation in Operation:
        if not operation.changes or not capabilities.of(operation).available:
            continue
        emulated = emulated_operation(capabilities, operation)
        decided_by = operation if emulated is None else emulated.decided_by
        if decided_by is not None:
            (looked_up if decided_by in capabilities.resolvable else by_hand).append(operation)
    return looked_up, by_hand


_SKEW_S: Final = 5
"""More seconds than these between the vendor's clock and ours are worth a warning: reservations end by the former."""

_MOVING: Final = (Operation.CAPTURE, Operation.REDEEM, Operation.REFUND, Operation.TOP_UP)
"""What moves money; of the others, an unknown outcome costs nothing but trouble."""

_WORST_FIRST: Final = (OUR_BUG, WRONG, UNKNOWN, UNREADABLE, DECLINED, NOT_DONE, DONE)
"""What a person must mend comes before what may mend itself."""


@attrs.frozen(kw_only=True)
class _Finding:
    """What trying one account gave.

    Attributes:
        account: the account.
        seconds: how long it took.
        checkup: what the vendor told, if it answered.
        error: what went wrong, if it did.
        capabilities: what can be done, as far as is known now.
    """

    account: Account
    seconds: Decimal
    checkup: AccountCheck | None
    error: VoucherGatewayError | None
    capabilities: Capabilities

    @property
    def code(self) -> int:
        return DONE if self.error is None else exit_code(self.error)

    @property
    def skew_s(self) -> int | None:
        skew = None if self.checkup is None else self.checkup.clock_skew
        return None if skew is None else round(skew.total_seconds())

    @property
    def warnings(self) -> list[str]:
        warnings = [] if self.checkup is None else [*self.checkup.warnings]
        skew = self.skew_s
        if skew is not None and abs(skew) > _SKEW_S:
            way = "ahead of" if skew > 0 else "behind"
            warnings.append(
                f"the vendor's clock is {abs(skew)} seconds {way} this machine's: correct this machine's clock"
            )
        _, by_hand = split_by_resolution(self.capabilities)
        if moving := [command_of(operation) for operation in by_hand if operation in _MOVING]:
            words = " or ".join(moving)
            warnings.append(
                f"this login cannot look up what became of a {words} that stays unknown: a person must decide it"
            )
        return warnings


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

    It also shows the currency and what can be done. `resolves` names the operations that can be looked up when their
    outcome is not known, `by hand` those that only a person can decide then. The journal is opened, and created if it
    does not exist.

    All accounts are tested at the same time. Each is asked for one voucher, and nothing is changed. The exit code is
    that of the worst problem. A clock more than 5 seconds away from the vendor's is a warning; an account that does
    not answer takes its total_timeout_s (30 seconds unless set).

    Examples:
        voucher-gateway doctor
        voucher-gateway doctor shop --json
    """
    session = cli_context_of(context)
    config = session.load_config()
    journal = check_journal(config)
    with session.gateway(account, config, journal=False) as gateway:
        accounts = [configured for configured in gateway.accounts if account in (None, configured.name)]
        with ThreadPoolExecutor(max_workers=len(accounts), thread_name_prefix="voucher-doctor") as pool:
            findings = list(pool.map(_test_account, accounts))
    for finding in findings:
        if session.output.as_json:
            session.output.object(_object(finding, journal))
        else:
            _print(session.output, finding, journal)
    if not session.output.as_json:
        _print_journal(session.output, journal)
    codes = [finding.code for finding in findings] + ([] if journal is None else [journal.code])
    raise typer.Exit(min(codes, key=_WORST_FIRST.index))


def _test_account(account: Account) -> _Finding:
    began = time.monotonic()
    checkup, error = None, None
    try:
        checkup = account.provider.check()
    except VoucherGatewayError as raised:
        error = raised
    return _Finding(
        account=account,
        seconds=Decimal(f"{time.monotonic() - began:.3f}"),
        checkup=checkup,
        error=error,
        capabilities=account.capabilities,
    )


def _object(finding: _Finding, journal: JournalState | None) -> dict[str, Any]:
    looked_up, by_hand = split_by_resolution(finding.capabilities)
    provider, checkup = finding.account.provider, finding.checkup or AccountCheck(asked=False)
    return {
        "account": finding.account.name,
        "provider": provider.name,
        "host": provider.host,
        "login": provider.login,
        "ok": finding.error is None,
        "asked": checkup.asked,
        "exit_code": finding.code,
        "error": None if finding.error is None else error_object(finding.error),
        "warnings": _warnings(finding, journal),
        "seconds": finding.seconds,
        "scopes": checkup.scopes,
        "missing_scopes": checkup.missing,
        "clock_skew_s": finding.skew_s,
        "currency": checkup.currency,
        "operations": operations_object(finding.capabilities),
        "resolves": looked_up,
        "decided_by_hand": by_hand,
        "journal": None if journal is None else journal.object(finding.account.name),
    }


def _warnings(finding: _Finding, journal: JournalState | None) -> list[str]:
    return finding.warnings + ([] if journal is None else journal.warnings(finding.account.provider))


def _print(output: Output, finding: _Finding, journal: JournalState | None) -> None:
    account, checkup = finding.account, finding.checkup
    where = ", ".join(part for part in (account.provider.title, account.provider.host, account.provider.login) if part)
    output.show(f"{account.name} ({where})")
    fields = {}
    if finding.error is not None:
        first, *hints = error_lines(finding.error)
        fields["problem"] = first
        fields["to do"] = hints[-1] if hints else ""
    if checkup is not None:
        skew = finding.skew_s
        answers = f"in {finding.seconds} s, and accepts the credentials"
        fields["answers"] = answers if checkup.asked else "not tried: this login has no cheap read"
        fields["rights"] = "" if checkup.scopes is None else ", ".join(sorted(checkup.scopes)) or "none"
        fields["rights missing"] = ", ".join(sorted(checkup.missing))
        fields["clock"] = "" if skew is None else _clock(skew)
        fields["currency"] = checkup.currency or ""
    output.show(details({**fields, **_abilities(finding.capabilities)}))
    for warning in _warnings(finding, journal):
        output.note(f"{account.name}: {warning}", "yellow")


def _print_journal(output: Output, journal: JournalState | None) -> None:
    if journal is None:
        output.show("journal", details({"none": NO_JOURNAL}))
        return
    output.show(f"journal ({journal.where})" if journal.where else "journal", details(journal.fields()))
    if journal.warning is not None:
        output.note(f"journal: {journal.warning}", "yellow")


def _clock(skew: int) -> str:
    """Return how the clock of the vendor differs from ours. Its reading is in whole seconds, and took some time."""
    return "agrees with ours" if abs(skew) <= 1 else f"{abs(skew)} s {'behind' if skew < 0 else 'ahead of'} ours"


def _abilities(capabilities: Capabilities) -> dict[str, str]:
    abilities: dict[str, list[str]] = {"can": [], "emulates": [], "not allowed": [], "cannot": []}
    for operation in Operation:
        support = capabilities.of(operation)
        name = command_of(operation)
        if support.support is Support.NATIVE:
            abilities["can"].append(name)
        elif support.support is Support.EMULATED:
            abilities["emulates"].append(f"{name} ({support.emulation})")
        elif support.support is Support.DENIED:
            abilities["not allowed"].append(f"{name} ({support.note})")
        else:
            abilities["cannot"].append(f"{name} (at a risk: {support.emulation})" if support.risk else name)
    looked_up, by_hand = split_by_resolution(capabilities)
    abilities["resolves"] = [command_of(operation) for operation in looked_up]
    abilities["by hand"] = [command_of(operation) for operation in by_hand]
    return {name: ", ".join(operations) for name, operations in abilities.items()}
