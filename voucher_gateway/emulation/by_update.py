"""Emulations that overwrite a voucher's value: redeem, refund and top up by update."""

from __future__ import annotations

from typing import Any

import attrs

from voucher_gateway.capabilities import Operation
from voucher_gateway.emulation.steps import StepRunner
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
from voucher_gateway.masking import Code, Pin
from voucher_gateway.models.results import Redemption, Refund, TopUp
from voucher_gateway.money import Money
from voucher_gateway.outcome import Intent
from voucher_gateway.provider import ValueReading, VoucherProvider


def redeem_by_update(
    steps: StepRunner, provider: VoucherProvider, code: Code, money: Money, pin: Pin | None, order: str | None
) -> Redemption:
    """Redeem by overwriting the voucher's value with less. A PIN is checked as `VoucherProvider.find` checks it."""
    if pin is not None:
        provider.find(code, pin)
    reading = provider.read_value(code)
    intent, after = _overwrite(steps, provider, Operation.REDEEM, reading.voucher_id, -money, order, code)
    return Redemption(
        account=provider.account,
        id=overwrite_id(intent),
        voucher_id=reading.voucher_id,
        money=money,
        reference=intent.reference,
        order=order,
        remaining=after.remaining,
        created_at=intent.sent_at,
    )


def refund_by_update(
    steps: StepRunner, provider: VoucherProvider, redemption: Redemption, money: Money | None, order: str | None
) -> Refund:
    """Give back by overwriting the voucher's value with more, at most what the redemption took."""
    back = redemption.money if money is None else money
    if back > redemption.money:
        raise InvalidRequest(
            f"{back} is more than the {redemption.money} redeemed", field="money", rule="at most what was redeemed"
        )
    voucher_id = _require_voucher_id(redemption)
    intent, after = _overwrite(steps, provider, Operation.REFUND, voucher_id, back, order)
    return Refund(
        account=provider.account,
        id=overwrite_id(intent),
        redemption_id=redemption.id,
        voucher_id=voucher_id,
        money=back,
        reference=intent.reference,
        order=order,
        remaining=after.remaining,
        created_at=intent.sent_at,
    )


def top_up_by_update(
    steps: StepRunner, provider: VoucherProvider, voucher_id: str, money: Money, order: str | None
) -> TopUp:
    """Top up by overwriting the voucher's value with more."""
    intent, after = _overwrite(steps, provider, Operation.TOP_UP, voucher_id, money, order)
    return TopUp(
        account=provider.account,
        id=overwrite_id(intent),
        voucher_id=voucher_id,
        money=money,
        reference=intent.reference,
        order=order,
        remaining=after.remaining,
        created_at=intent.sent_at,
    )


def _overwrite(
    steps: StepRunner,
    provider: VoucherProvider,
    verb: Operation,
    voucher_id: str,
    change: Money,
    order: str | None,
    code: Code | None = None,
) -> tuple[Intent, ValueReading]:
    """Change a value by reading, writing and reading again, under the voucher's lock.

    Raises:
        Declined: if the voucher is expired, of another currency or holds too little. The vendor would not check that.
        ConcurrentModification: if the second reading shows anything but this one change.
        IntegrityMismatch: if the voucher that was found for the code shows another code; nothing was sent then.
    """
    with steps.lock(provider.host, voucher_id):
        before = provider.read_value(id=voucher_id)
        if before.voucher_id != voucher_id:
            raise IntegrityMismatch(
                "the readings are of another voucher; nothing was sent", account=provider.account, operation=verb.value
            )
        if code is not None and before.code is not None and before.code != code:
            raise IntegrityMismatch(
                "the voucher that the vendor named for this code has another code; nothing was sent",
                account=provider.account,
                operation=verb.value,
            )
        _check(before, change, provider, verb)
        due = attrs.evolve(before, value=before.value + change, remaining=before.remaining + change)

        def send(reference: str) -> Intent:
            intent = provider.intent(
                verb,
                reference=reference,
                order=order,
                voucher_id=voucher_id,
                subject=voucher_id,
                money=change if change.amount > 0 else -change,
                value_before=str(before.value),
                value_after=str(due.value),
                remaining_before=str(before.remaining),
            )
            provider.write_value(before, due.value, intent=intent)
            return intent

        intent = steps.run("update", send)
        after = _read_back(provider, voucher_id, intent)
    if (after.value, after.remaining) != (due.value, due.remaining):
        raise ConcurrentModification(
            "somebody else changed the voucher at the same time; compare the readings and decide by hand",
            evidence={
                "value before": str(before.value),
                "value written": str(due.value),
                "value after": str(after.value),
                "remaining before": str(before.remaining),
                "remaining after": str(after.remaining),
            },
            ticket=intent.ticket("the voucher changed at the same time"),
            account=provider.account,
            operation=verb.value,
        )
    return intent, after


def _read_back(provider: VoucherProvider, voucher_id: str, intent: Intent) -> ValueReading:
    """Read the value again after it was written. If that fails, the caller must not believe that nothing happened."""
    try:
        return provider.read_value(id=voucher_id)
    except VoucherGatewayError as error:
        why = error.message
    except Exception as error:  # noqa: BLE001 - a provider's mistake, after which the value is written all the same
        why = type(error).__name__  # not its text, which may quote the vendor
    reason = f"the value was written, but could not be read back: {why}"
    raise OutcomeUnknown(reason, ticket=intent.ticket(reason), account=provider.account, operation=intent.verb)


def _check(before: ValueReading, change: Money, provider: VoucherProvider, verb: Operation) -> None:
    context: dict[str, Any] = {"account": provider.account, "operation": verb.value}
    if before.value.currency != change.currency:
        raise CurrencyMismatch(f"the voucher is in {before.value.currency}, not in {change.currency}", **context)
    if change.amount > 0:
        return
    if before.valid_until is not None and before.valid_until <= provider.vendor_now():
        raise VoucherExpired("the voucher's validity is over", **context)
    left = min(before.value, before.remaining)  # nothing below zero is ever written
    if left < -change:
        raise InsufficientValue(f"the voucher has {left} left, less than {-change}", **context)


def _require_voucher_id(redemption: Redemption) -> str:
    if redemption.voucher_id is None:
        raise InvalidRequest("the redemption names no voucher", field="redemption", rule="with a voucher_id")
    return redemption.voucher_id


def overwrite_id(intent: Intent) -> str:
    """Return the id of a movement that the vendor keeps no record of: it is named after its request."""
    return f"update:{intent.reference}"
