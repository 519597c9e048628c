"""What each leg of a payment, and its other means, can still give back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from voucher_gateway.capabilities import Operation
from voucher_gateway.money import Money
from voucher_gateway.payments.refunds.replacement import is_replaceable
from voucher_gateway.payments.rows.records import PaymentLeg, PaymentRecord, sum_money
from voucher_gateway.payments.rows.references import payment_reference, refund_reference
from voucher_gateway.payments.rows.refund_records import PaymentRefund, RefundPart
from voucher_gateway.payments.rows.states import OTHER, OtherState, PartState, RefundState
from voucher_gateway.payments.verbs import VoucherVerbs

_TAKEN: Final = (OtherState.CAPTURED, OtherState.RETURNING)


def refundable_by_leg(verbs: VoucherVerbs, record: PaymentRecord, refunds: Iterable[PaymentRefund]) -> dict[int, Money]:
    """Return what each leg that was taken can still give back, by its number; 0 is the other means.

    What the journal does not know of a leg counts as given back, too: a part of a refund that is committed and not sent
    yet, and a replacement voucher.

    Args:
        verbs: the gateway.
        record: the payment.
        refunds: its refunds.
    """
    refunds = tuple(refunds)
    left = {
        leg.number: _of_leg(verbs, record, leg, refunds) for leg in record.legs if leg.taken is not None and leg.taken
    }
    return {OTHER: _of_other(record, refunds), **left}


def _of_leg(verbs: VoucherVerbs, record: PaymentRecord, leg: PaymentLeg, refunds: Iterable[PaymentRefund]) -> Money:
    redemption = verbs.redemption(leg.account, payment_reference(record.id, leg.number, leg.generation))
    used = sum_money(
        (
            part.amount
            for refund in refunds
            for part in refund.parts
            if part.leg == leg.number and _counts_beside_journal(verbs, record, leg, refund, part)
        ),
        record.total.currency,
    )
    return _at_least_zero(verbs.refundable(redemption) - used)


def _counts_beside_journal(
    verbs: VoucherVerbs, record: PaymentRecord, leg: PaymentLeg, refund: PaymentRefund, part: RefundPart
) -> bool:
    if part.state is PartState.REPLACED:
        return True
    if part.state is PartState.NOT_POSSIBLE:  # its replacement may have been issued
        return refund.state is RefundState.OPEN and refund.replacement is not None and is_replaceable(part)
    if part.state is not PartState.PLANNED:
        return False
    reference = refund_reference(record.id, refund.reference, leg.number)
    operation = verbs.operation(leg.account, Operation.REFUND, reference)
    return operation is None or not operation.state.may_have_happened


def _of_other(record: PaymentRecord, refunds: Iterable[PaymentRefund]) -> Money:
    currency = record.total.currency
    taken = record.total - sum_money((leg.taken for leg in record.legs if leg.taken is not None), currency)
    if record.has_other:
        taken = (record.other_state in _TAKEN and record.other_amount) or Money.zero(currency)
    used = (
        part.amount
        for refund in refunds
        for part in refund.parts
        if part.leg == OTHER and part.state is not PartState.NOT_POSSIBLE
    )
    return _at_least_zero(taken - sum_money(used, currency))


def _at_least_zero(money: Money) -> Money:
    return money if money.amount > 0 else Money.zero(money.currency)
