"""Commands that spend vouchers and give value back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from voucher_gateway.capabilities import Operation
from voucher_gateway.cli import options as given
from voucher_gateway.cli.arguments import parse_money, parse_pin, require_code
from voucher_gateway.cli.changing_call import call_options, run_changing_call
from voucher_gateway.cli.context import cli_context_of
from voucher_gateway.cli.prior_operation import PriorOperation
from voucher_gateway.commands.value import IfHeld
from voucher_gateway.errors import InvalidRequest

if TYPE_CHECKING:
    from voucher_gateway.gateway.gateway import Gateway
    from voucher_gateway.models.results import Redemption, Refund, Release, Reservation

_ReservationReference = Annotated[
    str | None,
    typer.Option(
        "--reservation",
        metavar="REFERENCE",
        help="The reference under which it was reserved; the journal knows the rest.",
    ),
]
_ReservationId = Annotated[
    str | None,
    typer.Option("--reservation-id", metavar="ID", help="Or, without a journal, the vendor's id, from `reserve`."),
]
_Reserved = Annotated[
    str | None,
    typer.Option("--reserved", metavar="AMOUNT", help="What was reserved, if --amount is only a part of it."),
]
_RedemptionReference = Annotated[
    str | None,
    typer.Option(
        "--redemption",
        metavar="REFERENCE",
        help="The reference under which it was redeemed or captured; the journal knows the rest.",
    ),
]
_RedemptionId = Annotated[
    str | None,
    typer.Option(
        "--redemption-id",
        metavar="ID",
        help="Or, without a journal, the vendor's id, from `redeem`, `capture` or `history`.",
    ),
]
_RefundedAmount = Annotated[
    str | None,
    typer.Option(
        "--amount", metavar="AMOUNT", help="In major units with a point, such as 10.53; what is left by default."
    ),
]
_ForeignRedemptionId = Annotated[
    str | None,
    typer.Option(
        "--redemption-id",
        metavar="ID",
        help="Or, for a redemption that the journal does not have, the vendor's id, from `history`.",
    ),
]
_RedeemedAmount = Annotated[
    str | None,
    typer.Option(
        "--amount",
        metavar="AMOUNT",
        help="What was redeemed, in major units with a point, such as 10.53; only beside --redemption-id.",
    ),
]
_ReservedUntil = Annotated[
    str | None,
    typer.Option(
        "--reserved-until", metavar="MOMENT", help="When the reservation lapses, such as 2026-12-31T23:59:59Z."
    ),
]


def reserve(
    context: typer.Context,
    account: given.AccountName,
    code: given.CodeText,
    amount: given.Amount,
    currency: given.Currency,
    reference: given.Reference,
    code_file: given.CodeFile = None,
    pin: given.PinText = None,
    pin_file: given.PinFile = None,
    order: given.Order = None,
    if_held: given.IfHeld = None,
    wait: given.Wait = 0,
    timeout: given.Timeout = None,
    option: given.CallOptions = None,
) -> None:
    """Reserve value, to be captured or released later (loosely: a hold).

    At JTL a reservation lasts 30 minutes, and any later one of the same voucher ends it; --if-held says what to do
    then. The amount is above zero.

    Examples:
        voucher-gateway reserve shop - 30.00 EUR --reference 1001-a < code.txt
    """
    voucher_code, voucher_pin = require_code(code, code_file), parse_pin(pin, pin_file)
    money = parse_money(amount, currency)

    def call(gateway: Gateway) -> Reservation:
        held = _if_held(gateway, if_held)
        options = call_options(gateway, account, option)
        return gateway.reserve(
            account,
            voucher_code,
            money,
            voucher_pin,
            reference=reference,
            order=order,
            wait=wait,
            options=options,
            if_held=held,
        )

    run_changing_call(cli_context_of(context), Operation.RESERVE, account, reference, order, call, timeout=timeout)


def capture(
    context: typer.Context,
    account: given.AccountName,
    reference: given.Reference,
    reservation: _ReservationReference = None,
    reservation_id: _ReservationId = None,
    amount: given.AmountOption = None,
    currency: given.CurrencyOption = None,
    reserved: _Reserved = None,
    voucher_id: given.VoucherOption = None,
    reserved_until: _ReservedUntil = None,
    order: given.Order = None,
    wait: given.Wait = 0,
    timeout: given.Timeout = None,
    option: given.CallOptions = None,
) -> None:
    """Take the value that was reserved (JTL: charge).

    JTL captures a reservation whole, within its 30 minutes. --amount is above zero; beside --reservation-id it is
    required, and is what `reserve` set aside. The order is that of the reservation unless --order gives another.

    Examples:
        voucher-gateway capture shop --reservation 1001-a --reference 1001-c
    """
    prior = PriorOperation(
        word="reservation",
        reference=reservation,
        id=reservation_id,
        amount=amount,
        currency=currency,
        whole=("--reserved", reserved),
        voucher_id=voucher_id,
        until=reserved_until,
        order=order,
    )

    def call(gateway: Gateway) -> Redemption:
        held = prior.reservation(gateway, account)
        options = call_options(gateway, account, option)
        return gateway.capture(
            account,
            held,
            prior.part(held.money),
            reference=reference,
            order=order or held.order,
            wait=wait,
            options=options,
        )

    run_changing_call(cli_context_of(context), Operation.CAPTURE, account, reference, order, call, timeout=timeout)


def release(
    context: typer.Context,
    account: given.AccountName,
    reference: given.Reference,
    reservation: _ReservationReference = None,
    reservation_id: _ReservationId = None,
    amount: given.AmountOption = None,
    currency: given.CurrencyOption = None,
    voucher_id: given.VoucherOption = None,
    reserved_until: _ReservedUntil = None,
    order: given.Order = None,
    wait: given.Wait = 0,
    timeout: given.Timeout = None,
    option: given.CallOptions = None,
) -> None:
    """Give a reservation up.

    JTL has no call for that: the result then says `freed: no`, and when the value is free (beside --reservation-id
    only if --reserved-until is given), at most 30 minutes after it was reserved. With a journal no later capture of
    it is sent. --amount, beside --reservation-id, is what was reserved.

    Examples:
        voucher-gateway release shop --reservation 1001-a --reference 1001-r
    """
    if reservation is not None and amount is not None:
        rule = "only beside --reservation-id"
        raise InvalidRequest("a reservation is given up as a whole: leave --amount away", field="--amount", rule=rule)
    prior = PriorOperation(
        word="reservation",
        reference=reservation,
        id=reservation_id,
        amount=amount,
        currency=currency,
        voucher_id=voucher_id,
        until=reserved_until,
        order=order,
    )

    def call(gateway: Gateway) -> Release:
        held = prior.reservation(gateway, account)
        options = call_options(gateway, account, option)
        return gateway.release(
            account,
            held,
            reference=reference,
            order=order or held.order,
            wait=wait,
            options=options,
        )

    run_changing_call(cli_context_of(context), Operation.RELEASE, account, reference, order, call, timeout=timeout)


def redeem(
    context: typer.Context,
    account: given.AccountName,
    code: given.CodeText,
    amount: given.Amount,
    currency: given.Currency,
    reference: given.Reference,
    code_file: given.CodeFile = None,
    pin: given.PinText = None,
    pin_file: given.PinFile = None,
    order: given.Order = None,
    if_held: given.IfHeld = None,
    partial: Annotated[
        bool,
        typer.Option(
            "--partial",
            help="Accept less than the amount, where the vendor takes what is left. Without it such a part is given"
            " back.",
        ),
    ] = False,
    wait: given.Wait = 0,
    timeout: given.Timeout = None,
    option: given.CallOptions = None,
) -> None:
    """Take value in one step.

    The amount is above zero, in major units, and not more than what is left. At JTL the gateway makes it of a
    reservation and its capture; at ticketing only an account that accepts the risk `redeem-by-update` can do it.

    Examples:
        voucher-gateway redeem shop - 10.53 EUR --reference 1002-a < code.txt
    """
    voucher_code, voucher_pin = require_code(code, code_file), parse_pin(pin, pin_file)
    money = parse_money(amount, currency)

    def call(gateway: Gateway) -> Redemption:
        held = _if_held(gateway, if_held)
        options = call_options(gateway, account, option)
        return gateway.redeem(
            account,
            voucher_code,
            money,
            voucher_pin,
            reference=reference,
            order=order,
            wait=wait,
            options=options,
            if_held=held,
            partial=partial,
        )

    run_changing_call(cli_context_of(context), Operation.REDEEM, account, reference, order, call, timeout=timeout)


def refund(
    context: typer.Context,
    account: given.AccountName,
    reference: given.Reference,
    redemption: _RedemptionReference = None,
    redemption_id: _RedemptionId = None,
    amount: _RefundedAmount = None,
    currency: given.CurrencyOption = None,
    redeemed: Annotated[
        str | None,
        typer.Option("--redeemed", metavar="AMOUNT", help="What was redeemed, if --amount is only a part of it."),
    ] = None,
    voucher_id: given.VoucherOption = None,
    order: given.Order = None,
    wait: given.Wait = 0,
    timeout: given.Timeout = None,
    option: given.CallOptions = None,
) -> None:
    """Give a redemption back, all of it or a part.

    --amount is what goes back, from 0.01 at JTL; without it, what is left to give back. Several refunds give back no
    more than was redeemed; without a journal only the vendor can enforce that. The order is that of the redemption
    unless --order gives another.

    Examples:
        voucher-gateway refund shop --redemption 1002-a --reference 1002-r
        voucher-gateway refund shop --redemption 1002-a --amount 5 --reference r
    """
    prior = PriorOperation(
        word="redemption",
        reference=redemption,
        id=redemption_id,
        amount=amount,
        currency=currency,
        whole=("--redeemed", redeemed),
        voucher_id=voucher_id,
        order=order,
    )

    def call(gateway: Gateway) -> Refund:
        original = prior.redemption(gateway, account)
        money = None if amount is None else parse_money(amount, currency or original.money.currency)
        options = call_options(gateway, account, option)
        return gateway.refund(
            account,
            original,
            money,
            reference=reference,
            order=order or original.order,
            wait=wait,
            options=options,
        )

    run_changing_call(cli_context_of(context), Operation.REFUND, account, reference, order, call, timeout=timeout)


def refundable(
    context: typer.Context,
    account: given.AccountName,
    redemption: _RedemptionReference = None,
    redemption_id: _ForeignRedemptionId = None,
    amount: _RedeemedAmount = None,
    currency: given.CurrencyOption = None,
    voucher_id: given.VoucherOption = None,
) -> None:
    """Show how much of a redemption is left to give back.

    It is read from the journal, which is required; nothing is sent. Refunds whose outcome is not known count as given
    back.

    Examples:
        voucher-gateway refundable shop --redemption 1002-a
    """
    if redemption is not None and amount is not None:
        rule = "only beside --redemption-id"
        raise InvalidRequest("the journal knows what was redeemed: leave --amount away", field="--amount", rule=rule)
    prior = PriorOperation(
        word="redemption",
        reference=redemption,
        id=redemption_id,
        amount=amount,
        currency=currency,
        voucher_id=voucher_id,
    )
    session = cli_context_of(context)
    with session.gateway(account) as gateway:
        original = prior.redemption(gateway, account)
        left = gateway.refundable(original)
    if session.output.as_json:
        session.output.object(
            {
                "account": account,
                "redemption_id": original.id,
                "redeemed": original.money,
                "refundable": left,
            }
        )
    else:
        session.output.show(f"{account}: {left} of {original.money} are left to give back")


def _if_held(gateway: Gateway, given: IfHeld | None) -> IfHeld:
    """Return what to do about reservations that this one would end.

    Raises:
        InvalidRequest: if it was asked for without a journal, which alone knows of others.
    """
    if given is not None and gateway.journal is None:
        rule = "a journal in the configuration"
        raise InvalidRequest(f"--if-held needs {rule}, which has none", field="--if-held", rule=rule)
    return given or "replace-own"
