"""Commands about the payments of orders: list and show them, and complete, cancel or refund one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from voucher_gateway.cli import options as given
from voucher_gateway.cli.arguments import parse_money, parse_period
from voucher_gateway.cli.commands.journal.operations import OPERATION_COLUMNS, operation_fields
from voucher_gateway.cli.context import CliContext, cli_context_of
from voucher_gateway.cli.lookup_hints import print_hints
from voucher_gateway.cli.payment_output import (
    PAYMENT_COLUMNS,
    operations_of,
    other_sentence,
    payment_code,
    payment_fields,
    print_payment,
    print_refund,
    print_refunds,
    refund_code,
)
from voucher_gateway.cli.record_lists import print_records
from voucher_gateway.cli.tables import print_rows
from voucher_gateway.errors import InvalidRequest
from voucher_gateway.money import Money
from voucher_gateway.payments.rows.distribution import RefundShares, RefundStrategy
from voucher_gateway.payments.rows.refund_records import ReplacementRule
from voucher_gateway.payments.rows.states import PaymentState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from voucher_gateway.gateway.gateway import Gateway
    from voucher_gateway.payments.payment import Payment

OrderNumber = Annotated[str, typer.Argument(metavar="ORDER", help="The shop's order number.", show_default=False)]
Attempt = Annotated[
    int | None, typer.Option("--attempt", metavar="N", min=1, help="Which payment of the order; the latest by default.")
]
ReplaceAt = Annotated[
    str | None,
    typer.Option(
        "--replace-at",
        metavar="ACCOUNT",
        help="Issue a new voucher at this account for a leg that cannot be given back.",
    ),
]


def list_payments(
    context: typer.Context,
    state: Annotated[
        list[PaymentState] | None, typer.Option("--state", help="Only payments in this state; may be repeated.")
    ] = None,
    order: given.OrderFilter = None,
    attention: Annotated[
        bool | None,
        typer.Option(
            "--attention/--no-attention",
            help="Only those that wait for a person or a look-up, or only the others.",
            show_default=False,
        ),
    ] = None,
    voucher: Annotated[
        str | None, typer.Option("--voucher", metavar="ID", help="Only with the voucher with this id.")
    ] = None,
    reference: Annotated[
        str | None, typer.Option("--reference", metavar="REFERENCE", help="Only with a refund under this reference.")
    ] = None,
    since: given.Since = None,
    until: given.Until = None,
    limit: given.Newest = None,
) -> None:
    """List the payments of orders, the newest first.

    It shows what each order costs, what is captured, what other means must pay, and why one needs attention. Nothing is
    sent.

    Examples:
        voucher-gateway payments list --attention
        voucher-gateway payments list --state capturing --state cancelling
    """
    session = cli_context_of(context)
    begin, end = parse_period(since, until)
    with session.gateway() as gateway:
        records = gateway.payments(
            states=state or (),
            order=order,
            needs_attention=attention,
            voucher=voucher,
            reference=reference,
            since=begin,
            until=end,
            limit=limit,
        )
        print_records(session.output, records, PAYMENT_COLUMNS, payment_fields)


def show_payment(context: typer.Context, order: OrderNumber, attempt: Attempt = None) -> None:
    """Show the payment of an order: its legs, its refunds and its operations.

    Of an operation in doubt it says what to look for at the vendor. Nothing is sent. Codes are masked.

    Examples:
        voucher-gateway payments show 1001
    """
    session = cli_context_of(context)
    output = session.output
    with session.gateway() as gateway:
        payment = _find(gateway, order, attempt)
        operations = operations_of(gateway, payment.record)
        doubtful = [operation for operation in operations if operation.state.is_unresolved]
        hints = [hint for operation in doubtful for hint in gateway.lookup_hints(operation.key)]
        refunds = payment.refunds
    if output.as_json:
        fields = payment_fields(payment.record) | {"refunds": refunds, "look_for": hints}
        output.object(fields | {"operations": [operation_fields(operation) for operation in operations]})
        return
    print_payment(output, payment.record)
    if refunds:
        output.show("")
        print_refunds(output, refunds)
    if operations:
        output.show("")
        print_rows(output, operations, OPERATION_COLUMNS)
    print_hints(output, hints)


def resume(
    context: typer.Context,
    order: OrderNumber,
    attempt: Attempt = None,
    wait: given.Wait = 0,
    timeout: given.Timeout = None,
) -> None:
    """Continue what was begun with a payment: an authorization, a capture, a cancellation or a refund.

    It makes no decision. Exit code 0 if nothing is left to do, 1 if the payment is short, 3 if it has to be resumed
    later, 4 if the outcome of an operation is not known.

    Examples:
        voucher-gateway payments resume 1001
    """
    session = cli_context_of(context)
    with session.gateway() as gateway:
        payment = _find(gateway, order, attempt, wait)
        with session.changing(f"the payment of order {order}", _remedy(order)):
            payment.resume(timeout=timeout)
            _print_result(session, payment)
        code = payment_code(gateway, payment.record)
    raise typer.Exit(code)


def cancel(
    context: typer.Context,
    order: OrderNumber,
    accept_loss: Annotated[
        bool, typer.Option("--accept-loss", help="End it although a leg surely cannot be given back.")
    ] = False,
    replace_at: ReplaceAt = None,
    attempt: Attempt = None,
    wait: given.Wait = 0,
    timeout: given.Timeout = None,
) -> None:
    """Cancel a payment: release what is held, and give back what was taken.

    It prints what came back, and when reserved value is free again. Exit code 0 if all is done, 3 if something is left
    to do, which `recover` does, 4 if the outcome of an operation is not known. The decision is kept in each case.

    Examples:
        voucher-gateway payments cancel 1001
    """
    session = cli_context_of(context)
    with session.gateway() as gateway:
        payment = _find(gateway, order, attempt, wait)
        with session.changing(f"the cancellation of the payment of order {order}", _remedy(order)):
            rule = None if replace_at is None else ReplacementRule(account=gateway.account(replace_at).name)
            cancellation = payment.cancel(accept_loss=accept_loss, replace=rule, timeout=timeout)
            if session.output.as_json:
                session.output.object(payment_fields(payment.record) | {"cancellation": cancellation})
            else:
                print_payment(session.output, payment.record)
            session.output.flush()
        code = payment_code(gateway, payment.record)
    if sentence := other_sentence(payment.record):
        session.output.note(sentence)
    raise typer.Exit(code)


def refund(
    context: typer.Context,
    order: OrderNumber,
    reference: Annotated[
        str,
        typer.Option("--reference", metavar="REFERENCE", help="Your own name for this one refund.", show_default=False),
    ],
    amount: Annotated[
        str | None,
        typer.Option("--amount", metavar="AMOUNT", help="In the currency of the payment; all that is left by default."),
    ] = None,
    strategy: Annotated[
        Literal["proportional", "vouchers-first", "other-first"],
        typer.Option("--strategy", help="Which legs give it back."),
    ] = "proportional",
    share: Annotated[
        list[str] | None,
        typer.Option(
            "--share",
            metavar="LEG=AMOUNT",
            help="Instead of a strategy, what one leg gives back, by its number, or `other`; may be repeated.",
        ),
    ] = None,
    replace_at: ReplaceAt = None,
    attempt: Attempt = None,
    wait: given.Wait = 0,
    timeout: given.Timeout = None,
) -> None:
    """Give an amount of a captured payment back, or go on with that.

    It prints what each leg gives back. Exit code 0 if all is done, 1 if a part cannot be given back, 3 or 4 if
    something is left to do: then give the same command again.

    Examples:
        voucher-gateway payments refund 1001 --amount 20.00 --reference return-1
        voucher-gateway payments refund 1001 --share 1=5.00 --share other=15.00
            --reference return-2
    """
    session = cli_context_of(context)
    with session.gateway() as gateway:
        payment = _find(gateway, order, attempt, wait)
        currency = payment.total.currency
        money = None if amount is None else parse_money(amount, currency)
        shares = None if not share else _parse_shares(share, currency)
        rule = None if replace_at is None else ReplacementRule(account=gateway.account(replace_at).name)
        with session.changing(f"the refund {reference} of the payment of order {order}", _remedy(order)):
            refunded = payment.refund(
                money,
                reference=reference,
                strategy=shares or RefundStrategy(strategy),
                replace=rule,
                timeout=timeout,
            )
            if session.output.as_json:
                session.output.object({"order": order, "attempt": payment.attempt, "refund": refunded})
            else:
                print_refund(session.output, refunded, payment.record)
            session.output.flush()
    raise typer.Exit(refund_code(refunded))


def _find(gateway: Gateway, order: str, attempt: int | None, wait: int = 0) -> Payment:
    payment = gateway.find_payment(order, attempt=attempt, wait=wait)
    if payment is None:
        error = InvalidRequest("the order has no such payment", field="ORDER", rule="of an order with a payment")
        error.add_note("`voucher-gateway payments list` shows the payments.")
        raise error
    return payment


def _print_result(session: CliContext, payment: Payment) -> None:
    if session.output.as_json:
        session.output.object(payment_fields(payment.record))
    else:
        print_payment(session.output, payment.record)
    session.output.flush()


def _remedy(order: str) -> str:
    return f"The journal knows it: voucher-gateway payments show {order}"


def _parse_shares(texts: Sequence[str], currency: str) -> RefundShares:
    """Return what each leg gives back, from LEG=AMOUNT."""
    shares: dict[int | Literal["other"], Money] = {}
    rule = "LEG=AMOUNT, each leg once, such as 1=5.00 or other=15.00"
    for text in texts:
        name, equals, amount = text.partition("=")
        is_number = name.isascii() and name.isdigit()
        if not equals or not (is_number or name == "other"):
            raise InvalidRequest(f"--share must be {rule}", field="--share", rule=rule)
        leg: int | Literal["other"] = int(name) if is_number else "other"
        if leg in shares:
            raise InvalidRequest(f"--share must be {rule}", field="--share", rule=rule)
        shares[leg] = parse_money(amount, currency)
    return shares
