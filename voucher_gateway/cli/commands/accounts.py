"""Commands about the configuration: write a first one, and list its accounts."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from voucher_gateway.cli.context import cli_context_of
from voucher_gateway.cli.options import complete_provider
from voucher_gateway.cli.tables import TableColumn, print_rows

if TYPE_CHECKING:
    from voucher_gateway.gateway.account import Account


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
    from voucher_gateway.config.writer import write_first_config

    session = cli_context_of(context)
    path = session.config_path
    problems = write_first_config(path, provider=provider, account=account)
    if session.output.as_json:
        session.output.object({"config": str(path), "account": account, "provider": provider, "problems": problems})
        return
    session.output.show(f"Wrote {path}.")
    if problems:
        session.output.note("Before it works, correct this; `voucher-gateway doctor` then tests it:")
        session.output.notes(f"  {problem}" for problem in problems)
    else:
        session.output.note("`voucher-gateway doctor` tests it.")


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


def _normalizations(account: Account) -> list[str]:
    return sorted(account.normalize_codes)


def _accepted_risks(account: Account) -> list[str]:
    return sorted(account.accept_risks)


_ACCOUNT_COLUMNS = (
    TableColumn("account", attrgetter("name")),
    TableColumn("provider", attrgetter("provider.name")),
    TableColumn("host", attrgetter("provider.host")),
    TableColumn("login", attrgetter("provider.login"), optional=True),
    TableColumn("code pattern", _code_pattern, optional=True),
    TableColumn("codes normalized", _normalizations, optional=True),
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
        "normalize_codes": _normalizations(account),
        "accept_risks": _accepted_risks(account),
        "former_names": list(account.former_names or ()),
    }
