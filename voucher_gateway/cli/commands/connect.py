"""The command that swaps a vendor's PIN for a login."""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TextIO

import typer

from voucher_gateway.cli import options as given
from voucher_gateway.cli.context import CliContext, cli_context_of
from voucher_gateway.cli.options import complete_provider_or_account
from voucher_gateway.cli.parsing import parse_pin
from voucher_gateway.errors import ConfigurationError, InvalidRequest
from voucher_gateway.masking import Pin, Secret

if TYPE_CHECKING:
    from voucher_gateway.provider import VoucherProvider

_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)


def connect(
    context: typer.Context,
    name: Annotated[
        str,
        typer.Argument(
            metavar="PROVIDER|ACCOUNT",
            help="A provider, such as jtl, or an account of the configuration whose login is to be replaced.",
            show_default=False,
            autocompletion=complete_provider_or_account,
        ),
    ],
    pin: given.PinText = None,
    pin_file: given.PinFile = None,
    base_url: Annotated[
        str | None, typer.Option("--base-url", metavar="URL", help="Where the API begins; an account has its own.")
    ] = None,
    account: Annotated[
        str | None, typer.Option("--account", metavar="NAME", help="What the account is to be called in the config.")
    ] = None,
    secret_file: Annotated[
        Path | None,
        typer.Option(
            "--secret-file", metavar="FILE", help="Takes the secret; a new file, which only you can read (0600)."
        ),
    ] = None,
    write: Annotated[
        Path | None,
        typer.Option("--write", metavar="FILE", help="Adds the account to this config, instead of printing it."),
    ] = None,
    reveal: Annotated[bool, typer.Option("--reveal", help="Print the secret.")] = False,
) -> None:
    """Exchange the PIN that a vendor shows for a login, and print the account.

    The account is printed as TOML for the configuration. JTL's Admin UI shows the PIN for 30 minutes, and it works
    once. The secret comes once, too: it goes into --secret-file, or is printed with --reveal; without either nothing
    is sent.

    Examples:
        voucher-gateway connect shop --pin 4711 --secret-file shop.secret
        voucher-gateway connect jtl --base-url https://... --pin - --reveal
    """
    session = cli_context_of(context)
    secret = parse_pin(pin, pin_file)
    if secret is None:
        raise InvalidRequest("the PIN is missing: give --pin or --pin-file", field="pin", rule="given")
    if secret_file is None and (write is not None or not reveal):
        rule = "--secret-file" if write is not None else "--secret-file or --reveal"
        raise InvalidRequest(f"the new secret would be lost: give {rule}", field="secret-file", rule=rule)
    provider, url = _provider(session, name, base_url)
    account = account or name
    if write is not None:
        _check_config(write, account)
    with _secret_file(secret_file) as keep:
        login = _exchange_pin(session, provider, url, secret)
        keep(login)
    snippet = _snippet(account, provider.name, url, login, secret_file, reveal=reveal)
    if write is not None:
        with write.open("a", encoding="utf-8") as file:
            file.write(f"\n{snippet}")
    if session.output.as_json:
        values = {
            key: value.reveal() if reveal and isinstance(value, Secret) else value for key, value in login.items()
        }
        fields = {"account": account, "provider": provider.name, "base_url": url, **values}
        session.output.object({**fields, "secret_file": None if secret_file is None else str(secret_file.absolute())})
    elif write is None:
        session.output.text(snippet.rstrip())
    else:
        session.output.show(f"Added [accounts.{account}] to {write}.")
    session.output.flush()
    if secret_file is None and session.output.unread:
        problem = "the login was made, but the new secret was not read, and the vendor shows it only once"
        raise ConfigurationError(f"{problem}: connect again with a new PIN, and give --secret-file")
    session.output.note(f"`voucher-gateway doctor {account}` tries it.")


def _provider(session: CliContext, name: str, base_url: str | None) -> tuple[type[VoucherProvider], str]:
    """Return the provider that is meant, and where its API begins.

    Raises:
        ConfigurationError: if there is neither a provider nor an account of this name.
        InvalidRequest: if the URL is missing.
    """
    from voucher_gateway import registry

    if name in {candidate.name for candidate in registry.list_installed()}:
        if base_url is None:
            raise InvalidRequest("a provider needs --base-url", field="base-url", rule="given")
        return registry.load(name), base_url
    with session.gateway(name) as gateway:
        provider = gateway.provider(name)
        url = base_url or getattr(provider.settings, "base_url", None)
        if url is None:
            raise InvalidRequest("this account has no base URL: give --base-url", field="base-url", rule="given")
        return type(provider), url


def _exchange_pin(
    session: CliContext, provider: type[VoucherProvider], url: str, pin: Pin
) -> Mapping[str, str | Secret]:
    with session.changing(f"connect at {provider.title}"):
        return provider.connect(url, pin)


@contextmanager
def _secret_file(path: Path | None) -> Iterator[_SecretFile]:
    """Open the secret's file before the PIN is used up; take it away again if no secret came.

    Raises:
        ConfigurationError: if the file is there already, or cannot be made.
    """
    if path is None:
        yield _SecretFile(None)
        return
    try:
        file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8")
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
    """Writes a login's secret."""

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


def _check_config(path: Path, account: str) -> None:
    """Make sure that an account can be added to a config.

    Raises:
        ConfigurationError: if the file cannot be read, or has such an account.
    """
    try:
        with path.open("a"):  # must be possible before the PIN is used up
            table = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        table = None
    if table is None:  # raised out here, because the parser's error can hold the whole text of the file
        raise ConfigurationError(f"{path} cannot be read and written, or is not TOML")
    if account in table.get("accounts", {}):
        raise ConfigurationError(f"{path} has an account of this name already: choose another by --account")


def _snippet(
    account: str,
    provider: str,
    url: str,
    login: Mapping[str, str | Secret],
    secret_file: Path | None,
    *,
    reveal: bool,
) -> str:
    """Return the account's table in TOML."""
    key = account if _BARE_KEY.fullmatch(account) else _toml_string(account)
    lines = [f"[accounts.{key}]", f"provider = {_toml_string(provider)}", f"base_url = {_toml_string(url)}"]
    variable = re.sub(r"[^A-Z0-9]", "_", f"{account.upper()}_SECRET")
    for name, value in login.items():
        if not isinstance(value, Secret):
            lines.append(f"{name} = {_toml_string(value)}")
        elif secret_file is not None:
            lines.append(f"{name} = {{ file = {_toml_string(str(secret_file.absolute()))} }}")
        else:
            lines.append(f"{name} = {{ env = {_toml_string(variable)} }}")
        if isinstance(value, Secret) and reveal:
            lines.append(f"# {variable}={value.reveal()}")
    return "\n".join(lines) + "\n"


def _toml_string(text: str) -> str:
    """Return a TOML basic string; its escapes are those of JSON."""
    return json.dumps(text, ensure_ascii=False)
