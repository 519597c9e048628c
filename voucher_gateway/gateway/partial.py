"""Redemptions at vendors that take what is left where a voucher holds less than the amount."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from voucher_gateway.capabilities import Operation, Support
from voucher_gateway.commands.command import run_natively
from voucher_gateway.commands.steps import StepRunner
from voucher_gateway.commands.value import RedeemVoucher
from voucher_gateway.errors import (
    AlreadyRefunded,
    InsufficientValue,
    OperationInProgress,
    OutcomeUnknown,
    PartlyRedeemed,
    UnsupportedOperation,
    VoucherGatewayError,
)
from voucher_gateway.gateway.account import Account
from voucher_gateway.models.requests import MAX_REFERENCE_LENGTH
from voucher_gateway.models.results import Redemption, Refund
from voucher_gateway.money import Money
from voucher_gateway.provider.provider import VoucherProvider


def takes_what_is_left(account: Account) -> bool:
    """Return whether a redemption of this account may take less than its amount."""
    capabilities = account.capabilities
    return capabilities.partial_approval and capabilities.of(Operation.REDEEM).support is Support.NATIVE


def require_partial_approval(account: Account) -> None:
    """Check that a redemption may take a part of its amount.

    Raises:
        UnsupportedOperation: if the vendor takes the whole amount or nothing.
    """
    if not takes_what_is_left(account):
        raise UnsupportedOperation(
            f"{account.provider.title} takes the whole amount or nothing: leave partial out, and redeem at most what"
            " `balance` shows",
            account=account.name,
            operation=Operation.REDEEM.value,
        )


def redeem_whole(command: RedeemVoucher, steps: StepRunner, provider: VoucherProvider) -> Redemption:
    """Redeem, unless the vendor shows that less than the amount is left. Then nothing is sent.

    Raises:
        InsufficientValue: if less is left.
    """
    remaining = _remaining(command, provider)
    if remaining is not None and remaining.currency == command.money.currency and remaining < command.money:
        raise InsufficientValue(
            f"the voucher has {remaining} left, less than {command.money}; nothing was sent",
            account=command.account,
            operation=command.operation.value,
        )
    return run_natively(command, steps, provider)


def _remaining(command: RedeemVoucher, provider: VoucherProvider) -> Money | None:
    """Return what is left on the voucher now; None if the vendor does not show it."""
    if provider.capabilities.of(Operation.BALANCE).support is Support.NATIVE:
        return provider.balance(command.code, command.pin).remaining
    return provider.find(command.code, command.pin).remaining


def return_part(redemption: Redemption, command: RedeemVoucher, refund: Callable[[str], Refund]) -> VoucherGatewayError:
    """Give back what was taken in place of the whole amount, and return the error of the call.

    The refund is a separate operation, under a reference made of that of the redemption. So a repeat of the
    redemption, in any process, goes on with it.

    Args:
        redemption: the redemption of the part.
        command: the redemption that was asked for.
        refund: refunds the redemption under a reference.
    """
    taken = redemption.money
    context: dict[str, Any] = {"account": command.account, "operation": command.operation.value}
    less = f"the vendor took {taken}, which was left, in place of {command.money}"
    if taken.amount <= 0:
        return InsufficientValue(f"nothing was left on the voucher, less than {command.money}", **context)
    try:
        refund(reference_of_return(command.reference))
    except AlreadyRefunded:
        pass  # it was given back before
    except VoucherGatewayError as error:
        is_open = isinstance(error, OutcomeUnknown | OperationInProgress)
        problem = "it is not known yet whether it was given back" if is_open else "it could not be given back"
        return PartlyRedeemed(
            f"{less}; {problem}: {error.message}",
            taken=str(taken),
            redemption_id=redemption.id,
            voucher_id=redemption.voucher_id,
            **context,
        )
    return InsufficientValue(f"{less}, and it was given back", **context)


def reference_of_return(reference: str) -> str:
    """Return the reference of the refund of a part that was taken under a reference."""
    name = f"{reference}/given-back"
    if len(name) <= MAX_REFERENCE_LENGTH:
        return name
    return f"{hashlib.sha256(reference.encode('utf-8', 'surrogatepass')).hexdigest()}/given-back"
