"""Commands that sell vouchers one by one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.text import Text

from voucher_gateway.cli import options as given
from voucher_gateway.cli.arguments import (
    parse_code,
    parse_instant_option,
    parse_metadata,
    parse_money,
    parse_period,
    parse_pin,
    parse_validity,
)
from voucher_gateway.cli.context import CliContext, cli_context_of
from voucher_gateway.cli.errors import print_warnings
from voucher_gateway.cli.output import Output, printable
from voucher_gateway.cli.record_lists import print_records
from voucher_gateway.cli.tables import TableColumn, count_text, details, fields_of, text_of
from voucher_gateway.errors import InvalidRequest
from voucher_gateway.models.requests import NewVoucher
from voucher_gateway.models.voucher import Medium
from voucher_gateway.sales.records import STOPPED, SaleRecord, SaleState
from voucher_gateway.serialization import equality_fields

if TYPE_CHECKING:
    from voucher_gateway.gateway.gateway import Gateway
    from voucher_gateway.sales.sale import Sale

_SaleName = Annotated[
    str,
    typer.Argument(
        metavar="SALE",
        help="Your own name for the sale of one voucher, such as the order and the position: 1002-1.",
        show_default=False,
    ),
]
_BatchOption = Annotated[str | None, typer.Option("--batch", metavar="BATCH", help="Only the sales of this batch.")]
CampaignOption = Annotated[
    str | None, typer.Option("--campaign", metavar="TEXT", help="The vendor's campaign or group.")
]

_STYLES: Final = {
    SaleState.FULFILLING: "bold magenta",
    SaleState.REVOKING: "bold magenta",
    SaleState.FULFILLED: "green",
    SaleState.DELIVERED: "green",
}
_IN_TITLE: Final = ("name", "state", "attention", "revocation")


def prepare(
    context: typer.Context,
    name: _SaleName,
    account: given.AccountName,
    amount: given.Amount,
    currency: given.Currency,
    order: given.Order = None,
    code: given.CodeOption = None,
    code_file: given.CodeFile = None,
    pin: given.PinText = None,
    pin_file: given.PinFile = None,
    valid_until: given.ValidUntil = None,
    valid_for: given.ValidFor = None,
    medium: given.MediumOption = None,
    sku: given.Sku = None,
    campaign: CampaignOption = None,
    metadata: given.Metadata = None,
    wait: given.Wait = 0,
    timeout: given.Timeout = None,
    reveal: given.Reveal = False,
) -> None:
    """Open the sale of a voucher, and issue the voucher inactive.

    Where the vendor has no inactive vouchers, nothing is sent, and `sell fulfil` issues it. The code is derived from
    the journal's key, as far as the vendor lets us choose it. The same command again sends nothing; another voucher
    under the same name is refused.

    Examples:
        voucher-gateway sell prepare 1002-1 shop 50.00 EUR --order 1002
    """
    session = cli_context_of(context)
    new = new_voucher_of(
        amount,
        currency,
        code=parse_code(code, code_file),
        pin=parse_pin(pin, pin_file),
        valid_until=valid_until,
        valid_for=valid_for,
        medium=medium,
        sku=sku,
        campaign=campaign,
        metadata=metadata,
    )

    def call(gateway: Gateway) -> Sale:
        return gateway.sale(name, account, new, order=order, wait=wait).prepare(timeout=timeout)

    _run(session, name, "prepare", call, reveal=reveal)


def fulfil(
    context: typer.Context,
    name: _SaleName,
    wait: given.Wait = 0,
    timeout: given.Timeout = None,
    reveal: given.Reveal = False,
) -> None:
    """Make the voucher of a sale spendable, after the payment.

    It happens once, however often the command is given. If it fails, the decision stands: the same command, or
    `recover`, goes on with it.

    Examples:
        voucher-gateway sell fulfil 1002-1 --reveal
    """
    session = cli_context_of(context)

    def call(gateway: Gateway) -> Sale:
        return _find(gateway, name, wait).fulfil(timeout=timeout)

    _run(session, name, "fulfil", call, reveal=reveal)


def _note_delivered(gateway: Gateway, name: str, wait: float) -> Sale:
    return _find(gateway, name, wait).delivered()


def delivered(
    context: typer.Context,
    name: Annotated[
        str | None, typer.Argument(metavar="[SALE]", help="The sale; or give --batch.", show_default=False)
    ] = None,
    batch: _BatchOption = None,
    wait: given.Wait = 0,
) -> None:
    """Say that the buyer has the code, or that the printer has all codes of a batch.

    From then on this program shows the code no more, and erases what it kept of it.

    Examples:
        voucher-gateway sell delivered 1002-1
        voucher-gateway sell delivered --batch spring-2030
    """
    session = cli_context_of(context)
    if (name is None) == (batch is None):
        raise InvalidRequest("give either SALE or --batch", field="SALE", rule="one of SALE and --batch")
    if name is not None:
        _run(session, name, "deliver", partial(_note_delivered, name=name, wait=wait))
        return
    count = 0
    with session.gateway() as gateway:
        for record in gateway.sales(batch=batch):
            if record.state not in STOPPED:
                _find(gateway, record.name, wait).delivered()
                count += 1
    print_batch(session.output, {"batch": batch, "delivered": count}, f"{count_text(count, 'voucher')} delivered")


def revoke(
    context: typer.Context,
    name: _SaleName,
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="Why, such as chargeback.", show_default=False)
    ],
    wait: given.Wait = 0,
    timeout: given.Timeout = None,
) -> None:
    """Stop the voucher of a sale from being spent, and say what was spent until then: the shop's loss.

    The vendor deactivates it, and what is left on it is frozen. Where the vendor cannot, the emulation
    deactivate-by-expiry does it if the account accepts it; otherwise what is left is taken. `sell restore` undoes it.

    Examples:
        voucher-gateway sell revoke 1002-1 --reason chargeback
    """
    session = cli_context_of(context)

    def call(gateway: Gateway) -> Sale:
        sale = _find(gateway, name, wait)
        sale.revoke(reason, timeout=timeout)
        return sale

    _run(session, name, "revoke", call)


def restore(context: typer.Context, name: _SaleName, wait: given.Wait = 0, timeout: given.Timeout = None) -> None:
    """Take a revocation back, such as after a chargeback that the shop won.

    What was frozen or taken can be spent again. A card that its vendor deactivates for ever cannot be restored.

    Examples:
        voucher-gateway sell restore 1002-1
    """
    session = cli_context_of(context)

    def call(gateway: Gateway) -> Sale:
        return _find(gateway, name, wait).restore(timeout=timeout)

    _run(session, name, "restore", call)


def show(context: typer.Context, name: _SaleName, reveal: given.Reveal = False) -> None:
    """Show a sale: how far it is, why it waits, and its code until that was delivered.

    Moments are in UTC.

    Examples:
        voucher-gateway sell show 1002-1 --reveal
    """
    session = cli_context_of(context)
    with session.gateway() as gateway:
        _print_sale(session.output, _find(gateway, name, 0), reveal=reveal)


_COLUMNS: Final = (
    TableColumn("sale", attrgetter("name")),
    TableColumn("account", attrgetter("account")),
    TableColumn("state", attrgetter("state")),
    TableColumn("value", attrgetter("initial"), right=True),
    TableColumn("voucher", attrgetter("voucher_id"), optional=True),
    TableColumn("opened (UTC)", attrgetter("created_at")),
    TableColumn("waits because", attrgetter("attention"), optional=True),
)


def list_sales(
    context: typer.Context,
    state: Annotated[
        list[SaleState] | None, typer.Option("--state", help="Only sales in this state; may be repeated.")
    ] = None,
    account: given.AccountOption = None,
    batch: _BatchOption = None,
    since: given.Since = None,
    limit: given.Newest = None,
) -> None:
    """List the sales, the newest first.

    Those that wait: --state fulfilling --state revoking; `recover` goes on with them. Those whose buyer has no code
    yet: --state fulfilled.

    Examples:
        voucher-gateway sell list --state fulfilling --state revoking
        voucher-gateway sell list --batch spring-2030 --json
    """
    session = cli_context_of(context)
    begin, _ = parse_period(since, None)
    with session.gateway(account) as gateway:
        records = gateway.sales(states=state or (), account=account, batch=batch, since=begin, limit=limit)
        print_records(session.output, records, _COLUMNS)


# --- helpers, also of the commands for batches ---


def new_voucher_of(
    amount: str,
    currency: str,
    *,
    valid_until: str | None,
    valid_for: str | None,
    medium: str | None,
    sku: str | None,
    campaign: str | None,
    metadata: str | None,
    **secrets: Any,
) -> NewVoucher:
    """Return the voucher that the options of a command describe.

    Raises:
        InvalidRequest: if an option has a wrong value.
    """
    until: datetime | None = parse_instant_option(valid_until, "--valid-until")
    return NewVoucher(
        initial=parse_money(amount, currency),
        medium=None if medium is None else Medium(medium),
        valid_until=until,
        validity=parse_validity(valid_for),
        sku=sku,
        batch=campaign,
        metadata=parse_metadata(metadata),
        **secrets,
    )


def _find(gateway: Gateway, name: str, wait: float) -> Sale:
    sale = gateway.find_sale(name, wait=wait)
    if sale is None:
        raise InvalidRequest(
            f"the sale {name!r:.200} does not exist: `sell prepare` opens one, `sell list` shows all",
            field="SALE",
            rule="the name of a sale",
        )
    return sale


def _run(session: CliContext, name: str, verb: str, call: Callable[[Gateway], Sale], *, reveal: bool = False) -> None:
    """Change a sale, and print it."""
    remedy = f"Find out with: voucher-gateway sell show {name}. The same command goes on with it."
    with session.gateway() as gateway, session.changing(f"sell {verb} {name}", remedy):
        _print_sale(session.output, call(gateway), reveal=reveal)
        session.output.flush()


def _print_sale(output: Output, sale: Sale, *, reveal: bool = False) -> None:
    record = sale.record
    has_code = record.voucher_id is not None and record.delivered_at is None and record.attention is None
    is_readable = has_code and record.state not in STOPPED
    secrets = {"code": sale.code if is_readable else None, "pin": sale.pin if is_readable else None}
    if output.as_json:
        fields = {**{name: getattr(record, name) for name in equality_fields(SaleRecord)}, **secrets}
        output.object(fields, reveal=reveal)
        return
    texts = fields_of(record, without=_IN_TITLE)
    texts |= {name: text_of(secret, reveal=reveal) for name, secret in secrets.items()}
    if record.revocation is not None:
        texts |= fields_of(record.revocation)
    title = Text(printable(f"{record.name} is {record.state.value}"), _STYLES.get(record.state, "yellow"))
    output.show(title, details(texts))
    if record.attention is not None:
        print_warnings(output, [record.attention])
    elif is_readable and not reveal:
        output.note(f"Its code is masked: voucher-gateway sell show {record.name} --reveal")


def print_batch(output: Output, fields: dict[str, Any], sentence: str) -> None:
    """Print what was done with a batch: a sentence for people, or the fields as JSON."""
    if output.as_json:
        output.object(fields)
    else:
        output.show(Text(printable(f"{fields['batch']}: {sentence}"), "green"))
