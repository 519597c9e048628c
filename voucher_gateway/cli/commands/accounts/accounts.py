"""Commands about the configuration: write a first one, and list its accounts."""

from __future__ import annotations

from collections.abc import Mapping
from operator import itemgetter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from voucher_gateway.cli.commands.accounts.pauses import pause_text, read_pauses
from voucher_gateway.cli.context import cli_context_of
from voucher_gateway.cli.options import complete_provider
from voucher_gateway.cli.tables import TableColumn, print_rows

if TYPE_CHECKING:
    from voucher_gateway.config.account import AccountConfig
    from voucher_gateway.limits.shared_limits import AccountPause


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

    Each account is shown with its host, the codes it owns, the risks that it accepts, and its pause. Nothing is sent;
    `doctor` tests the accounts. For the amounts and limits of each provider see `providers`.

    Examples:
        voucher-gateway accounts list
        voucher-gateway accounts list --json
        voucher-gateway --config shop.toml accounts list
    """
    session = cli_context_of(context)
    # Without a gateway, whose import costs as much as the rest of this command.
    config = session.load_config()
    with session.reading_config():
        paused = read_pauses(session, config)
        described = [_describe(account, paused.get(account.name)) for account in config.iterate_accounts()]
    if session.output.as_json:
        for description in described:
            session.output.object(description)
    else:
        print_rows(session.output, described, _ACCOUNT_COLUMNS)


def _pause_text(described: Mapping[str, Any]) -> str:
    return pause_text(described["paused"])


_ACCOUNT_COLUMNS: tuple[TableColumn[dict[str, Any]], ...] = (
    TableColumn("account", itemgetter("account")),
    TableColumn("provider", itemgetter("provider")),
    TableColumn("host", itemgetter("host")),
    TableColumn("login", itemgetter("login"), optional=True),
    TableColumn("code pattern", itemgetter("code_pattern"), optional=True),
    TableColumn("codes normalized", itemgetter("normalize_codes"), optional=True),
    TableColumn("accepted risks", itemgetter("accept_risks"), optional=True),
    TableColumn("former names", itemgetter("former_names"), optional=True),
    TableColumn("paused", _pause_text, optional=True),
)


def _describe(account: AccountConfig, pause: AccountPause | None) -> dict[str, Any]:
    with account.make_provider() as provider:
        return {
            "account": account.name,
            "provider": provider.name,
            "host": provider.host,
            "login": provider.login,
            "code_pattern": None if account.code_pattern is None else account.code_pattern.pattern,
            "normalize_codes": sorted(account.normalize_codes),
            "accept_risks": sorted(account.accept_risks),
            "former_names": list(account.former_names or ()),
            "paused": pause,
        }
