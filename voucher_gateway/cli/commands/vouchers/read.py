"""Commands that look at vouchers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import attrs
import typer

from voucher_gateway.cli import options as given
from voucher_gateway.cli.arguments import parse_code, parse_filters, parse_instant_option, parse_pin, require_code
from voucher_gateway.cli.context import DECLINED, NOT_DONE, cli_context_of
from voucher_gateway.cli.errors import error_object
from voucher_gateway.cli.output import Output
from voucher_gateway.cli.resumable_rows import REPORTED_EVERY, ResumableRows, print_report
from voucher_gateway.cli.tables import (
    MOVEMENT_COLUMNS,
    details,
    fields_of,
    print_rows,
    text_of,
    voucher_columns,
)
from voucher_gateway.errors import InvalidRequest
from voucher_gateway.limits.call_deadline import use_call_deadline
from voucher_gateway.models.requests import VoucherQuery
from voucher_gateway.models.voucher import Status, Voucher

if TYPE_CHECKING:
    from voucher_gateway.gateway.find import FindResult
    from voucher_gateway.gateway.gateway import Gateway
    from voucher_gateway.models.presentation import FooterColumn, Presentation


def show(
    context: typer.Context,
    account: given.AccountName,
    id: Annotated[str | None, typer.Option("--id", metavar="ID", help="The vendor's id of the voucher.")] = None,
    code: given.CodeOption = None,
    code_file: given.CodeFile = None,
    pin: given.PinText = None,
    pin_file: given.PinFile = None,
    timeout: given.ReadTimeout = None,
    reveal: given.Reveal = False,
) -> None:
    """Show everything that is known of one voucher, by --id or by --code.

    Amounts are in the voucher's currency, moments in UTC. What the vendor does not say is left out (JSON: null).

    Examples:
        voucher-gateway show shop --id 4711
        voucher-gateway show shop --code - --json < code.txt
    """
    session = cli_context_of(context)
    voucher_code = parse_code(code, code_file)
    if (id is None) == (voucher_code is None):
        raise InvalidRequest("give either --id or --code", field="id", rule="one of --id and --code")
    voucher_pin = parse_pin(pin, pin_file)
    with session.gateway(account, journal=False) as gateway, use_call_deadline(timeout):
        if voucher_code is None:
            assert id is not None
            voucher = _with_value(gateway, gateway.get(account, id, secrets=reveal))
        else:
            voucher = gateway.provider(account).find(voucher_code, voucher_pin)
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
    timeout: given.ReadTimeout = None,
    reveal: given.Reveal = False,
) -> None:
    """Find out which account a code belongs to.

    All accounts whose code_pattern matches the code are asked. Exit code 0 if it is found, 1 if no account has it, 3
    if not all could be asked. The time limit is --timeout, and that of each account (total_timeout_s, 8 seconds unless
    set).

    Examples:
        voucher-gateway find - < code.txt
        voucher-gateway find - --code-file code.txt --broadcast
    """
    session = cli_context_of(context)
    voucher_code, voucher_pin = require_code(code, code_file), parse_pin(pin, pin_file)
    with session.gateway() as gateway:
        lookup = gateway.find(voucher_code, voucher_pin, broadcast=broadcast, timeout=timeout)
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
        output.note("Not found, but not every account could be asked.", "red")
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
    timeout: given.ReadTimeout = None,
) -> None:
    """Show what a voucher is worth now, and until when.

    The amount is in the voucher's currency, the moment in UTC.

    Examples:
        voucher-gateway balance shop - < code.txt
    """
    session = cli_context_of(context)
    voucher_code, voucher_pin = require_code(code, code_file), parse_pin(pin, pin_file)
    with session.gateway(account) as gateway:
        result = gateway.balance(account, voucher_code, voucher_pin, timeout=timeout)
    if session.output.as_json:
        session.output.object(result)
    else:
        session.output.show(text_of(result.remaining), details(fields_of(result, without=("account", "remaining"))))


def history(
    context: typer.Context, account: given.AccountName, id: given.VoucherId, timeout: given.ReadTimeout = None
) -> None:
    """List what happened to a voucher, the oldest first.

    JTL shows charges, ticketing shows transactions. Amounts are positive, in the voucher's currency; the kind says in
    which direction they moved. Moments are in UTC.

    Examples:
        voucher-gateway history shop 4711
    """
    session = cli_context_of(context)
    with session.gateway(account, journal=False) as gateway:
        result = gateway.history(account, id, timeout=timeout)
    if session.output.as_json:
        session.output.object(result)
        return
    if not print_rows(session.output, result, MOVEMENT_COLUMNS):
        session.output.note("Nothing has happened to it yet.")
    if not result.complete:
        session.output.note("The history is not complete: the vendor's pages did not fit together.", "yellow")


"""So many vouchers between two changes of the progress line, or two hand-overs of JSON lines to a pipe."""

_Status = Annotated[
    Literal["active", "inactive", "pending", "blocked", "deactivated", "expired", "used_up"] | None,
    typer.Option("--status", help="Only with this status, where the vendor can filter by it."),
]
_Limit = Annotated[int | None, typer.Option("--limit", metavar="N", min=1, help="At most so many vouchers.")]
_From = Annotated[str | None, typer.Option("--created-from", metavar="MOMENT", help="Created then or later.")]
_To = Annotated[str | None, typer.Option("--created-to", metavar="MOMENT", help="Created then or earlier.")]
_ValidFrom = Annotated[
    str | None, typer.Option("--valid-until-from", metavar="MOMENT", help="Valid until then or later.")
]
_ValidTo = Annotated[
    str | None, typer.Option("--valid-until-to", metavar="MOMENT", help="Valid until then or earlier.")
]


def list_vouchers(
    context: typer.Context,
    account: given.AccountName,
    status: _Status = None,
    limit: _Limit = None,
    native: Annotated[
        list[str] | None,
        typer.Option("--filter", metavar="NAME=VALUE", help="A filter of the vendor's own; may be repeated."),
    ] = None,
    created_from: _From = None,
    created_to: _To = None,
    valid_until_from: _ValidFrom = None,
    valid_until_to: _ValidTo = None,
    sku: given.Sku = None,
    batch: given.Batch = None,
    has_value: Annotated[
        bool | None,
        typer.Option("--has-value/--no-value", help="Only with value left, or only used up.", show_default=False),
    ] = None,
    newest_first: Annotated[
        bool | None,
        typer.Option("--newest-first/--oldest-first", help="The order by creation.", show_default=False),
    ] = None,
    resume: Annotated[
        str | None, typer.Option("--resume", metavar="TOKEN", help="Continue where an earlier list stopped.")
    ] = None,
) -> None:
    """List the vouchers of an account.

    They are printed in the vendor's order, page by page. Amounts are in each voucher's currency, moments in UTC.
    MOMENT is like 2026-12-31T23:59:59Z. A filter that the vendor does not have is refused. At the end stderr says how
    many vouchers there were and whether they agree with the vendor's total, or, if the list stopped early, how to go
    on.

    Examples:
        voucher-gateway list shop --status active --has-value
        voucher-gateway list events --limit 100 --json
    """
    query = VoucherQuery(
        status=None if status is None else Status(status),
        created_from=parse_instant_option(created_from, "--created-from"),
        created_to=parse_instant_option(created_to, "--created-to"),
        valid_until_from=parse_instant_option(valid_until_from, "--valid-until-from"),
        valid_until_to=parse_instant_option(valid_until_to, "--valid-until-to"),
        sku=sku,
        batch=batch,
        has_value=has_value,
        native=parse_filters(native or ()),
        newest_first=newest_first,
        limit=limit,
        resume=resume,
    )
    session = cli_context_of(context)
    output = session.output
    with session.gateway(account, journal=False) as gateway, gateway.vouchers(account, query) as listing:
        delivery = ResumableRows(output, listing)
        try:
            if output.as_json:
                for number, voucher in enumerate(delivery, 1):
                    output.object(voucher)
                    if number % REPORTED_EVERY == 0:
                        output.flush()
            else:
                print_rows(output, delivery, voucher_columns())
        finally:
            # a reader that closed the pipe wants no report either
            if not output.unread:
                print_report(output, listing.report, delivery.token, listing.unreadable)


def presentation(
    context: typer.Context,
    account: given.AccountName,
    code: given.CodeText,
    code_file: given.CodeFile = None,
    id: Annotated[
        str | None,
        typer.Option("--id", metavar="ID", help="The vendor's id of the voucher, where you know it: saves a look-up."),
    ] = None,
    timeout: given.ReadTimeout = None,
    reveal: given.Reveal = False,
) -> None:
    """Show how the seller presents a voucher, for printing it.

    This is the disclaimer, address, logos and colours. Amounts are in the voucher's currency, moments in UTC; print
    the end of validity in the seller's time zone. Pictures are URLs. What the vendor does not say is left out (JSON:
    null). Only some vendors have it.

    Examples:
        voucher-gateway presentation events - < code.txt
    """
    session = cli_context_of(context)
    voucher_code = require_code(code, code_file)
    with session.gateway(account, journal=False) as gateway:
        result = gateway.presentation(account, voucher_code, id=id, timeout=timeout)
    if session.output.as_json:
        session.output.object(result, reveal=reveal)
    else:
        _print_presentation(session.output, result, reveal=reveal)


def _print_presentation(output: Output, presentation: Presentation, *, reveal: bool) -> None:
    voucher, document = presentation.voucher, presentation.document
    head = {
        "voucher id": voucher.id,
        "code": text_of(voucher.code, reveal=reveal),
        "initial": text_of(voucher.initial),
        "valid until": text_of(voucher.valid_until),
    }
    head |= fields_of(presentation, without=("account", "voucher", "seller", "branding", "document"))
    footer = {f"footer {place}": _column_text(column) for place, column in enumerate(document.footer, 1)}
    output.show(f"{presentation.account}: presentation", details(head))
    for title, fields in (
        ("seller", fields_of(presentation.seller)),
        ("branding", fields_of(presentation.branding)),
        ("document", fields_of(document, without=("footer",)) | footer),
    ):
        if any(fields.values()):
            output.show(title, details(fields))


def _column_text(column: FooterColumn) -> str:
    hidden = " (not active)" if column.active is False else ""
    return f"{column.text or ''}{hidden}".strip()
