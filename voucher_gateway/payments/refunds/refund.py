"""The refund of a captured payment: its parts are committed, then each is given back.

A part that surely cannot be given back is recorded with the reason. If the caller asked for it, a new voucher is issued
instead. Everything else that fails leaves the refund open: the same call, `resume` and `recover` go on with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from voucher_gateway.capabilities import Operation
from voucher_gateway.errors import (
    AlreadyRefunded,
    Declined,
    PaymentConflict,
    ReferenceConflict,
    VoucherGatewayError,
)
from voucher_gateway.instants import now
from voucher_gateway.models.requests import require_name
from voucher_gateway.money import Money, positive
from voucher_gateway.payments.leg_calls import may_have_happened, require_usable
from voucher_gateway.payments.other_calls import NEEDS_MEANS, authorization_of, require_means
from voucher_gateway.payments.refunds.refund_store import commit_refund, insert_refund, read_refunds
from voucher_gateway.payments.refunds.refundable import refundable_by_leg
from voucher_gateway.payments.refunds.replacement import IMPOSSIBLE, impossible_reason, replace_parts, require_issue
from voucher_gateway.payments.rows.distribution import RefundShares, RefundStrategy, distribute
from voucher_gateway.payments.rows.records import PaymentLeg, sum_money
from voucher_gateway.payments.rows.references import (
    other_refund_key,
    payment_reference,
    refund_reference,
)
from voucher_gateway.payments.rows.refund_records import PaymentRefund, RefundPart, ReplacementRule, strategy_text
from voucher_gateway.payments.rows.states import OTHER, PartState, PaymentState, RefundState
from voucher_gateway.payments.work import PaymentWork, run_side_by_side
from voucher_gateway.process.loggers import get_logger

log: Final = get_logger("voucher_gateway.payments")


def refund_payment(
    work: PaymentWork,
    money: Money | None,
    *,
    reference: str,
    strategy: RefundStrategy | RefundShares,
    replace: ReplacementRule | None,
) -> PaymentRefund:
    """Give an amount of a captured payment back, or go on with that.

    Args:
        work: the work on the payment.
        money: how much; None for all that is left, or for the sum of a mapping.
        reference: the caller's name of the refund.
        strategy: which legs give it back.
        replace: where a new voucher is issued for a leg that cannot be given back; None for nowhere.

    Raises:
        PaymentConflict: if the payment is not captured.
        ReferenceConflict: if the reference stands for another refund of the payment.
        AmountOutOfRange, InvalidRequest: if less is left, or a mapping does not fit.
        AlreadyRefunded: if nothing is left.
        ConfigurationError: if the other means is inside the payment, and the caller did not give it.
        VoucherGatewayError: if a part is not given back yet, or if that is not known.
        Exception: if that is not known of the other means; the means' own error.
    """
    require_name(reference, "reference")
    refunds = read_refunds(work.store, work.record)
    refund = next((refund for refund in refunds if refund.reference == reference), None)
    if refund is not None:
        _require_same(refund, money, strategy, replace)
    else:
        refund = _begin(work, refunds, money, reference, strategy, replace)
    if refund.state is RefundState.OPEN:
        refund = _complete(work, refund)
    return refund


def continue_refunds(work: PaymentWork) -> None:
    """Go on with every refund of a payment that is not done.

    Raises:
        VoucherGatewayError: if a part is not given back yet, or if that is not known. The other refunds are continued.
        Exception: if that is not known of the other means; the means' own error.
    """
    failure: Exception | None = None
    for refund in read_refunds(work.store, work.record):
        if refund.state is RefundState.OPEN:
            try:
                _complete(work, refund)
            except Exception as error:  # noqa: BLE001 - raised below; the other means may raise anything
                failure = failure or error
    if failure is not None:
        raise failure


def _require_same(
    refund: PaymentRefund,
    money: Money | None,
    strategy: RefundStrategy | RefundShares,
    replace: ReplacementRule | None,
) -> None:
    if (refund.asked, refund.strategy, refund.replacement) != (money, strategy_text(strategy), replace):
        raise ReferenceConflict(
            f"the reference {refund.reference!r:.200} stands for another refund of this payment: expected the same"
            " amount, strategy and replacement, or a new reference"
        )


def _begin(
    work: PaymentWork,
    refunds: tuple[PaymentRefund, ...],
    money: Money | None,
    reference: str,
    strategy: RefundStrategy | RefundShares,
    replace: ReplacementRule | None,
) -> PaymentRefund:
    """Commit a refund with its parts. Nothing is given back yet."""
    record = work.record
    if record.state is not PaymentState.CAPTURED:
        raise PaymentConflict(f"the payment is {record.state}: only a captured payment can be refunded")
    if replace is not None:
        require_issue(work, replace)
    amount = None if money is None else positive(money, field="money")
    shares = distribute(amount, refundable_by_leg(work.verbs, record, refunds), strategy)
    if not shares:
        raise AlreadyRefunded("nothing of the payment is left to give back")
    if record.has_other and OTHER in shares:
        require_means(work)
    at = now()
    refund = PaymentRefund(
        number=record.refunds + 1,
        reference=reference,
        asked=money,
        amount=sum_money(shares.values(), record.total.currency),
        strategy=strategy_text(strategy),
        replacement=replace,
        created_at=at,
        updated_at=at,
        parts=tuple(
            RefundPart(leg=leg, amount=share, state=_first_state(leg, has_other=record.has_other))
            for leg, share in shares.items()
        ),
    )
    with work.transaction(refund=refund, refunds=refund.number) as connection:
        insert_refund(connection, record.id, refund)
    log.info("payment %s: refund %d of %s is recorded", record.id, refund.number, refund.amount)
    return refund


def _first_state(leg: int, *, has_other: bool) -> PartState:
    return PartState.TOLD if leg == OTHER and not has_other else PartState.PLANNED


# --- giving back ---


def _complete(work: PaymentWork, refund: PaymentRefund) -> PaymentRefund:
    """Give back what is not given back yet, and return the refund as it is then.

    Raises:
        Exception: the first reason why the refund stays open.
    """
    work.take()
    failures: list[Exception] = []
    _refund_legs(work, refund, failures)
    refund = _reload(work, refund)
    _refund_other(work, refund, failures)
    refund = _reload(work, refund)
    if refund.replacement is not None:
        replace_parts(work, refund, failures)
        refund = _reload(work, refund)
    if failures:
        raise failures[0]
    commit_refund(work, refund, {}, state=RefundState.DONE, attention=_attention_of_others(work, refund))
    log.info("payment %s: refund %d is done", work.record.id, refund.number)
    return _reload(work, refund)


def _refund_legs(work: PaymentWork, refund: PaymentRefund, failures: list[Exception]) -> None:
    amounts = {part.leg: part.amount for part in refund.parts if part.leg != OTHER and part.state is PartState.PLANNED}
    legs = [work.record.leg(number) for number in amounts]
    results = run_side_by_side(legs, partial(_refund_leg, work, refund.reference, amounts))
    changes: dict[int, dict[str, Any]] = {}
    sentences = []
    for number, error in results.items():
        if error is None:
            changes[number] = _success_change()
        elif isinstance(error, IMPOSSIBLE) and not _may_have_refunded(work, refund, number):
            changes[number] = _impossible_change(error)
        else:
            failures.append(error)
            sentences.append(f"refund {refund.reference!r:.200}: leg {number}: {type(error).__name__}: {error.message}")
    if results:
        commit_refund(work, refund, changes, attention="; ".join(sentences) or work.record.attention)


def _refund_leg(work: PaymentWork, refund: str, amounts: Mapping[int, Money], leg: PaymentLeg) -> None:
    """Give an amount of a leg back.

    Raises:
        VoucherGatewayError: if it is not given back, or if that is not known.
    """
    reference = refund_reference(work.record.id, refund, leg.number)
    if not may_have_happened(work, leg.account, Operation.REFUND, reference):
        require_usable(work, leg)
    redemption = work.verbs.redemption(leg.account, payment_reference(work.record.id, leg.number, leg.generation))
    work.verbs.refund(leg.account, redemption, amounts[leg.number], reference=reference, order=work.record.order)


def _may_have_refunded(work: PaymentWork, refund: PaymentRefund, leg: int) -> bool:
    reference = refund_reference(work.record.id, refund.reference, leg)
    return may_have_happened(work, work.record.leg(leg).account, Operation.REFUND, reference)


def _refund_other(work: PaymentWork, refund: PaymentRefund, failures: list[Exception]) -> None:
    for part in refund.parts:
        if part.leg != OTHER or part.state is not PartState.PLANNED:
            continue
        try:
            _call_other(work, part.amount, refund.reference)
        except Declined as error:
            commit_refund(work, refund, {OTHER: _impossible_change(error)})
        except Exception as error:  # noqa: BLE001 - raised later; the other means may raise anything
            sentence = f"refund {refund.reference!r:.200}: the other means: {type(error).__name__}: call it again"
            work.commit(attention=NEEDS_MEANS if work.other is None else sentence)
            failures.append(error)
        else:
            commit_refund(work, refund, {OTHER: _success_change()})


def _call_other(work: PaymentWork, amount: Money, refund: str) -> None:
    """Give an amount back at the other means, under a key that never changes.

    Raises:
        Declined, NotExecuted: if it is surely not given back.
        Exception: if that is not known; the means' own error.
    """
    means = require_means(work)
    key = other_refund_key(work.record.id, work.record.other_generation, refund)
    work.confirm()
    means.refund(amount, key, authorization_of(work))


# --- rows ---


def _success_change() -> dict[str, Any]:
    return {"state": PartState.REFUNDED.value}


def _impossible_change(error: VoucherGatewayError) -> dict[str, Any]:
    return {"state": PartState.NOT_POSSIBLE.value, "reason": impossible_reason(error)}


def _reload(work: PaymentWork, refund: PaymentRefund) -> PaymentRefund:
    return next(each for each in read_refunds(work.store, work.record) if each.number == refund.number)


def _attention_of_others(work: PaymentWork, refund: PaymentRefund) -> str | None:
    """Return the payment's attention when a refund is done: None, if no other refund is open."""
    others = (each for each in read_refunds(work.store, work.record) if each.number != refund.number)
    return work.record.attention if any(each.state is RefundState.OPEN for each in others) else None
