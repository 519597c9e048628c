"""Commands that issue vouchers and change them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from voucher_gateway.capabilities import Operation, Support
from voucher_gateway.cli import options as given
from voucher_gateway.cli.arguments import (
    parse_code,
    parse_instant_option,
    parse_metadata,
    parse_money,
    parse_pin,
    parse_validity,
)
from voucher_gateway.cli.changing_call import call_options, run_changing_call
from voucher_gateway.cli.context import CliContext, cli_context_of
from voucher_gateway.errors import InvalidRequest
from voucher_gateway.models.requests import KEEP, NewVoucher, VoucherChanges
from voucher_gateway.models.voucher import Medium, Status, Voucher

if TYPE_CHECKING:
    from voucher_gateway.gateway.gateway import Gateway
    from voucher_gateway.models.results import Deletion, TopUp

_NEVER = "never"


def issue(
    context: typer.Context,
    account: given.AccountName,
    amount: given.Amount,
    currency: given.Currency,
    reference: given.Reference,
    code: given.CodeOption = None,
    code_file: given.CodeFile = None,
    id: Annotated[str | None, typer.Option("--id", metavar="ID", help="An id of your choice (JTL only).")] = None,
    pin: given.PinText = None,
    pin_file: given.PinFile = None,
    activate: Annotated[bool, typer.Option("--activate", help="Activate it, too, so that it can be spent.")] = False,
    medium: given.MediumOption = None,
    valid_until: given.ValidUntil = None,
    valid_for: given.ValidFor = None,
    taxable: Annotated[
        bool | None, typer.Option("--taxable/--not-taxable", help="The vendor's tax flag.", show_default=False)
    ] = None,
    tax_rate: Annotated[str | None, typer.Option("--tax-rate", metavar="RATE", help="In percent, such as 19.")] = None,
    sku: given.Sku = None,
    batch: given.Batch = None,
    metadata: given.Metadata = None,
    order: given.Order = None,
    wait: given.Wait = 0,
    timeout: given.Timeout = None,
    option: given.CallOptions = None,
    reveal: given.Reveal = False,
) -> None:
    """Issue a voucher (vendors: create).

    What the vendor cannot store is refused, never dropped. JTL takes 0.00 to 99999.99, two decimals, and a validity
    counted from activation; ticketing takes an absolute end of validity. Without --code the vendor or its adapter
    makes one, which shows only with --reveal, here or in `show`.

    Examples:
        voucher-gateway issue shop 50.00 EUR --activate --reference order-7
        voucher-gateway issue shop 50.00 EUR --code - --reference order-8
    """
    session = cli_context_of(context)
    new = NewVoucher(
        initial=parse_money(amount, currency),
        id=id,
        code=parse_code(code, code_file),
        pin=parse_pin(pin, pin_file),
        medium=None if medium is None else Medium(medium),
        valid_until=parse_instant_option(valid_until, "--valid-until"),
        validity=parse_validity(valid_for),
        taxable=taxable,
        tax_rate=tax_rate,
        sku=sku,
        batch=batch,
        metadata=parse_metadata(metadata),
    )
    _refuse_early(session, new, account, activate=activate, reveal=reveal)

    def call(gateway: Gateway) -> Voucher:
        options = call_options(gateway, account, option, unless=Operation.ACTIVATE if activate else None)
        return gateway.issue(account, new, reference=reference, order=order, wait=wait, options=options)

    voucher = run_changing_call(
        session, Operation.ISSUE, account, reference, order, call, timeout=timeout, reveal=reveal
    )
    if new.code is None and voucher.code is not None and not reveal:
        session.output.note(f"Its code is masked: voucher-gateway show {account} --id {voucher.id} --reveal")
    if activate:
        _activate_new(session, account, voucher, reference, order, wait, option, timeout=timeout, reveal=reveal)
    if new.code is None and session.output.unread:
        _require_readable_code(session, account, voucher.id)


def _refuse_early(session: CliContext, new: NewVoucher, account: str, *, activate: bool, reveal: bool) -> None:
    """Refuse, before anything is sent, a request whose voucher could not be spent.

    Raises:
        AmountPrecisionError, AmountOutOfRange: if the vendor does not take the value.
        InvalidRequest: if the vendor would make a code that it shows only once, and the code would be masked.
        UnsupportedOperation: if the voucher is to be activated and the login may not do that.
    """
    from voucher_gateway.emulation.registry import unsupported_error

    with session.gateway(account) as gateway:
        provider = gateway.provider(account)
        provider.capabilities.amounts.check(new.initial)
        if new.code is None and not reveal:
            if provider.capabilities.codes.readable:
                provider.check()  # only after a look is it known whether this login may read codes
            if not provider.capabilities.codes.readable:
                raise InvalidRequest(
                    "this login cannot read codes back, so the new one would be lost: give --code or --reveal",
                    field="code",
                    rule="chosen, or revealed",
                    account=account,
                    operation="issue",
                )
        support = gateway.capabilities(account).of(Operation.ACTIVATE)
        if activate and support.support is Support.DENIED:
            raise unsupported_error(provider, Operation.ACTIVATE, support)


def _require_readable_code(session: CliContext, account: str, id: str) -> None:
    """Raise an error if the vendor made a code that was not read and cannot be read again.

    Raises:
        InvalidRequest: if this login cannot read codes.
    """
    with session.gateway(account) as gateway:
        readable = gateway.provider(account).capabilities.codes.readable
    if not readable:
        raise InvalidRequest(
            f"voucher {id} was issued, but its new code was not read, and this login cannot read it back:"
            " delete the voucher, and issue another one under a new reference",
            field="--reveal",
            rule="an output that is read",
            account=account,
        )


def _activate_new(
    session: CliContext,
    account: str,
    voucher: Voucher,
    reference: str,
    order: str | None,
    wait: int,
    option: list[str] | None,
    *,
    timeout: float | None,
    reveal: bool,
) -> None:
    if voucher.status in (None, Status.ACTIVE):
        why = "has no activation" if voucher.status is None else "has activated it already"
        session.output.note(f"The vendor {why}: the voucher can be spent.")
        return
    verb, id = Operation.ACTIVATE, voucher.id
    _set_status(
        session, verb, account, id, reference, order, wait, option, timeout=timeout, after_issue=True, reveal=reveal
    )


def activate(
    context: typer.Context,
    account: given.AccountName,
    id: given.VoucherId,
    reference: given.Reference,
    order: given.Order = None,
    wait: given.Wait = 0,
    timeout: given.Timeout = None,
    option: given.CallOptions = None,
) -> None:
    """Make a voucher spendable (JTL: status).

    Where the validity is a length of time, such as JTL's 3 years, it starts now; a second activation may start it
    again.

    Examples:
        voucher-gateway activate shop 4711 --reference order-7
    """
    session, verb = cli_context_of(context), Operation.ACTIVATE
    _set_status(session, verb, account, id, reference, order, wait, option, timeout=timeout)


def deactivate(
    context: typer.Context,
    account: given.AccountName,
    id: given.VoucherId,
    reference: given.Reference,
    order: given.Order = None,
    wait: given.Wait = 0,
    timeout: given.Timeout = None,
    option: given.CallOptions = None,
) -> None:
    """Stop a voucher from being spent (JTL: status).

    Its value stays; `activate` undoes it.

    Examples:
        voucher-gateway deactivate shop 4711 --reference order-7
    """
    session, verb = cli_context_of(context), Operation.DEACTIVATE
    _set_status(session, verb, account, id, reference, order, wait, option, timeout=timeout)


def _set_status(
    session: CliContext,
    verb: Operation,
    account: str,
    id: str,
    reference: str,
    order: str | None,
    wait: int,
    option: list[str] | None,
    *,
    timeout: float | None,
    after_issue: bool = False,
    reveal: bool = False,
) -> None:
    def call(gateway: Gateway) -> Voucher:
        change = gateway.activate if verb is Operation.ACTIVATE else gateway.deactivate
        options = call_options(gateway, account, option, unless=Operation.ISSUE if after_issue else None)
        return change(account, id, reference=reference, order=order, wait=wait, options=options)

    run_changing_call(session, verb, account, reference, order, call, timeout=timeout, reveal=reveal)


def update(
    context: typer.Context,
    account: given.AccountName,
    id: given.VoucherId,
    reference: given.Reference,
    sku: given.Sku = None,
    batch: given.Batch = None,
    valid_until: Annotated[
        str | None,
        typer.Option(
            "--valid-until",
            metavar="MOMENT",
            help="The end of validity, such as 2026-12-31T23:59:59Z, or 'never' (ticketing only).",
        ),
    ] = None,
    order: given.Order = None,
    wait: given.Wait = 0,
    timeout: given.Timeout = None,
    option: given.CallOptions = None,
) -> None:
    """Change the data of a voucher, never its value.

    JTL changes the SKU (255 characters) and the batch (30), ticketing the end of validity.

    Examples:
        voucher-gateway update shop 4711 --batch spring --reference order-7
        voucher-gateway update events 12 --valid-until never --reference o-8
    """
    never = valid_until == _NEVER
    moment = None if never else parse_instant_option(valid_until, "--valid-until")
    changes = VoucherChanges(
        sku=KEEP if sku is None else sku,
        batch=KEEP if batch is None else batch,
        valid_until=moment if moment is not None or never else KEEP,
    )

    def call(gateway: Gateway) -> Voucher:
        options = call_options(gateway, account, option)
        return gateway.update(
            account,
            id,
            changes,
            reference=reference,
            order=order,
            wait=wait,
            options=options,
        )

    run_changing_call(cli_context_of(context), Operation.UPDATE, account, reference, order, call, timeout=timeout)


def top_up(
    context: typer.Context,
    account: given.AccountName,
    id: given.VoucherId,
    amount: given.Amount,
    currency: given.Currency,
    reference: given.Reference,
    order: given.Order = None,
    wait: given.Wait = 0,
    timeout: given.Timeout = None,
    option: given.CallOptions = None,
) -> None:
    """Add value to a voucher (JTL: recharge).

    JTL takes 0.01 to 99999.99. To undo a redemption use `refund`.

    Examples:
        voucher-gateway top-up shop 4711 12.50 EUR --reference order-9
    """
    money = parse_money(amount, currency)

    def call(gateway: Gateway) -> TopUp:
        options = call_options(gateway, account, option)
        return gateway.top_up(
            account,
            id,
            money,
            reference=reference,
            order=order,
            wait=wait,
            options=options,
        )

    run_changing_call(cli_context_of(context), Operation.TOP_UP, account, reference, order, call, timeout=timeout)


def delete(
    context: typer.Context,
    account: given.AccountName,
    id: given.VoucherId,
    reason: Annotated[
        str,
        typer.Option("--reason", metavar="TEXT", help="Why; JTL keeps it, 1 to 255 characters.", show_default=False),
    ],
    reference: given.Reference,
    order: given.Order = None,
    wait: given.Wait = 0,
    timeout: given.Timeout = None,
    option: given.CallOptions = None,
) -> None:
    """Delete a voucher permanently.

    JTL deletes only what is inactive and was never charged.

    Examples:
        voucher-gateway delete shop 4711 --reason misprint --reference order-7
    """

    def call(gateway: Gateway) -> Deletion:
        options = call_options(gateway, account, option)
        return gateway.delete(
            account,
            id,
            reason,
            reference=reference,
            order=order,
            wait=wait,
            options=options,
        )

    run_changing_call(cli_context_of(context), Operation.DELETE, account, reference, order, call, timeout=timeout)
