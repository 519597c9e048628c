"""Commands that pause accounts and resume them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from voucher_gateway.cli import options as given
from voucher_gateway.cli.arguments import parse_length
from voucher_gateway.cli.context import CliContext, cli_context_of
from voucher_gateway.cli.tables import minute_of

if TYPE_CHECKING:
    from voucher_gateway.config.loader import Config
    from voucher_gateway.limits.shared_limits import AccountPause


def pause(
    context: typer.Context,
    account: given.AccountName,
    length: Annotated[
        str | None,
        typer.Option("--for", metavar="TIME", help="How long, such as 2h, 90m or 1d12h; until `resume` by default."),
    ] = None,
    reason: Annotated[
        str | None, typer.Option("--reason", metavar="TEXT", help="Why, without any code; errors and lists show it.")
    ] = None,
    by: Annotated[str | None, typer.Option("--by", metavar="NAME", help="Who pauses it.")] = None,
    everything: Annotated[
        bool,
        typer.Option("--everything", help="Stop captures, releases, refunds and look-ups of unknown outcomes as well."),
    ] = False,
) -> None:
    """Pause an account: within 5 seconds, no process with this journal begins anything new at its vendor.

    Reads, and calls that begin something (reserve, redeem, issue, top-up), fail at once, and nothing is sent. Captures,
    releases, refunds and `recover` go on. A pause of a paused account replaces the other one. It needs a journal.

    Examples:
        voucher-gateway accounts pause shop --for 2h
            --reason maintenance --by Ann
    """
    session = cli_context_of(context)
    duration = None if length is None else parse_length(length, "--for")
    with session.gateway(account) as gateway:
        pause = gateway.pause_account(account, duration=duration, reason=reason, by=by, everything=everything)
    if session.output.as_json:
        session.output.object(pause)
    else:
        session.output.show(f"{account}: {pause_text(pause)}. Every process obeys within 5 seconds.")


def resume(context: typer.Context, account: given.AccountName) -> None:
    """End the pause of an account.

    Every process obeys within 5 seconds. If the account was not paused, nothing is changed.

    Examples:
        voucher-gateway accounts resume shop
    """
    session = cli_context_of(context)
    with session.gateway(account) as gateway:
        was_paused = gateway.resume_account(account)
    if session.output.as_json:
        session.output.object({"account": account, "was_paused": was_paused})
    else:
        session.output.show(f"{account}: {'resumed' if was_paused else 'was not paused'}")


def pause_text(pause: AccountPause | None) -> str:
    """Return a pause for people; nothing for None."""
    if pause is None:
        return ""
    until = "" if pause.until is None else f" until {minute_of(pause.until)} UTC"
    reason = "" if pause.reason is None else f": {pause.reason}"
    by = "" if pause.by is None else f" ({pause.by})"
    return f"paused{' for everything' if pause.everything else ''}{until}{reason}{by}"


def read_pauses(session: CliContext, config: Config) -> dict[str, AccountPause]:
    """Return the pauses of the journal by account; none if the journal does not exist yet, or cannot be read now."""
    if config.journal is None:
        return {}
    from voucher_gateway.errors import VoucherGatewayError
    from voucher_gateway.journal.journal import open_journal
    from voucher_gateway.storage.engine import normalize

    try:
        url = normalize(config.journal, "journal")
        if url.get_backend_name() == "sqlite" and not Path(url.database or "").exists():
            return {}
        journal = open_journal(config.journal, config.journal_keys)
        try:
            return {pause.account: pause for pause in journal.pauses.list_all()}
        finally:
            journal.close()
    except VoucherGatewayError as error:
        session.output.note(f"The journal cannot say which accounts are paused: {error}", "yellow")
        return {}
