"""Commands that tell which accounts and providers there are."""

from __future__ import annotations

from typing import Any, Final

import attrs
import typer

from voucher_gateway import registry
from voucher_gateway.capabilities import AmountRules, Capabilities, Operation, OperationSupport, Support
from voucher_gateway.cli.context import cli_context_of
from voucher_gateway.cli.output import Output
from voucher_gateway.cli.tables import Column, details, print_rows
from voucher_gateway.conformance import Conformance, conformance_of
from voucher_gateway.emulation.registry import with_emulations
from voucher_gateway.errors import ConfigurationError
from voucher_gateway.gateway.account import Account
from voucher_gateway.provider import VoucherProvider
from voucher_gateway.registry import InstalledProvider

_NONE = "no contract run"
_UNREADABLE = "unreadable"


@attrs.frozen(kw_only=True)
class ConformanceOutput:
    """What the conformance.json of one provider told.

    Attributes:
        conformance: what it says; None where there is none, or none that can be read.
        error: why it cannot be read, in a sentence.
    """

    conformance: Conformance | None = None
    error: str | None = None

    @classmethod
    def of(cls, provider: type[VoucherProvider]) -> ConformanceOutput:
        """Look for the file of a provider."""
        try:
            return cls(conformance=conformance_of(provider))
        except ConfigurationError as error:
            return cls(error=f"{provider.name}: {error.message}")

    @property
    def line(self) -> str:
        """For people: level and figures."""
        if self.error is not None:
            return _UNREADABLE
        return _NONE if self.conformance is None else self.conformance.summary

    @property
    def object(self) -> dict[str, Any] | None:
        """For programs; None where there was no contract run."""
        if self.error is not None:
            return {"error": self.error}
        if self.conformance is None:
            return None
        return {
            "suite": self.conformance.suite,
            "level": self.conformance.level.word,
            "kept": list(self.conformance.kept),
            "not_applicable": dict(self.conformance.not_applicable),
            "error": None,
        }


def accounts(context: typer.Context) -> None:
    """List the accounts of the configuration, with their providers and logins.

    Each account is shown with its host, the codes it owns and the risks that it accepts. Nothing is sent; `doctor`
    tests the accounts. For the amounts and limits of each provider see `providers`.

    Examples:
        voucher-gateway accounts
        voucher-gateway --config shop.toml accounts
    """
    session = cli_context_of(context)
    with session.gateway() as gateway:
        if session.output.as_json:
            for account in gateway.accounts:
                session.output.object(_account_object(account))
        else:
            print_rows(session.output, gateway.accounts, _ACCOUNT_COLUMNS)


def _pattern(account: Account) -> str:
    return "" if account.code_pattern is None else account.code_pattern.pattern


_ACCOUNT_COLUMNS = (
    Column[Account]("account", lambda account: account.name),
    Column[Account]("provider", lambda account: account.provider.name),
    Column[Account]("host", lambda account: account.provider.host),
    Column[Account]("login", lambda account: account.provider.login or "", optional=True),
    Column[Account]("code pattern", _pattern, optional=True),
    Column[Account]("accepted risks", lambda account: ", ".join(sorted(account.accept_risks)), optional=True),
    Column[Account]("former names", lambda one: ", ".join(one.former_names or ()), optional=True),
)


def _account_object(account: Account) -> dict[str, Any]:
    return {
        "account": account.name,
        "provider": account.provider.name,
        "host": account.provider.host,
        "login": account.provider.login,
        "code_pattern": _pattern(account) or None,
        "accept_risks": sorted(account.accept_risks),
        "former_names": list(account.former_names or ()),
    }


@attrs.frozen(kw_only=True)
class _Found:
    """An installed provider, and what loading it gave."""

    installed: InstalledProvider
    loaded: type[VoucherProvider] | None = None
    proven: ConformanceOutput = attrs.field(factory=ConformanceOutput)
    error: str | None = None


def providers(context: typer.Context) -> None:
    """List the installed providers, and what each vendor can do.

    It also says how far each provider keeps the contract. Limits: amounts by their number of decimals and their range
    in major units. For the rights of a login see `doctor`.

    Examples:
        voucher-gateway providers
        voucher-gateway providers --json
    """
    output = cli_context_of(context).output
    providers_found = [_load(installed) for installed in registry.list_installed()]
    if output.as_json:
        for entry in providers_found:
            output.object(_provider_object(entry))
        return
    print_rows(output, providers_found, _PROVIDER_COLUMNS)
    for entry in providers_found:
        for error in (entry.error, entry.proven.error):
            if error is not None:
                output.note(error, "red")
    _print_operations(
        output, {entry.installed.name: entry.loaded for entry in providers_found if entry.loaded is not None}
    )


def _load(installed: InstalledProvider) -> _Found:
    try:
        loaded = registry.load(installed.name)
        return _Found(installed=installed, loaded=loaded, proven=ConformanceOutput.of(loaded))
    except ConfigurationError as error:
        return _Found(installed=installed, error=error.message)


_PROVIDER_COLUMNS = (
    Column[_Found]("provider", lambda entry: entry.installed.name),
    Column[_Found]("title", lambda entry: "broken" if entry.loaded is None else entry.loaded.title),
    Column[_Found]("distribution", lambda entry: entry.installed.distribution),
    Column[_Found]("version", lambda entry: entry.installed.version),
    Column[_Found]("amounts", lambda entry: "" if entry.loaded is None else _amounts(entry.loaded.declared)),
    Column[_Found]("contract", lambda entry: "" if entry.loaded is None else entry.proven.line),
)


def _amounts(declared: Capabilities) -> str:
    rules = declared.amounts
    decimals = "the currency's decimals" if rules.decimals is None else f"{rules.decimals} decimals"
    most = "" if rules.maximum is None else f" to {rules.maximum:f}"
    return f"from {rules.minimum:f}{most}, {decimals}"


def command_of(operation: Operation) -> str:
    """Return the command by which an operation is called."""
    return _COMMANDS.get(operation, operation.value.replace("_", "-"))


_COMMANDS: Final = {Operation.GET: "show", Operation.VOUCHERS: "list"}


def support_word(support: OperationSupport) -> str:
    """Return in a word how an operation is to be had."""
    if support.support is Support.UNSUPPORTED and support.risk is not None:
        return "needs-accepted-risk"
    return support.support.value


def operations_object(capabilities: Capabilities) -> dict[str, Any]:
    """Return how each operation is to be had, for programs."""
    operations = {}
    for operation in Operation:
        support = capabilities.of(operation)
        operations[operation.value] = {
            "support": support_word(support),
            "partial": support.partial,
            "emulation": support.emulation,
            "risk": support.risk,
            "note": support.note or None,
        }
    return operations


def _amounts_object(rules: AmountRules) -> dict[str, Any]:
    most = None if rules.maximum is None else f"{rules.maximum:f}"
    return {"decimals": rules.decimals, "minimum": f"{rules.minimum:f}", "maximum": most}


def _provider_object(entry: _Found) -> dict[str, Any]:
    loaded = entry.loaded
    return {
        "provider": entry.installed.name,
        "title": None if loaded is None else loaded.title,
        "distribution": entry.installed.distribution,
        "version": entry.installed.version,
        "entry_point": entry.installed.entry_point,
        "error": entry.error,
        "conformance": entry.proven.object,
        "amounts": None if loaded is None else _amounts_object(loaded.declared.amounts),
        "operations": None if loaded is None else operations_object(with_emulations(loaded.declared, ())),
    }


def _print_operations(output: Output, loaded: dict[str, type[VoucherProvider]]) -> None:
    capabilities = {name: with_emulations(provider.declared, ()) for name, provider in loaded.items()}
    columns = [
        Column[Operation]("operation", command_of),
        *(Column[Operation](name, _cell(support)) for name, support in capabilities.items()),
    ]
    output.show("")
    print_rows(output, Operation, columns)
    risks = {
        support.emulation: support.risk
        for capabilities_ in capabilities.values()
        for support in map(capabilities_.of, Operation)
        if support.emulation and support.risk
    }
    if risks:
        output.show("", 'Risks, to be accepted by name (accept_risks = ["NAME"] in an account):', details(risks))


def _cell(capabilities: Capabilities) -> Any:
    return lambda operation: _short(capabilities.of(operation))


def _short(support: OperationSupport) -> str:
    if support.support is Support.EMULATED:
        return f"emulated ({support.emulation})"
    if support.support is Support.UNSUPPORTED and support.risk is not None:
        return f"at a risk ({support.emulation})"
    return "-" if support.support is Support.UNSUPPORTED else support.support.value
