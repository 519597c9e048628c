"""Writes configurations: a first one with comments, and the account of a new login."""

from __future__ import annotations

import inspect
import json
import os
import re
import textwrap
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TextIO, get_type_hints

import attrs

from voucher_gateway import registry
from voucher_gateway.atomic_file import OWNER_ONLY
from voucher_gateway.config.loader import load_config
from voucher_gateway.errors import ConfigurationError, InvalidRequest
from voucher_gateway.masking import Pin, Secret, hide_arguments
from voucher_gateway.provider.provider import VoucherProvider
from voucher_gateway.setting_types import SecretSource

_WIDTH: Final = 100
_ACCOUNT: Final = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_EXAMPLES: Final = {str: "...", Path: "vouchers.csv"}
_HEAD: Final = """\
# The configuration of voucher-gateway. `voucher-gateway doctor` tests it.
# It may lead to money: keep it readable for yourself only.

# The journal makes a repeated command harmless: it knows of every changing call before it is sent.
# A relative path begins at the folder of this file. PostgreSQL: "postgresql://USER@HOST/DATABASE"
journal = "sqlite:///voucher-gateway.db"

# How many codes that cannot be used one caller, and all callers together, may try in a period, in seconds.
# [checks]
# caller_guesses = 10
# caller_period_s = 600
# total_guesses = 1000
# total_period_s = 3600
# unusable_time_s = 1.0
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

# What is done to a typed code before it is looked up: upper-case, lower-case, no-blanks, no-dashes.
# normalize_codes = ["upper-case", "no-blanks"]

# Risky emulations that this account may use, by name; `voucher-gateway providers` explains them.
# accept_risks = []
"""


# --- a first configuration ---


def write_first_config(
    path: str | os.PathLike[str], *, provider: str | None = None, account: str = "shop"
) -> list[str]:
    """Write a first configuration, with comments, into a new file that only its owner can read.

    Args:
        path: the file. A file that exists is never overwritten.
        provider: the name of the provider of its account; None for an account that is only a comment.
        account: the name of the account.

    Returns:
        What is still to be corrected in it, a sentence each: a secret that does not exist, for example.

    Raises:
        InvalidRequest: if the account cannot have this name.
        ConfigurationError: if no such provider is installed, or if the file exists or cannot be created.
    """
    require_account_name(account)
    write_new_config(Path(path), _first_config(None if provider is None else registry.load(provider), account))
    try:
        load_config(path)
    except ConfigurationError as error:
        return error.message.split("\n")
    return []


def require_account_name(name: str) -> None:
    """Check a name for a new account.

    Raises:
        InvalidRequest: if it is not one.
    """
    if not _ACCOUNT.fullmatch(name):
        rule = "1 to 64 letters, digits, - and _"
        raise InvalidRequest(f"the name of an account must be {rule}", field="account", rule=rule)


def write_new_config(path: Path, text: str) -> None:
    """Write a file that only its owner can read.

    Raises:
        ConfigurationError: if the file exists, or cannot be created.
    """
    try:
        with _create_private(path) as file:
            file.write(text)
    except FileExistsError:
        problem = "exists already, and is never overwritten: give the name of another file"
    except OSError as error:
        problem = f"cannot be created: {error.strerror}"
    else:
        return
    raise ConfigurationError(f"{path} {problem}")


def _create_private(path: Path) -> TextIO:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY), "w", encoding="utf-8")


def _first_config(provider: type[VoucherProvider] | None, account: str) -> str:
    """Return the text of a configuration with comments, in TOML."""
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


# --- the account of a new login ---


@attrs.frozen(kw_only=True)
class NewLogin:
    """A login that a vendor gave for a PIN.

    Attributes:
        account: the name of its account in a configuration.
        provider: the name of the provider.
        base_url: where the vendor's API begins.
        credentials: the values for the account's configuration, by key.
        secret_file: the file that holds the secret; None if only `credentials` has it.
    """

    account: str
    provider: str
    base_url: str
    credentials: Mapping[str, str | Secret] = attrs.field(hash=False)
    secret_file: Path | None = None

    def to_toml(self, *, reveal: bool = False) -> str:
        """Return the account's table in TOML. Its secret is in the secret file, or in an environment variable.

        Args:
            reveal: whether a comment shows the secret.
        """
        key = self.account if _BARE_KEY.fullmatch(self.account) else _toml_string(self.account)
        lines = [
            f"[accounts.{key}]",
            f"provider = {_toml_string(self.provider)}",
            f"base_url = {_toml_string(self.base_url)}",
        ]
        variable = re.sub(r"[^A-Z0-9]", "_", f"{self.account.upper()}_SECRET")
        for name, value in self.credentials.items():
            if not isinstance(value, Secret):
                lines.append(f"{name} = {_toml_string(value)}")
            elif self.secret_file is not None:
                lines.append(f"{name} = {{ file = {_toml_string(str(self.secret_file.absolute()))} }}")
            else:
                lines.append(f"{name} = {{ env = {_toml_string(variable)} }}")
            if isinstance(value, Secret) and reveal:
                lines.append(f"# {variable}={value.reveal()}")
        return "\n".join(lines) + "\n"


@hide_arguments
def connect_account(
    provider: type[VoucherProvider],
    base_url: str,
    pin: str | Pin,
    *,
    account: str,
    secret_file: Path | None = None,
    config: Path | None = None,
) -> NewLogin:
    """Exchange a vendor's one-time PIN for a login. Files are checked before the PIN is used up.

    Args:
        provider: the class of the provider, as `type(gateway.provider(account))`.
        base_url: where the vendor's API begins.
        pin: the PIN that the vendor shows.
        account: the name of the account of the login.
        secret_file: a new file that takes the secret, and that only its owner can read. Without it the secret is
            only in the result. A vendor shows it once.
        config: a configuration file that takes the account; None to change no file.

    Raises:
        ConfigurationError: if the secret's file exists or cannot be created, or if the configuration cannot be changed
            or has such an account: the PIN is not used up then. Also if the configuration could not be changed after
            the login was made; the message shows the account, without its secret.
        UnsupportedOperation: if the vendor gives no login for a PIN.
        VoucherGatewayError: as of any changing call.
    """
    if config is not None:
        _require_new_account(config, account)
    with _secret_file(secret_file) as keep:
        credentials = provider.connect(base_url, Pin.of(pin))
        keep(credentials)
    login = NewLogin(
        account=account,
        provider=provider.name,
        base_url=base_url,
        credentials=credentials,
        secret_file=secret_file,
    )
    if config is None:
        return login
    try:
        with config.open("a", encoding="utf-8") as file:
            file.write(f"\n{login.to_toml()}")
    except OSError as error:
        problem = (
            f"{config} cannot be written: {error.strerror}. The login was made: add it by hand:\n{login.to_toml()}"
        )
    else:
        return login
    raise ConfigurationError(problem)


def _require_new_account(path: Path, account: str) -> None:
    """Make sure that an account can be added to a configuration.

    Raises:
        ConfigurationError: if the file cannot be read, or has such an account.
    """
    try:
        with path.open("a"):  # checked before the PIN is used
            table = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        table = None
    if table is None:  # raised outside of the except block, because the parser's error can hold the text of the file
        raise ConfigurationError(f"{path} cannot be read and written, or is not TOML")
    if account in table.get("accounts", {}):
        raise ConfigurationError(f"{path} has an account of this name already: choose another name")


@contextmanager
def _secret_file(path: Path | None) -> Iterator[_SecretFile]:
    """Create the file of the secret before the PIN is used, and remove it if no secret came.

    Raises:
        ConfigurationError: if the file exists, or cannot be created.
    """
    if path is None:
        yield _SecretFile(None)
        return
    try:
        file = _create_private(path)
    except OSError as error:
        problem = f"the file of the secret cannot be created: {error.strerror}"
    else:
        keeper = _SecretFile(file)
        try:
            with file:
                yield keeper
        finally:
            if not keeper.used:
                path.unlink()
        return
    raise ConfigurationError(problem)


class _SecretFile:
    """Writes the secret of a login to its file."""

    def __init__(self, file: TextIO | None) -> None:
        self._file = file
        self.used = False

    def __call__(self, login: Mapping[str, str | Secret]) -> None:
        if self._file is None:
            return
        self._file.writelines(f"{value.reveal()}\n" for value in login.values() if isinstance(value, Secret))
        self._file.flush()
        os.fsync(self._file.fileno())
        self.used = True


def _toml_string(text: str) -> str:
    """Return a TOML basic string, which has the same escapes as JSON."""
    return json.dumps(text, ensure_ascii=False)
