"""Commands that tell which accounts and providers there are."""

from __future__ import annotations

from typing import Any, Final

import attrs
import typer

from voucher_gateway import registry
from voucher_gateway.adapter import (
    AmountRules,
    Capabilities,
    ConfigurationError,
    Operation,
    OperationSupport,
    Support,
    VoucherProvider,
)
from voucher_gateway.cli.output import Output
from voucher_gateway.cli.proven import Proven
from voucher_gateway.cli.session import session_of
from voucher_gateway.cli.tables import Column, details, print_rows
from voucher_gateway.emulation import emulated
from voucher_gateway.gateway import Account
from voucher_gateway.registry import InstalledProvider


def accounts(context: typer.Context) -> None:
    """List the accounts of the config: provider, host, login, the codes they own, and the risks they accept.

    Nothing is sent; `doctor` tries them. Amounts and limits of each provider: see `providers`.
    """
    session = session_of(context)
    with session.gateway() as gateway:
        if session.output.as_json:
            for account in gateway.accounts:
                session.output.object(_account_object(account))
        else:
            print_rows(session.output, gateway.accounts, _ACCOUNT_COLUMNS)


def _pattern(account: Account) -> str:
    return "" if account.code_pattern is None else account.code_pattern.pattern


_ACCOUNT_COLUMNS = (
    Column[Account]("account", lambda one: one.name),
    Column[Account]("provider", lambda one: one.provider.name),
    Column[Account]("host", lambda one: one.provider.host),
    Column[Account]("login", lambda one: one.provider.login or "", optional=True),
    Column[Account]("code pattern", _pattern, optional=True),
    Column[Account]("accepted risks", lambda one: ", ".join(sorted(one.accept_risks)), optional=True),
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
    proven: Proven = attrs.field(factory=Proven)
    error: str | None = None


def providers(context: typer.Context) -> None:
    """List the installed providers, how far each keeps the contract, and what each vendor can do.

    Limits: amounts by their number of decimals and their range in major units. What a login may do, `doctor` says.
    """
    output = session_of(context).output
    found = [_load(one) for one in registry.installed()]
    if output.as_json:
        for one in found:
            output.object(_provider_object(one))
        return
    print_rows(output, found, _PROVIDER_COLUMNS)
    for one in found:
        for error in (one.error, one.proven.error):
            if error is not None:
                output.remark(error, "red")
    _print_operations(output, {one.installed.name: one.loaded for one in found if one.loaded is not None})


def _load(installed: InstalledProvider) -> _Found:
    try:
        loaded = registry.load(installed.name)
        return _Found(installed=installed, loaded=loaded, proven=Proven.of(loaded))
    except ConfigurationError as error:
        return _Found(installed=installed, error=error.message)


_PROVIDER_COLUMNS = (
    Column[_Found]("provider", lambda one: one.installed.name),
    Column[_Found]("title", lambda one: "broken" if one.loaded is None else one.loaded.title),
    Column[_Found]("distribution", lambda one: one.installed.distribution),
    Column[_Found]("version", lambda one: one.installed.version),
    Column[_Found]("amounts", lambda one: "" if one.loaded is None else _amounts(one.loaded.declared)),
    Column[_Found]("contract", lambda one: "" if one.loaded is None else one.proven.line),
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
    found = {}
    for operation in Operation:
        support = capabilities.of(operation)
        found[operation.value] = {
            "support": support_word(support),
            "partial": support.partial,
            "emulation": support.emulation,
            "risk": support.risk,
            "note": support.note or None,
        }
    return found


def _amounts_object(rules: AmountRules) -> dict[str, Any]:
    most = None if rules.maximum is None else f"{rules.maximum:f}"
    return {"decimals": rules.decimals, "minimum": f"{rules.minimum:f}", "maximum": most}


def _provider_object(one: _Found) -> dict[str, Any]:
    loaded = one.loaded
    return {
        "provider": one.installed.name,
        "title": None if loaded is None else loaded.title,
        "distribution": one.installed.distribution,
        "version": one.installed.version,
        "entry_point": one.installed.entry_point,
        "error": one.error,
        "conformance": one.proven.object,
        "amounts": None if loaded is None else _amounts_object(loaded.declared.amounts),
        "operations": None if loaded is None else operations_object(emulated(loaded.declared, ())),
    }


def _print_operations(output: Output, loaded: dict[str, type[VoucherProvider]]) -> None:
    capabilities = {name: emulated(one.declared, ()) for name, one in loaded.items()}
    columns = [
        Column[Operation]("operation", command_of),
        *(Column[Operation](name, _cell(one)) for name, one in capabilities.items()),
    ]
    output.show("")
    print_rows(output, Operation, columns)
    risks = {
        support.emulation: support.risk
        for one in capabilities.values()
        for support in map(one.of, Operation)
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
