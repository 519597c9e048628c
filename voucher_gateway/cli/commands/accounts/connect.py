"""The command that exchanges the PIN of a vendor for a login."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from voucher_gateway.cli import options as given
from voucher_gateway.cli.arguments import parse_pin
from voucher_gateway.cli.context import CliContext, cli_context_of
from voucher_gateway.cli.options import complete_provider_or_account
from voucher_gateway.errors import ConfigurationError, InvalidRequest
from voucher_gateway.masking import Secret

if TYPE_CHECKING:
    from voucher_gateway.provider.provider import VoucherProvider

_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)


def connect(
    context: typer.Context,
    name: Annotated[
        str,
        typer.Argument(
            metavar="PROVIDER|ACCOUNT",
            help="A provider, such as jtl, or an account of the configuration that gets a new login.",
            show_default=False,
            autocompletion=complete_provider_or_account,
        ),
    ],
    pin: given.PinText = None,
    pin_file: given.PinFile = None,
    base_url: Annotated[
        str | None, typer.Option("--base-url", metavar="URL", help="The base URL of the API; by default the account's.")
    ] = None,
    account: Annotated[
        str | None, typer.Option("--account", metavar="NAME", help="The name of the account in the configuration.")
    ] = None,
    secret_file: Annotated[
        Path | None,
        typer.Option(
            "--secret-file", metavar="FILE", help="A new file for the secret, which only you can read (0600)."
        ),
    ] = None,
    write: Annotated[
        Path | None,
        typer.Option("--write", metavar="FILE", help="Add the account to this configuration instead of printing it."),
    ] = None,
    reveal: Annotated[bool, typer.Option("--reveal", help="Print the secret.")] = False,
) -> None:
    """Exchange the PIN that a vendor shows for a login, and print the account.

    The account is printed as TOML for the configuration. JTL's Admin UI shows the PIN for 30 minutes, and it works
    once. The vendor sends the secret only once. So give --secret-file, which stores it, or --reveal, which prints it;
    without either nothing is sent.

    Examples:
        voucher-gateway connect shop --pin 4711 --secret-file shop.secret
        voucher-gateway connect jtl --base-url https://... --pin - --reveal
    """
    from voucher_gateway.config.writer import connect_account

    session = cli_context_of(context)
    secret = parse_pin(pin, pin_file)
    if secret is None:
        raise InvalidRequest("the PIN is missing; give --pin or --pin-file", field="pin", rule="given")
    if secret_file is None and (write is not None or not reveal):
        rule = "--secret-file" if write is not None else "--secret-file or --reveal"
        raise InvalidRequest(f"the new secret would be lost; give {rule}", field="secret-file", rule=rule)
    provider, url = _provider(session, name, base_url)
    account = account or name
    with session.changing(f"connect at {provider.title}"):
        login = connect_account(provider, url, secret, account=account, secret_file=secret_file, config=write)
    if session.output.as_json:
        values = {
            key: value.reveal() if reveal and isinstance(value, Secret) else value
            for key, value in login.credentials.items()
        }
        fields = {"account": account, "provider": provider.name, "base_url": url, **values}
        session.output.object({**fields, "secret_file": None if secret_file is None else str(secret_file.absolute())})
    elif write is None:
        session.output.text(login.to_toml(reveal=reveal).rstrip())
    else:
        session.output.show(f"Added [accounts.{account}] to {write}.")
    session.output.flush()
    if secret_file is None and session.output.unread:
        problem = "the login was created, but its secret was not read from the output, and is not sent again"
        raise ConfigurationError(f"{problem}; connect again with a new PIN, and give --secret-file")
    session.output.note(f"Test the account with `voucher-gateway doctor {account}`.")


def _provider(session: CliContext, name: str, base_url: str | None) -> tuple[type[VoucherProvider], str]:
    """Return the provider of a name, and the base URL of its API.

    Raises:
        ConfigurationError: if neither a provider nor an account has this name.
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
            raise InvalidRequest("this account has no base URL; give --base-url", field="base-url", rule="given")
        return type(provider), url
