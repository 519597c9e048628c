"""Emulations that overwrite a voucher's value: redeem, refund and top up by update."""

from __future__ import annotations

from typing import Any, ClassVar

import attrs

from voucher_gateway.capabilities import Operation
from voucher_gateway.commands.command import Command
from voucher_gateway.commands.steps import StepRunner, overwrite_id
from voucher_gateway.commands.value import RedeemVoucher, RefundRedemption
from voucher_gateway.commands.vouchers import TopUpVoucher
from voucher_gateway.errors import (
    ConcurrentModification,
    CurrencyMismatch,
    InsufficientValue,
    IntegrityMismatch,
    InvalidRequest,
    OutcomeUnknown,
    VoucherExpired,
    VoucherGatewayError,
)
from voucher_gateway.models.results import Redemption, Refund, TopUp
from voucher_gateway.money import Money
from voucher_gateway.outcome import Intent
from voucher_gateway.provider.provider import VoucherProvider
from voucher_gateway.provider.readings import ValueReading


def redeem_by_update(command: RedeemVoucher, steps: StepRunner, provider: VoucherProvider) -> Redemption:
    """Redeem by overwriting the voucher's value with less. A PIN is checked as `VoucherProvider.find` checks it."""
    if command.pin is not None:
        provider.find(command.code, command.pin)
    voucher_id = provider.read_value(command.code).voucher_id
    movement = _overwrite(command, steps, provider, voucher_id, -command.money)
    return Redemption(**movement, money=command.money)


def refund_by_update(command: RefundRedemption, steps: StepRunner, provider: VoucherProvider) -> Refund:
    """Refund by overwriting the voucher's value with more: at most what the redemption took."""
    redemption = command.redemption
    if command.money > redemption.money:
        raise InvalidRequest(
            f"{command.money} is more than the {redemption.money} redeemed",
            field="money",
            rule="at most what was redeemed",
        )
    if redemption.voucher_id is None:
        raise InvalidRequest("the redemption names no voucher", field="redemption", rule="with a voucher_id")
    movement = _overwrite(command, steps, provider, redemption.voucher_id, command.money)
    return Refund(**movement, money=command.money, redemption_id=redemption.id)


def top_up_by_update(command: TopUpVoucher, steps: StepRunner, provider: VoucherProvider) -> TopUp:
    """Top up by overwriting the voucher's value with more."""
    movement = _overwrite(command, steps, provider, command.voucher_id, command.money)
    return TopUp(**movement, money=command.money)


@attrs.frozen(kw_only=True)
class OverwriteValue:
    """The step that overwrites a voucher's value.

    Attributes:
        operation: the verb that it stands for.
        order: the shop's order number.
        change: what is added; negative for what is taken.
        before: the value as it was read.
        after: the value as it must be read afterwards.
    """

    name: ClassVar[str] = "update"

    operation: Operation
    order: str | None
    change: Money
    before: ValueReading
    after: ValueReading

    def send(self, provider: VoucherProvider, reference: str) -> Intent:
        """Overwrite the value, and return the intent that was announced."""
        intent = provider.intent(
            self.operation,
            reference=reference,
            order=self.order,
            voucher_id=self.before.voucher_id,
            subject=self.before.voucher_id,
            money=self.change if self.change.amount > 0 else -self.change,
            value_before=str(self.before.value),
            value_after=str(self.after.value),
            remaining_before=str(self.before.remaining),
        )
        provider.write_value(self.before, self.after.value, intent=intent)
        return intent


def _overwrite(
    command: Command[Any], steps: StepRunner, provider: VoucherProvider, voucher_id: str, change: Money
) -> dict[str, Any]:
    """Change a value by reading, writing and reading again, under the voucher's lock.

    Returns:
        the fields of the movement that it makes: all of a result except the amount.

    Raises:
        Declined: if the voucher is expired, in another currency or holds too little. The vendor would not check that.
        ConcurrentModification: if the second reading shows anything except this one change.
        IntegrityMismatch: if the voucher that was found for the code shows another code. Nothing was sent then.
    """
    with steps.lock(provider.host, voucher_id):
        before = provider.read_value(id=voucher_id)
        _require_voucher(before, voucher_id, command, provider)
        _require_value(before, change, command, provider)
        expected = attrs.evolve(before, value=before.value + change, remaining=before.remaining + change)
        intent = steps.run(
            OverwriteValue(
                operation=command.operation, order=command.order, change=change, before=before, after=expected
            )
        )
        after = _read_back(provider, voucher_id, intent)
    if (after.value, after.remaining) != (expected.value, expected.remaining):
        raise ConcurrentModification(
            "the voucher was changed by another party at the same time; compare the readings and decide by hand",
            evidence={
                "value before": str(before.value),
                "value written": str(expected.value),
                "value after": str(after.value),
                "remaining before": str(before.remaining),
                "remaining after": str(after.remaining),
            },
            ticket=intent.ticket("the voucher changed at the same time"),
            account=provider.account,
            operation=command.operation.value,
        )
    return {
        "account": provider.account,
        "id": overwrite_id(intent),
        "voucher_id": voucher_id,
        "reference": intent.reference,
        "order": command.order,
        "remaining": after.remaining,
        "created_at": intent.sent_at,
    }


def _read_back(provider: VoucherProvider, voucher_id: str, intent: Intent) -> ValueReading:
    """Read the value again after it was written. If that fails, the outcome is unknown: the value was written."""
    try:
        return provider.read_value(id=voucher_id)
    except VoucherGatewayError as error:
        why = error.message
    except Exception as error:  # noqa: BLE001 - a provider's bug, after which the value is written all the same
        why = type(error).__name__  # not its text, which may quote the vendor
    reason = f"the value was written, but could not be read back: {why}"
    raise OutcomeUnknown(reason, ticket=intent.ticket(reason), account=provider.account, operation=intent.verb)


def _require_voucher(before: ValueReading, voucher_id: str, command: Command[Any], provider: VoucherProvider) -> None:
    if before.voucher_id != voucher_id:
        message = "the readings are of another voucher; nothing was sent"
    elif command.code is not None and before.code is not None and before.code != command.code:
        message = "the voucher that the vendor named for this code has another code; nothing was sent"
    else:
        return
    raise IntegrityMismatch(message, account=provider.account, operation=command.operation.value)


def _require_value(before: ValueReading, change: Money, command: Command[Any], provider: VoucherProvider) -> None:
    context: dict[str, Any] = {"account": provider.account, "operation": command.operation.value}
    if before.value.currency != change.currency:
        raise CurrencyMismatch(f"the voucher is in {before.value.currency}, not in {change.currency}", **context)
    if change.amount > 0:
        return
    if before.valid_until is not None and before.valid_until <= provider.vendor_now():
        raise VoucherExpired("the voucher's validity is over", **context)
    left = min(before.value, before.remaining)  # a value below zero is never written
    if left < -change:
        raise InsufficientValue(f"the voucher has {left} left, less than {-change}", **context)
