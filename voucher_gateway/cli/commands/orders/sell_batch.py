"""The command that makes many equal vouchers, such as for a printer."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from voucher_gateway.cli import options as given
from voucher_gateway.cli.commands.orders.sell import CampaignOption, new_voucher_of, print_batch
from voucher_gateway.cli.context import cli_context_of
from voucher_gateway.cli.tables import count_text
from voucher_gateway.errors import InvalidRequest
from voucher_gateway.sales.records import STOPPED

if TYPE_CHECKING:
    from voucher_gateway.cli.output import ProgressLine
    from voucher_gateway.sales.sale import Sale

_BatchName = Annotated[str, typer.Argument(metavar="BATCH", help="Your own name for the batch.", show_default=False)]
_CSV_COLUMNS: Final = ("sale", "code", "pin", "amount", "currency", "voucher_id")


def batch(
    context: typer.Context,
    name: _BatchName,
    account: given.AccountName,
    amount: given.Amount,
    currency: given.Currency,
    count: Annotated[int, typer.Argument(metavar="COUNT", help="How many vouchers.", min=1, show_default=False)],
    fulfil: Annotated[
        bool, typer.Option("--fulfil", help="Make them spendable at once; otherwise they are inactive.")
    ] = False,
    codes: Annotated[
        Path | None,
        typer.Option("--codes", metavar="FILE", help="Write their codes into this CSV file; needs --reveal."),
    ] = None,
    reveal: given.Reveal = False,
    order: given.Order = None,
    valid_until: given.ValidUntil = None,
    valid_for: given.ValidFor = None,
    medium: given.MediumOption = None,
    sku: given.Sku = None,
    campaign: CampaignOption = None,
    metadata: given.Metadata = None,
    workers: Annotated[
        int, typer.Option("--workers", metavar="N", min=1, max=64, help="So many vouchers at a time.")
    ] = 4,
    wait: given.Wait = 0,
) -> None:
    """Make COUNT equal vouchers, such as for a printer, and write their codes into a file.

    If the command is broken off, the same command goes on: the codes are the same, and no voucher is made twice. The
    file is written whole or not at all, and only its owner can read it (mode 0600). The sales are called BATCH/000001
    and so on. Without --fulfil the vouchers are inactive; `sell fulfil`, or the same command with --fulfil, makes them
    spendable.

    Examples:
        voucher-gateway sell batch spring shop 50 EUR 200 --codes a.csv --reveal
    """
    session = cli_context_of(context)
    if (codes is not None) != reveal:
        raise InvalidRequest(
            "a file of codes is worth the sum of its vouchers: give --codes and --reveal together",
            field="--codes",
            rule="together with --reveal",
        )
    new = new_voucher_of(
        amount,
        currency,
        valid_until=valid_until,
        valid_for=valid_for,
        medium=medium,
        sku=sku,
        campaign=campaign,
        metadata=metadata,
    )
    remedy = "The same command goes on with it."
    with (
        session.gateway(account) as gateway,
        session.changing(f"the batch {name} at {account}", remedy),
        session.output.progress(f"making the vouchers of {name}") as progress,
    ):
        sales = gateway.sell_many(name, account, new, count, order=order, fulfil=fulfil, workers=workers, wait=wait)
        sales = _show_progress(sales, progress, count)
        revoked = _write_codes(sales, codes) if codes is not None else sum(sale.state in STOPPED for sale in sales)
    fields = {"batch": name, "vouchers": count, "revoked": revoked, "fulfilled": fulfil, "codes": codes and str(codes)}
    sentence = f"{count_text(count, 'voucher')} {'can be spent' if fulfil else 'prepared'}"
    print_batch(session.output, fields, sentence if not revoked else f"{sentence}, {revoked} of them revoked")
    if codes is not None:
        session.output.note(f"Once the codes are at their place: voucher-gateway sell delivered --batch {name}")


def _show_progress(sales: Iterable[Sale], progress: ProgressLine, count: int) -> Iterator[Sale]:
    for number, sale in enumerate(sales, 1):
        progress.update(number, count)
        yield sale


def _write_codes(sales: Iterable[Sale], path: Path) -> int:
    """Write the codes of sales into a file, whole or not at all, and return how many sales were revoked."""
    from voucher_gateway.atomic_file import AtomicFile

    revoked = 0
    with AtomicFile(path) as draft:
        text = io.TextIOWrapper(draft.file, encoding="utf-8", newline="")
        try:
            lines = csv.writer(text)
            lines.writerow(_CSV_COLUMNS)
            for sale in sales:
                if sale.state in STOPPED:
                    revoked += 1
                else:
                    _write_line(lines, sale)
            text.flush()
        finally:
            text.detach()  # the file is the draft's
        draft.commit()
    return revoked


def _write_line(lines: Any, sale: Sale) -> None:
    from voucher_gateway.masking import hide_frames

    code, pin, value = sale.code, sale.pin, sale.initial
    with hide_frames():
        plain_pin = "" if pin is None else pin.reveal()
        lines.writerow(
            [sale.name, code.reveal(), plain_pin, f"{value.amount:f}", value.currency, sale.voucher_id or ""]
        )
