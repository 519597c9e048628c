"""Commands that look at vouchers."""

from __future__ import annotations

from typing import Annotated

import attrs
import typer

from voucher_gateway.cli import arguments as given
from voucher_gateway.cli.exits import DECLINED, NOT_DONE, error_object
from voucher_gateway.cli.inputs import code_from, pin_from, require_code
from voucher_gateway.cli.output import Output
from voucher_gateway.cli.session import cli_context_of
from voucher_gateway.cli.tables import MOVEMENT_COLUMNS, details, fields_of, print_rows, text_of, voucher_columns
from voucher_gateway.errors.request import InvalidRequest
from voucher_gateway.gateway.find import FindResult
from voucher_gateway.gateway.gateway import Gateway
from voucher_gateway.models.voucher import Voucher


def show(
    context: typer.Context,
    account: given.AccountName,
    id: Annotated[str | None, typer.Option("--id", metavar="ID", help="The vendor's id of the voucher.")] = None,
    code: given.CodeOption = None,
    code_file: given.CodeFile = None,
    pin: given.PinText = None,
    pin_file: given.PinFile = None,
    reveal: given.Reveal = False,
) -> None:
    """Show everything that is known of one voucher, by --id or by --code.

    Amounts are in the voucher's currency, moments in UTC. What the vendor did not say is left out (JSON: null).
    """
    session = cli_context_of(context)
    found_by = code_from(code, code_file)
    if (id is None) == (found_by is None):
        raise InvalidRequest("give either --id or --code", field="id", rule="one of --id and --code")
    secret = pin_from(pin, pin_file)
    with session.gateway(account) as gateway:
        if found_by is None:
            assert id is not None
            voucher = _with_value(gateway, gateway.get(account, id, secrets=reveal))
        else:
            voucher = gateway.provider(account).find(found_by, secret)
            if reveal:
                voucher = _with_secrets(gateway, voucher)
    if session.output.as_json:
        session.output.object(voucher, reveal=reveal)
    else:
        session.output.show(f"{account}: voucher {text_of(voucher.remaining)}".rstrip())
        session.output.show(details(fields_of(voucher, reveal=reveal, without=("account",))))


def _with_value(gateway: Gateway, voucher: Voucher) -> Voucher:
    """Return the voucher with what is left of it, where the vendor says that only to who looks for the code."""
    if voucher.remaining is not None or voucher.code is None:
        return voucher
    return attrs.evolve(voucher, remaining=gateway.provider(voucher.account).find(voucher.code).remaining)


def _with_secrets(gateway: Gateway, voucher: Voucher) -> Voucher:
    """Return the voucher with what only the look-up by id shows, where the vendor has one for secrets."""
    complete = gateway.get(voucher.account, voucher.id, secrets=True)
    return attrs.evolve(voucher, code=complete.code or voucher.code, pin=complete.pin or voucher.pin)


def find(
    context: typer.Context,
    code: given.CodeText,
    code_file: given.CodeFile = None,
    pin: given.PinText = None,
    pin_file: given.PinFile = None,
    broadcast: Annotated[
        bool,
        typer.Option("--broadcast", help="Show the code also to vendors whose code_pattern does not match it."),
    ] = False,
    reveal: given.Reveal = False,
) -> None:
    """Find out whose voucher a code is, by asking all accounts whose code_pattern matches it.

    Exit code 0 if it is found, 1 if nobody has it, 3 if not all could be asked. The time limit is each account's own
    (total_timeout_s, 30 seconds unless set).
    """
    session = cli_context_of(context)
    wanted, secret = require_code(code, code_file), pin_from(pin, pin_file)
    with session.gateway() as gateway:
        lookup = gateway.find(wanted, secret, broadcast=broadcast)
    if session.output.as_json:
        session.output.object(_lookup_object(lookup), reveal=reveal)
    else:
        _print_lookup(session.output, lookup, reveal=reveal)
    if lookup.state != "found":
        raise typer.Exit(DECLINED if lookup.state == "not_found" else NOT_DONE)


def _lookup_object(lookup: FindResult) -> dict[str, object]:
    return {
        "state": lookup.state,
        "vouchers": lookup.vouchers,
        "asked": lookup.asked,
        "failed": {account: error_object(error) for account, error in lookup.failed.items()},
        "left_out": lookup.left_out,
    }


def _print_lookup(output: Output, lookup: FindResult, *, reveal: bool) -> None:
    if lookup.vouchers:
        print_rows(output, lookup.vouchers, voucher_columns(reveal=reveal, account=True))
    elif lookup.failed:
        output.note("Not found, but not everybody could be asked.", "red")
    else:
        output.note("Not found.", "red")
    output.notes(f"{error} ({type(error).__name__})" for error in lookup.failed.values())
    if lookup.left_out and not lookup.vouchers:
        names = ", ".join(lookup.left_out)
        output.note(f"Not asked, because no code_pattern matches: {names} (--broadcast asks them too).")


def balance(
    context: typer.Context,
    account: given.AccountName,
    code: given.CodeText,
    code_file: given.CodeFile = None,
    pin: given.PinText = None,
    pin_file: given.PinFile = None,
) -> None:
    """Say what a voucher is worth now, in its currency, and until when (UTC)."""
    session = cli_context_of(context)
    wanted, secret = require_code(code, code_file), pin_from(pin, pin_file)
    with session.gateway(account) as gateway:
        result = gateway.balance(account, wanted, secret)
    if session.output.as_json:
        session.output.object(result)
    else:
        session.output.show(text_of(result.remaining), details(fields_of(result, without=("account", "remaining"))))


def history(context: typer.Context, account: given.AccountName, id: given.VoucherId) -> None:
    """List what happened to a voucher, oldest first (JTL: charges; ticketing: transactions).

    Amounts are positive, in the voucher's currency; the kind says which way they went. Moments are in UTC.
    """
    session = cli_context_of(context)
    with session.gateway(account) as gateway:
        result = gateway.history(account, id)
    if session.output.as_json:
        session.output.object(result)
        return
    if not print_rows(session.output, result, MOVEMENT_COLUMNS):
        session.output.note("Nothing has happened to it yet.")
    if not result.complete:
        session.output.note("The history is not complete: the vendor's pages did not fit together.", "yellow")
