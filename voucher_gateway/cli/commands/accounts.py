"""Commands about the configuration: write a first one, and list its accounts."""

from __future__ import annotations

import inspect
import json
import os
import re
import textwrap
from collections.abc import Iterator
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, get_type_hints

import attrs
import typer

from voucher_gateway.cli.context import cli_context_of
from voucher_gateway.cli.options import complete_provider
from voucher_gateway.cli.tables import TableColumn, print_rows
from voucher_gateway.errors import ConfigurationError, InvalidRequest

if TYPE_CHECKING:
    from voucher_gateway.gateway.account import Account
    from voucher_gateway.provider import VoucherProvider

_WIDTH: Final = 100
_ACCOUNT: Final = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_EXAMPLES: Final = {str: "...", Path: "vouchers.csv"}
_HEAD: Final = """\
# The configuration of voucher-gateway. `voucher-gateway doctor` tests it.
# It may lead to money: keep it readable for yourself only.

# The journal makes a repeated command harmless: it knows of every changing call before it is sent.
# A relative path begins at the folder of this file. PostgreSQL: "postgresql://USER@HOST/DATABASE"
journal = "sqlite:///voucher-gateway.db"
"""
_NO_PROVIDER: Final = """
# One table for each login at a vendor. `voucher-gateway init PROVIDER --config FILE` writes one of:
# {providers}
#
# [accounts.{account}]
# provider = "..."
"""
_COMMON: Final = """\
# Regular expression of the codes that may belong to this account. `find` shows others to no vendor.
# code_pattern = "^SHOP-"

# Risky emulations that this account may use, by name; `voucher-gateway providers` explains them.
# accept_risks = []
"""


def init(
    context: typer.Context,
    provider: Annotated[
        str | None,
        typer.Argument(
            metavar="[PROVIDER]",
            help="Write an account of this provider, such as jtl.",
            show_default=False,
            autocompletion=complete_provider,
        ),
    ] = None,
    account: Annotated[str, typer.Option("--account", metavar="NAME", help="The name of the account.")] = "shop",
) -> None:
    """Write a first configuration, with comments.

    It goes where the configuration is looked for: --config, else $VOUCHER_GATEWAY_CONFIG, else voucher-gateway.toml in
    this directory. Only you can read it (mode 0600), and an existing file is never overwritten. It then says what
    `doctor` finds to correct in it.

    Examples:
        voucher-gateway init jtl
        voucher-gateway --config till.toml init ticketing --account events
    """
    from voucher_gateway import registry

    session = cli_context_of(context)
    require_account_name(account)
    path = session.config_path
    write_new_config(path, first_config(None if provider is None else registry.load(provider), account))
    problems = _find_problems(path)
    if session.output.as_json:
        session.output.object({"config": str(path), "account": account, "provider": provider, "problems": problems})
        return
    session.output.show(f"Wrote {path}.")
    if problems:
        session.output.note("Before it works, correct this; `voucher-gateway doctor` then tests it:")
        session.output.notes(f"  {problem}" for problem in problems)
    else:
        session.output.note("`voucher-gateway doctor` tests it.")


def first_config(provider: type[VoucherProvider] | None, account: str) -> str:
    """Return the text of a configuration with comments, in TOML.

    Args:
        provider: the provider of its account; None for an account that is only a comment.
        account: the name of the account.
    """
    from voucher_gateway import registry
    from voucher_gateway.setting_types import SecretSource

    if provider is None:
        names = ", ".join(installed.name for installed in registry.list_installed())
        return _HEAD + _NO_PROVIDER.format(providers=names, account=account)
    lines = [_HEAD, f"[accounts.{account}]", f"provider = {json.dumps(provider.name)}", ""]
    kinds = get_type_hints(provider.settings_type)
    descriptions = dict(_descriptions(provider.settings_type))
    fields = sorted(attrs.fields(provider.settings_type), key=_is_optional)
    for field in fields:
        lines += textwrap.wrap(
            f"{field.name}: {descriptions.get(field.name, '')}", _WIDTH, initial_indent="# ", subsequent_indent="# "
        )
        if kinds.get(field.name) is SecretSource:
            variable = re.sub(r"[^A-Z0-9]", "_", f"{account}_{field.name}".upper())
            lines.append(f"{field.name} = {{ env = {json.dumps(variable)} }}")
        elif _is_optional(field):
            lines.append(f"# {field.name} = {_toml(field.default)}")
        else:
            lines.append(f"{field.name} = {json.dumps(_EXAMPLES.get(kinds.get(field.name, str), '...'))}")
        lines.append("")
    return "\n".join([*lines, _COMMON])


def _is_optional(field: attrs.Attribute[Any]) -> bool:
    return field.default is not attrs.NOTHING


def _toml(value: object) -> str:
    """Return a default in TOML; three points for one that TOML cannot write."""
    if isinstance(value, bool | int | float | str):
        return json.dumps(value)
    return "[]" if value == () else '"..."'


def _descriptions(settings: type) -> Iterator[tuple[str, str]]:
    """Return the description of each setting, from the docstrings of the class and its bases."""
    for kind in reversed(settings.__mro__):
        text = (inspect.getdoc(kind) or "").partition("Attributes:\n")[2]
        for match in re.finditer(r"^ {4}(\w+): (.*(?:\n {8}.*)*)", text, re.MULTILINE):
            yield match[1], " ".join(match[2].split())


def require_account_name(name: str) -> None:
    """Check a name for an account.

    Raises:
        InvalidRequest: if it is not one. Its field is ``--account``.
    """
    if not _ACCOUNT.fullmatch(name):
        rule = "1 to 64 letters, digits, - and _"
        raise InvalidRequest(f"--account must be {rule}", field="--account", rule=rule)


def write_new_config(path: Path, text: str) -> None:
    """Write a file that only its owner can read.

    Raises:
        ConfigurationError: if the file exists, or cannot be created.
    """
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        problem = "exists already, and is never overwritten: give the name of another file"
    except OSError as error:
        problem = f"cannot be created: {error.strerror}"
    else:
        return
    raise ConfigurationError(f"{path} {problem}")


def _find_problems(path: Path) -> list[str]:
    """Return what is wrong with a configuration, a sentence for each problem."""
    from voucher_gateway.config.loader import load_config

    try:
        load_config(path)
    except ConfigurationError as error:
        return error.message.split("\n")
    return []


def accounts(context: typer.Context) -> None:
    """List the accounts of the configuration, with their providers and logins.

    Each account is shown with its host, the codes it owns and the risks that it accepts. Nothing is sent; `doctor`
    tests the accounts. For the amounts and limits of each provider see `providers`.

    Examples:
        voucher-gateway accounts
        voucher-gateway --config shop.toml accounts
    """
    session = cli_context_of(context)
    with session.gateway(journal=False) as gateway:
        if session.output.as_json:
            for account in gateway.accounts:
                session.output.object(_account_object(account))
        else:
            print_rows(session.output, gateway.accounts, _ACCOUNT_COLUMNS)


def _code_pattern(account: Account) -> str | None:
    return None if account.code_pattern is None else account.code_pattern.pattern


def _accepted_risks(account: Account) -> list[str]:
    return sorted(account.accept_risks)


_ACCOUNT_COLUMNS = (
    TableColumn("account", attrgetter("name")),
    TableColumn("provider", attrgetter("provider.name")),
    TableColumn("host", attrgetter("provider.host")),
    TableColumn("login", attrgetter("provider.login"), optional=True),
    TableColumn("code pattern", _code_pattern, optional=True),
    TableColumn("accepted risks", _accepted_risks, optional=True),
    TableColumn("former names", attrgetter("former_names"), optional=True),
)


def _account_object(account: Account) -> dict[str, Any]:
    return {
        "account": account.name,
        "provider": account.provider.name,
        "host": account.provider.host,
        "login": account.provider.login,
        "code_pattern": _code_pattern(account),
        "accept_risks": _accepted_risks(account),
        "former_names": list(account.former_names or ()),
    }
