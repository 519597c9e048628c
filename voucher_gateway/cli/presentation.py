"""The command that says how the seller of a voucher presents it."""

from __future__ import annotations

from typing import Annotated

import typer

from voucher_gateway.cli import arguments as given
from voucher_gateway.cli.inputs import require_code
from voucher_gateway.cli.output import Output
from voucher_gateway.cli.session import cli_context_of
from voucher_gateway.cli.tables import details, fields_of, text_of
from voucher_gateway.models.presentation import FooterColumn, Presentation


def presentation(
    context: typer.Context,
    account: given.AccountName,
    code: given.CodeText,
    code_file: given.CodeFile = None,
    id: Annotated[
        str | None,
        typer.Option("--id", metavar="ID", help="The vendor's id of the voucher, where you know it: saves a look-up."),
    ] = None,
    reveal: given.Reveal = False,
) -> None:
    """Show how the seller presents a voucher, for printing it: disclaimer, address, logos and colours.

    Amounts are in the voucher's currency, moments in UTC; print the end of validity in the seller's time zone. Pictures
    are URLs. What the vendor did not say is left out (JSON: null). Only some vendors have it.
    """
    session = cli_context_of(context)
    wanted = require_code(code, code_file)
    with session.gateway(account) as gateway:
        shown = gateway.presentation(account, wanted, id=id)
    if session.output.as_json:
        session.output.object(shown, reveal=reveal)
    else:
        _print(session.output, shown, reveal=reveal)


def _print(output: Output, shown: Presentation, *, reveal: bool) -> None:
    voucher = {"voucher id": shown.voucher.id, "code": text_of(shown.voucher.code, reveal=reveal)}
    voucher |= {"initial": text_of(shown.voucher.initial), "valid until": text_of(shown.voucher.valid_until)}
    whole = fields_of(shown, without=("account", "voucher", "seller", "branding", "document"))
    document = fields_of(shown.document, without=("footer",))
    document |= {f"footer {place}": _column_text(one) for place, one in enumerate(shown.document.footer, 1)}
    output.show(f"{shown.account}: presentation", details({**voucher, **whole}))
    for title, fields in (
        ("seller", fields_of(shown.seller)),
        ("branding", fields_of(shown.branding)),
        ("document", document),
    ):
        if any(fields.values()):
            output.show(title, details(fields))


def _column_text(column: FooterColumn) -> str:
    hidden = " (not active)" if column.active is False else ""
    return f"{column.text or ''}{hidden}".strip()
