"""Commands about providers: list those that are installed, and begin a new one."""

from __future__ import annotations

import importlib.util
from decimal import Decimal
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import attrs
import typer

from voucher_gateway.capabilities import Capabilities, Operation, OperationSupport, OptionRule, Support
from voucher_gateway.cli.capability_texts import describe_payments
from voucher_gateway.cli.context import cli_context_of
from voucher_gateway.cli.tables import TableColumn, details, print_rows
from voucher_gateway.errors import ConfigurationError
from voucher_gateway.rules.amounts import AmountRules
from voucher_gateway.rules.codes import CodeRules

if TYPE_CHECKING:
    from voucher_gateway.cli.output import Output
    from voucher_gateway.conformance import Conformance
    from voucher_gateway.provider.provider import VoucherProvider
    from voucher_gateway.registry import InstalledProvider

_NONE = "no contract run"
_UNREADABLE = "unreadable"


@attrs.frozen(kw_only=True)
class _ProviderReading:
    """An installed provider, and what loading it gave.

    Attributes:
        installed: the provider as its distribution declares it.
        loaded: its class; None if it cannot be loaded.
        error: why it cannot be loaded.
        conformance: what its contract run proved; None without a record that can be read.
        conformance_error: why the record cannot be read.
    """

    installed: InstalledProvider
    loaded: type[VoucherProvider] | None = None
    error: str | None = None
    conformance: Conformance | None = None
    conformance_error: str | None = None

    @property
    def title(self) -> str:
        """The vendor's name for people."""
        return "broken" if self.loaded is None else self.loaded.title

    @property
    def amounts(self) -> str:
        """The amounts that the vendor takes, for people."""
        return "" if self.loaded is None else _amounts_text(self.loaded.declared.amounts)


def providers(context: typer.Context) -> None:
    """List the installed providers, and what each vendor can do.

    It also says how far each provider keeps the contract. Limits: amounts by their number of decimals and their range
    in major units. For the rights of a login see `doctor`.

    Examples:
        voucher-gateway providers
        voucher-gateway providers --json
    """
    from voucher_gateway import registry

    output = cli_context_of(context).output
    readings = [_read_provider(installed) for installed in registry.list_installed()]
    if output.as_json:
        for reading in readings:
            output.object(_provider_object(reading))
        return
    print_rows(output, readings, _PROVIDER_COLUMNS)
    for reading in readings:
        for error in (reading.error, reading.conformance_error):
            if error is not None:
                output.note(error, "red")
    _print_operations(output, {reading.installed.name: reading.loaded for reading in readings if reading.loaded})


def _read_provider(installed: InstalledProvider) -> _ProviderReading:
    from voucher_gateway import registry
    from voucher_gateway.conformance import conformance_of

    try:
        loaded = registry.load(installed.name)
    except ConfigurationError as error:
        return _ProviderReading(installed=installed, error=error.message)
    try:
        return _ProviderReading(installed=installed, loaded=loaded, conformance=conformance_of(loaded))
    except ConfigurationError as error:
        problem = f"{loaded.name}: {error.message}"
    return _ProviderReading(installed=installed, loaded=loaded, conformance_error=problem)


def _conformance_text(reading: _ProviderReading) -> str:
    """Return level and figures of the contract run."""
    if reading.loaded is None:
        return ""
    if reading.conformance_error is not None:
        return _UNREADABLE
    return _NONE if reading.conformance is None else reading.conformance.summary


def _conformance_object(reading: _ProviderReading) -> dict[str, Any] | None:
    if reading.conformance_error is not None:
        return {"error": reading.conformance_error}
    if reading.conformance is None:
        return None
    return {
        "suite": reading.conformance.suite,
        "level": reading.conformance.level.label,
        "kept": list(reading.conformance.kept),
        "not_applicable": dict(reading.conformance.not_applicable),
        "not_tried": dict(reading.conformance.not_tried),
        "error": None,
    }


_PROVIDER_COLUMNS = (
    TableColumn("provider", attrgetter("installed.name")),
    TableColumn("title", attrgetter("title")),
    TableColumn("distribution", attrgetter("installed.distribution")),
    TableColumn("version", attrgetter("installed.version")),
    TableColumn("amounts", attrgetter("amounts")),
    TableColumn("contract", _conformance_text),
)


def _amounts_text(rules: AmountRules) -> str:
    decimals = "the currency's decimals" if rules.decimals is None else f"{rules.decimals} decimals"
    most = "" if rules.maximum is None else f" to {rules.maximum:f}"
    others = f"; others in {', '.join(sorted(rules.by_currency))}" if rules.by_currency else ""
    return f"from {rules.minimum:f}{most}, {decimals}{others}"


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
    return {
        "decimals": rules.decimals,
        "minimum": f"{rules.minimum:f}",
        "maximum": _limit(rules.maximum),
        "movement_minimum": f"{rules.movement_minimum:f}",
        "movement_maximum": _limit(rules.movement_maximum),
        "balance_maximum": _limit(rules.balance_maximum),
        "by_currency": {currency: _amounts_object(other) for currency, other in rules.by_currency.items()},
    }


def _limit(amount: Decimal | None) -> str | None:
    return None if amount is None else f"{amount:f}"


def _codes_object(rules: CodeRules) -> dict[str, Any]:
    names = ("choosable", "readable", "min_length", "max_length", "alphabet", "forbidden", "pattern", "ids_choosable")
    return {name: getattr(rules, name) for name in names}


def _option_object(rule: OptionRule) -> dict[str, Any]:
    return {
        "name": rule.name,
        "type": rule.type.value,
        "operations": sorted(rule.operations),
        "required": rule.required,
        "choices": list(rule.choices),
        "max_length": rule.max_length,
        "help": rule.help or None,
    }


def _option_text(rule: OptionRule) -> str:
    """Return what an option is, for people."""
    verbs = ", ".join(command_of(operation) for operation in sorted(rule.operations))
    choices = f": {', '.join(rule.choices)}" if rule.choices else ""
    needed = ", required" if rule.required else ""
    return f"{rule.type.value}{choices}; for {verbs}{needed}. {rule.help}".strip()


def _provider_object(reading: _ProviderReading) -> dict[str, Any]:
    from voucher_gateway.emulation.registry import with_emulations

    loaded = reading.loaded
    return {
        "provider": reading.installed.name,
        "title": None if loaded is None else loaded.title,
        "distribution": reading.installed.distribution,
        "version": reading.installed.version,
        "entry_point": reading.installed.entry_point,
        "error": reading.error,
        "conformance": _conformance_object(reading),
        "amounts": None if loaded is None else _amounts_object(loaded.declared.amounts),
        "codes": None if loaded is None else _codes_object(loaded.declared.codes),
        "options": None if loaded is None else [_option_object(rule) for rule in loaded.declared.options],
        "reservations": None if loaded is None else loaded.declared.reservations,
        "partial_approval": None if loaded is None else loaded.declared.partial_approval,
        "refund_link": None if loaded is None else loaded.declared.refund_link,
        "operations": None if loaded is None else operations_object(with_emulations(loaded.declared, ())),
    }


def _print_operations(output: Output, loaded: dict[str, type[VoucherProvider]]) -> None:
    from voucher_gateway.emulation.registry import with_emulations

    capabilities = {name: with_emulations(provider.declared, ()) for name, provider in loaded.items()}
    columns = [
        TableColumn("operation", command_of),
        *(TableColumn(name, partial(_support_text, declared)) for name, declared in capabilities.items()),
    ]
    output.show("")
    print_rows(output, Operation, columns)
    texts = {name: "; ".join(describe_payments(declared)) for name, declared in capabilities.items()}
    if any(texts.values()):
        output.show("", "Reservations and refunds:", details(texts))
    risks = {
        support.emulation: support.risk
        for capabilities_ in capabilities.values()
        for support in map(capabilities_.of, Operation)
        if support.emulation and support.risk
    }
    options = {
        f"{name}: {rule.name}": _option_text(rule)
        for name, declared in capabilities.items()
        for rule in declared.options
    }
    if options:
        output.show("", "Options of single calls (--option NAME=VALUE):", details(options))
    if risks:
        output.show("", 'Risks, to be accepted by name (accept_risks = ["NAME"] in an account):', details(risks))


def _support_text(capabilities: Capabilities, operation: Operation) -> str:
    support = capabilities.of(operation)
    if support.support is Support.EMULATED:
        return f"emulated ({support.emulation})"
    if support.support is Support.UNSUPPORTED and support.risk is not None:
        return f"at a risk ({support.emulation})"
    return "-" if support.support is Support.UNSUPPORTED else support.support.value


def new_provider(
    context: typer.Context,
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Its name in configurations, such as gift-house.", show_default=False)
    ],
    into: Annotated[
        Path, typer.Option("--into", metavar="DIR", help="The folder in which its folder is created.")
    ] = Path(),
    title: Annotated[
        str | None, typer.Option("--title", metavar="TEXT", help="The vendor's name for people.", show_default=False)
    ] = None,
    parts: Annotated[
        str,
        typer.Option(
            "--with",
            metavar="PARTS",
            help="What it has besides reading, with commas: keys (spending under idempotency keys), cursors (a list by"
            " cursor), reservations (needs keys).",
            show_default=False,
        ),
    ] = "",
) -> None:
    """Create a project for a provider of another vendor.

    The project is a separate distribution that can be installed and that passes its tests. It reads vouchers from the
    simulator of an invented API, which is part of it; with --with it has more. Its README says what to change. Its
    tests, the contract of every provider, say what is still missing. No file is overwritten.

    Examples:
        voucher-gateway new-provider gift-house --title "Gift House"
        voucher-gateway new-provider gift-house --with keys,cursors
    """
    require_templates()
    from voucher_gateway.scaffold.names import Naming
    from voucher_gateway.scaffold.write import write_project

    try:
        naming = Naming.of(name, title)
        target, *files = write_project(naming, into, parts=[part for part in parts.split(",") if part])
    except ConfigurationError as error:
        problem = error.message
    else:
        _print_project(cli_context_of(context).output, naming.name, naming.distribution, target, files)
        return
    raise typer.BadParameter(problem)


def _print_project(output: Output, name: str, distribution: str, target: Path, files: list[Path]) -> None:
    if output.as_json:
        output.object({"provider": name, "distribution": distribution, "folder": str(target)})
        return
    for file in files:
        output.text(str(file))
    output.note(
        f"Next, in {target}: pip install --editable '.[test]', then pytest. It passes unchanged; its README says "
        "how to make it yours."
    )


def require_templates() -> None:
    """Make sure that templates can be rendered.

    Raises:
        ConfigurationError: saying what to install.
    """
    if importlib.util.find_spec("jinja2") is None:
        raise ConfigurationError("new-provider needs Jinja2: pip install 'voucher-gateway[cli]'")
