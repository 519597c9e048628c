"""What can be read off the code without running a command: names, commands, errors, exit codes, tables, settings."""

from __future__ import annotations

import enum
import importlib
import inspect
from collections.abc import Callable, Iterator
from pathlib import PurePath
from types import ModuleType
from typing import Any, Final, Literal, get_args, get_origin

import attrs
from sqlalchemy import MetaData
from typer.main import get_command

from voucher_gateway.cli.app import app
from voucher_gateway.cli.context import (
    DECLINED,
    DIFFERENT,
    DONE,
    INTERRUPTED,
    NOT_DONE,
    OUR_BUG,
    UNKNOWN,
    UNREADABLE,
    WRONG,
)
from voucher_gateway.cli.errors import _OPTIONAL_FIELDS, exit_code
from voucher_gateway.config.account import COMMON_KEYS
from voucher_gateway.config.loader import _TOP_KEYS
from voucher_gateway.errors import VoucherGatewayError
from voucher_gateway.journal.schema import metadata as journal_tables
from voucher_gateway.migration.schema import metadata as migration_tables
from voucher_gateway.reports.schema import metadata as report_tables
from voucher_gateway_file import FileSettings
from voucher_gateway_file.csv_form import COLUMNS, WRITTEN
from voucher_gateway_jtl import JtlSettings
from voucher_gateway_local import LocalSettings
from voucher_gateway_local.tables import metadata as local_tables
from voucher_gateway_pretix import PretixSettings
from voucher_gateway_square import SquareSettings
from voucher_gateway_ticketing import TicketingSettings

PACKAGES: Final = (
    "voucher_gateway",
    "voucher_gateway.provider_api",
    "voucher_gateway.migration",
    "voucher_gateway.reports",
    "voucher_gateway.simulator",
    "voucher_gateway.testing",
    "voucher_gateway_file",
    "voucher_gateway_jtl",
    "voucher_gateway_jtl.simulator",
    "voucher_gateway_local",
    "voucher_gateway_pretix",
    "voucher_gateway_pretix.simulator",
    "voucher_gateway_square",
    "voucher_gateway_square.simulator",
    "voucher_gateway_ticketing",
    "voucher_gateway_ticketing.simulator",
)
"""The public packages; see docs/compatibility.md."""


def public_names() -> str:
    """Return the ``__all__`` of each public package."""
    return _text({name: sorted(package.__all__) for name, package in _packages()})


def public_members() -> str:
    """Return the parameters, members and values of all public names; each name only under its first package.

    A class does not repeat what it has from another public class, nor its parameters as members.
    """
    public = {id(getattr(package, name)) for _, package in _packages() for name in package.__all__}
    sections: dict[str, list[str]] = {}
    seen: set[tuple[str, int]] = set()
    for package_name, package in _packages():
        values = {name: getattr(package, name) for name in sorted(package.__all__)}
        sections[package_name] = [
            line
            for name, value in values.items()
            if (name, id(value)) not in seen
            for line in _members(name, value, public)
        ]
        seen |= {(name, id(value)) for name, value in values.items()}
    return _text(sections)


def errors() -> str:
    """Return each public error with its base class, its exit code, and what it says of the outcome by default."""
    kinds: dict[str, type[VoucherGatewayError]] = {}
    for _, package in _packages():
        for name in package.__all__:
            value = getattr(package, name)
            if isinstance(value, type) and issubclass(value, VoucherGatewayError):
                kinds[value.__name__] = value
    lines = []
    for name, kind in sorted(kinds.items()):
        bases = ", ".join(base.__name__ for base in kind.__bases__)
        safe = "safe to retry" if kind.retry_safe else "not safe to retry"
        lines.append(f"{name}({bases}): exit {exit_code(kind.__new__(kind))}, {kind.outcome}, {safe}")
    return _text({"errors": lines, "keys that the JSON of an error may add": sorted(_OPTIONAL_FIELDS)})


def exit_codes() -> list[str]:
    """Return the exit codes and their meaning."""
    meanings = {
        DONE: "done",
        DECLINED: "declined or unsupported",
        WRONG: "wrong usage, request, configuration, access or reference",
        NOT_DONE: "surely not executed, or in progress: try again",
        UNKNOWN: "outcome unknown, or changed by somebody else meanwhile",
        DIFFERENT: "differences were found",
        UNREADABLE: "the vendor's answer to a read is outside of its contract",
        OUR_BUG: "a bug of the library",
        INTERRUPTED: "interrupted",
    }
    return [f"{code}: {meaning}" for code, meaning in sorted(meanings.items())]


def tables() -> str:
    """Return the tables of the journal's database and of the local provider, with their columns."""
    sections = {}
    for owner, metadata in (
        ("journal", journal_tables),
        ("migration", migration_tables),
        ("report", report_tables),
        ("local provider", local_tables),
    ):
        sections[owner] = _table_lines(metadata)
    return _text(sections)


def settings() -> str:
    """Return the keys of the configuration file: of the whole, of every account, and of each provider's account."""
    kinds = {
        "file": FileSettings,
        "jtl": JtlSettings,
        "local": LocalSettings,
        "pretix": PretixSettings,
        "square": SquareSettings,
        "ticketing": TicketingSettings,
    }
    own = {f"account of {name}": sorted(field.name for field in attrs.fields(kind)) for name, kind in kinds.items()}
    return _text({"configuration": sorted(_TOP_KEYS), "every account": sorted(COMMON_KEYS), **own})


def voucher_columns() -> dict[str, list[str]]:
    """Return the columns of a CSV file of vouchers: those of a new file, and all that a file may have."""
    return {"columns of a new CSV file": list(WRITTEN), "columns that a CSV file may have": list(COLUMNS)}


def command_tree() -> str:
    """Return every command with its arguments and options."""
    sections: dict[str, list[str]] = {}
    group: Any = get_command(app)
    _add_command(sections, "voucher-gateway", group, None)
    return _text(sections)


SECTIONS: Final[dict[str, Callable[[], str]]] = {
    "public_names": public_names,
    "public_members": public_members,
    "errors": errors,
    "tables": tables,
    "settings": settings,
    "commands": command_tree,
}


def _packages() -> Iterator[tuple[str, ModuleType]]:
    for name in PACKAGES:
        yield name, importlib.import_module(name)


def _text(sections: dict[str, list[str]]) -> str:
    return "\n".join("\n".join([f"[{name}]", *lines, ""]) for name, lines in sections.items())


def _table_lines(metadata: MetaData) -> list[str]:
    return [
        f"{table.name}.{column.name}: {column.type}{' or null' if column.nullable else ''}"
        for table in metadata.sorted_tables
        for column in table.columns
    ]


def _members(name: str, value: object, public: set[int]) -> list[str]:
    if get_origin(value) is Literal:
        return [f"{name} = {' | '.join(map(str, get_args(value)))}"]
    if isinstance(value, type) and issubclass(value, enum.Enum):
        return [f"{name}.{member.name} = {member.value}" for member in value]
    if isinstance(value, type):
        # What Python says of the parameters of its own errors depends on its version.
        bare = issubclass(value, BaseException) and not inspect.isfunction(inspect.getattr_static(value, "__init__"))
        return [name if bare else f"{name}{_parameters(value)}", *_class_members(name, value, public)]
    if inspect.isroutine(value):
        return [f"{name}{_parameters(value)}"]
    return [name]


def _class_members(name: str, kind: type, public: set[int]) -> list[str]:
    owners = [owner for owner in kind.__mro__ if owner.__module__.startswith("voucher_gateway")]
    own = [owner for owner in owners if owner is kind or id(owner) not in public]
    fields = {field.name for field in attrs.fields(kind)} if attrs.has(kind) else set()
    found = {member for owner in own for member in vars(owner) if not member.startswith("_")} - fields
    lines = []
    for member in sorted(found):
        value = inspect.getattr_static(kind, member)
        function = value.__func__ if isinstance(value, classmethod | staticmethod) else value
        lines.append(f"{name}.{member}{_parameters(function) if inspect.isroutine(function) else ''}")
    return lines


def _parameters(function: Callable[..., object]) -> str:
    """Return the parameters without types; one that has a default ends in ``=``."""
    signature = inspect.signature(function)
    nothing = inspect.Parameter.empty
    parameters = [
        parameter.replace(annotation=nothing, default=nothing if parameter.default is nothing else _Default())
        for name, parameter in signature.parameters.items()
        if name not in ("self", "cls")
    ]
    return str(signature.replace(parameters=parameters, return_annotation=nothing))


class _Default:
    """Stands for any default."""

    def __repr__(self) -> str:
        return ""


def _add_command(sections: dict[str, list[str]], path: str, command: Any, parent: Any) -> None:
    # With the settings of a real run: Click keeps the first help option that is asked for.
    settings = command.context_settings
    context = command.context_class(command, info_name=path.rsplit(" ", 1)[-1], parent=parent, **settings)
    sections[path] = [_parameter_line(parameter) for parameter in command.get_params(context)]
    if hasattr(command, "list_commands"):
        for name in sorted(command.list_commands(context)):
            _add_command(sections, f"{path} {name}", command.get_command(context, name), context)


def _parameter_line(parameter: Any) -> str:
    words = [*sorted(parameter.opts), *parameter.secondary_opts]  # names of the help option come in any order
    if parameter.param_type_name == "argument":
        words = [parameter.metavar]
    elif not parameter.is_flag:
        words.append(parameter.metavar or _choices(parameter.type_descriptor.annotation))
    notes = [" ".join(words)]
    if parameter.required:
        notes.append("required")
    if parameter.multiple or parameter.nargs != 1:
        notes.append("may be repeated")
    if isinstance(parameter.default, str | int | float | PurePath) and not isinstance(parameter.default, bool):
        notes.append(f"default {parameter.default}")
    if parameter.hidden:
        notes.append("hidden")
    return ", ".join(notes)


def _choices(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return "|".join(get_args(kind))
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return "|".join(str(member.value) for member in kind)
    return str(getattr(kind, "__name__", kind)).upper()
