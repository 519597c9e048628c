"""Arguments and options that several commands share, with their help, and the words that a shell completes for them.

A completion sends nothing, loads no provider and shows no error: a shell has no place for one.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Final, Literal

import typer


def complete_account(context: typer.Context, incomplete: str) -> list[str]:
    """Return the accounts of the configuration whose names begin so."""
    from voucher_gateway.config.loader import default_config_path

    path = context.find_root().params.get("config") or default_config_path()
    try:
        accounts = tomllib.loads(Path(path).read_text("utf-8")).get("accounts", {})
    except (OSError, ValueError):
        return []
    return [name for name in accounts if name.startswith(incomplete)]


def complete_provider(incomplete: str) -> list[str]:
    """Return the installed providers whose names begin so."""
    from voucher_gateway import registry

    return [provider.name for provider in registry.list_installed() if provider.name.startswith(incomplete)]


def complete_provider_or_account(context: typer.Context, incomplete: str) -> list[str]:
    """Return the providers and the accounts whose names begin so."""
    return [*complete_provider(incomplete), *complete_account(context, incomplete)]


def complete_operation(incomplete: str) -> list[str]:
    """Return the commands of changing operations that begin so."""
    from voucher_gateway.capabilities import Operation

    names = [operation.value.replace("_", "-") for operation in Operation if operation.changes]
    return [name for name in names if name.startswith(incomplete)]


AccountName = Annotated[
    str,
    typer.Argument(
        metavar="ACCOUNT",
        help="The account, by its name in the configuration.",
        show_default=False,
        autocompletion=complete_account,
    ),
]
OptionalAccountName = Annotated[
    str | None,
    typer.Argument(
        metavar="ACCOUNT",
        help="The account, by its name in the configuration.",
        show_default=False,
        autocompletion=complete_account,
    ),
]
OptionalVerb = Annotated[
    str | None,
    typer.Argument(
        metavar="VERB",
        help="The operation: redeem, capture, refund, top-up, issue, ...",
        show_default=False,
        autocompletion=complete_operation,
    ),
]
OptionalReference = Annotated[
    str | None,
    typer.Argument(metavar="REFERENCE", help="The reference under which it was made.", show_default=False),
]
AccountNames = Annotated[
    list[str] | None,
    typer.Argument(metavar="ACCOUNT", help="The accounts; all by default.", autocompletion=complete_account),
]
AccountOption = Annotated[
    str | None,
    typer.Option("--account", metavar="ACCOUNT", help="Only this account.", autocompletion=complete_account),
]
Verb = Annotated[
    str,
    typer.Argument(
        metavar="VERB",
        help="The operation: redeem, capture, refund, top-up, issue, ...",
        show_default=False,
        autocompletion=complete_operation,
    ),
]
OperationReference = Annotated[
    str, typer.Argument(metavar="REFERENCE", help="The reference under which it was made.", show_default=False)
]
CodeText = Annotated[
    str,
    typer.Argument(
        metavar="CODE",
        help="The voucher's code. - reads it from --code-file, or from the first line of stdin.",
        show_default=False,
    ),
]
CodeOption = Annotated[
    str | None,
    typer.Option("--code", metavar="CODE", help="The voucher's code; - reads it from --code-file or stdin."),
]
CodeFile = Annotated[
    Path | None,
    typer.Option("--code-file", metavar="FILE", help="A file whose first line is the code."),
]
PinText = Annotated[
    str | None,
    typer.Option("--pin", metavar="PIN", help="The voucher's PIN; - reads it from stdin, after the code."),
]
PinFile = Annotated[
    Path | None,
    typer.Option("--pin-file", metavar="FILE", help="A file whose first line is the PIN."),
]
VoucherId = Annotated[str, typer.Argument(metavar="ID", help="The vendor's id of the voucher.", show_default=False)]
Amount = Annotated[
    str,
    typer.Argument(
        metavar="AMOUNT",
        help="In major units with a point, such as 10.53; no more decimals than the currency has (EUR 2, JPY 0), and"
        " within the vendor's limits.",
        show_default=False,
    ),
]
Currency = Annotated[
    str, typer.Argument(metavar="CURRENCY", help="ISO 4217, in capitals, such as EUR.", show_default=False)
]
AmountOption = Annotated[
    str | None,
    typer.Option(
        "--amount", metavar="AMOUNT", help="In major units with a point, such as 10.53; the whole by default."
    ),
]
CurrencyOption = Annotated[
    str | None,
    typer.Option(
        "--currency", metavar="CURRENCY", help="ISO 4217, in capitals, such as EUR; only beside a vendor's id."
    ),
]
VoucherOption = Annotated[
    str | None, typer.Option("--voucher-id", metavar="ID", help="The vendor's id of the voucher, where it is known.")
]
Reference = Annotated[
    str,
    typer.Option(
        "--reference",
        metavar="REFERENCE",
        help="An idempotency key: your own name for this one operation, 1 to 200 characters. Commit it before you"
        " call.",
        show_default=False,
    ),
]
Order = Annotated[
    str | None,
    typer.Option(
        "--order",
        metavar="ORDER",
        help="The number of your order, 1 to 200 characters. Several operations may have the same.",
    ),
]
Wait = Annotated[
    int,
    typer.Option(
        "--wait",
        metavar="SECONDS",
        min=0,
        help="How long to wait while another worker runs the same operation. Needs a journal.",
    ),
]
Timeout = Annotated[
    float | None,
    typer.Option(
        "--timeout",
        metavar="SECONDS",
        help="How long the call may take in all, such as 8; what was sent then is unknown, and `resolve` tells it.",
    ),
]
ReadTimeout = Annotated[
    float | None,
    typer.Option("--timeout", metavar="SECONDS", help="How long the look-up may take in all, such as 8."),
]
CallOptions = Annotated[
    list[str] | None,
    typer.Option(
        "--option",
        metavar="NAME=VALUE",
        help="What only this vendor has, such as a location or a reason; may be repeated. `providers` lists them.",
    ),
]
IfHeld = Annotated[
    Literal["refuse", "replace-own", "replace"] | None,
    typer.Option(
        "--if-held",
        help="What to do about a reservation of yours that this one would end: refuse, replace-own (only one of the"
        " same order; the default) or replace. Needs a journal.",
    ),
]
OrderFilter = Annotated[str | None, typer.Option("--order", metavar="ORDER", help="Only of this order.")]
Since = Annotated[
    str | None,
    typer.Option("--since", metavar="MOMENT", help="Only from this day (UTC) or moment on, such as 2026-11-29."),
]
Until = Annotated[
    str | None,
    typer.Option("--until", metavar="MOMENT", help="Only to the end of this day (UTC), or to before this moment."),
]
Newest = Annotated[int | None, typer.Option("--limit", metavar="N", min=1, help="Only the newest N.")]
Reveal = Annotated[bool, typer.Option("--reveal", help="Show codes and PINs instead of masks. They are money.")]
ValidUntil = Annotated[
    str | None,
    typer.Option("--valid-until", metavar="MOMENT", help="The end of validity, such as 2026-12-31T23:59:59Z."),
]
ValidFor = Annotated[
    str | None, typer.Option("--valid-for", metavar="TIME", help="Validity from activation, such as '3 years'.")
]
MediumOption = Annotated[
    Literal["digital", "print"] | None, typer.Option("--medium", help="Whether it is digital or printed.")
]
Metadata = Annotated[str | None, typer.Option("--metadata", metavar="JSON", help="Data of your own, any JSON value.")]
Sku = Annotated[str | None, typer.Option("--sku", metavar="SKU", help="The article.")]
Batch = Annotated[str | None, typer.Option("--batch", metavar="BATCH", help="The campaign or group.")]
Delimiter = Annotated[
    Literal[",", ";", "tab", "|"] | None,
    typer.Option("--delimiter", help="CSV: what separates two cells. Guessed when a file is read."),
]
DecimalSign = Annotated[
    Literal["point", "comma"] | None,
    typer.Option("--decimal", help="CSV: the decimal sign of amounts. Guessed when a file is read."),
]
DateOrder = Annotated[
    Literal["iso", "ymd", "dmy", "mdy"] | None,
    typer.Option("--date-order", help="CSV: the order of year, month and day; iso for RFC 3339 only. Guessed."),
]
TimeZone = Annotated[
    str | None,
    typer.Option("--time-zone", metavar="ZONE", help="CSV: where dates without a zone are, such as Europe/Berlin."),
]
Encoding = Annotated[
    Literal["utf-8", "windows-1252"] | None, typer.Option("--encoding", help="CSV: how characters are stored.")
]
FileCurrency = Annotated[
    str | None, typer.Option("--currency", metavar="CURRENCY", help="CSV: the currency of rows that name none.")
]
ColumnNames = Annotated[
    list[str] | None,
    typer.Option(
        "--column",
        metavar="NAME=FIELD",
        help='CSV: what a column with another name is, such as "Card number=code"; NAME=- leaves it out. May be'
        " repeated.",
    ),
]
ByteOrderMark = Annotated[
    bool | None,
    typer.Option("--byte-order-mark", help="CSV: begin the file with one, by which a spreadsheet recognises UTF-8."),
]


def file_settings(**options: object) -> dict[str, object]:
    """Return the settings of a file that were given as options."""
    return {name: value for name, value in options.items() if value not in (None, [])}


WORKERS: Final = 8
"""How many vouchers a migration, an export or an import moves at a time, unless another number is given."""
