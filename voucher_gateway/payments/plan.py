"""Which vouchers are in a payment, and how much each of them pays. Nothing moves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs

from voucher_gateway.errors import InvalidRequest, PaymentConflict
from voucher_gateway.masking import Code, Pin
from voucher_gateway.money import Money, positive
from voucher_gateway.payments.allocation import AllocationOrder, Offer, allocate
from voucher_gateway.payments.authorization import is_authorization_begun, reset_authorization
from voucher_gateway.payments.offers import LegCandidate
from voucher_gateway.payments.rows.codes import seal_leg
from voucher_gateway.payments.rows.records import PaymentLeg, PaymentRecord
from voucher_gateway.payments.rows.states import LegState, PaymentState
from voucher_gateway.payments.work import AddedLeg, PaymentWork


def check_limit(limit: Money | None, record: PaymentRecord) -> None:
    """Check the most that a caller allows for a voucher.

    Raises:
        InvalidRequest: if it is not above zero, or in another currency than the payment.
    """
    if limit is None:
        return
    if positive(limit, field="limit").currency != record.total.currency:
        raise InvalidRequest(
            f"limit is in {limit.currency}, the payment in {record.total.currency}",
            field="limit",
            rule="in the currency of the payment",
        )


def require_open(record: PaymentRecord) -> None:
    """Check that vouchers can be added to a payment and removed from it.

    Raises:
        PaymentConflict: if its state does not allow that.
    """
    if record.state is not PaymentState.OPEN:
        advice = "call reopen() first" if record.state is PaymentState.AUTHORIZED else "it is decided or over"
        raise PaymentConflict(f"the payment is {record.state}, so its vouchers cannot be changed: {advice}")


def add_leg(work: PaymentWork, candidate: LegCandidate, pin: Pin | None, limit: Money | None) -> PaymentLeg:
    """Add a voucher, and allocate the total again. A voucher that is a leg already gets what was found of it now.

    Raises:
        PaymentConflict: if the state of the payment does not allow it.
    """
    _reopen_if_begun(work)
    legs = _legs_in_payment(work.record)
    zero = Money.zero(work.record.total.currency)
    known = {(leg.account, leg.voucher_id): leg for leg in legs}.get((candidate.account, candidate.voucher_id))
    number = known.number if known is not None else max((leg.number for leg in work.record.legs), default=0) + 1
    leg = PaymentLeg(
        number=number,
        account=candidate.account,
        voucher_id=candidate.voucher_id,
        hint=str(candidate.code),
        limit=limit if limit is not None or known is None else known.limit,
        remaining=candidate.remaining,
        valid_until=candidate.valid_until,
        holdable=candidate.holdable,
        amount=zero,
        generation=1 if known is None else known.generation,
    )
    others = [other for other in legs if other.number != number]
    amounts = _allocate_amounts(work, sorted([*others, leg], key=lambda each: each.number))
    _write(work, amounts, leg, candidate.code, pin, is_new=known is None)
    return work.record.leg(number)


def remove_leg(work: PaymentWork, number: int) -> None:
    """Remove a voucher, and allocate the total again.

    Raises:
        InvalidRequest: if the payment has no such leg.
        PaymentConflict: if the state of the payment does not allow it.
    """
    _reopen_if_begun(work)
    legs = _legs_in_payment(work.record)
    removed = next((leg for leg in legs if leg.number == number), None)
    if removed is None:
        raise InvalidRequest(f"the payment has no leg {number}", field="leg", rule="the number of a leg")
    amounts = _allocate_amounts(work, [leg for leg in legs if leg.number != number])
    changes: dict[int, dict[str, Any]] = {leg: {"amount": amount} for leg, amount in amounts.items()}
    if removed.generation > 1:  # its references were used, so its number stays taken
        changes[number] = {"state": LegState.REMOVED, "amount": Money.zero(work.record.total.currency)}
        work.commit(changes)
    else:
        work.commit(changes, deleted=number)


def _reopen_if_begun(work: PaymentWork) -> None:
    require_open(work.record)
    if is_authorization_begun(work):
        reset_authorization(work)


def _legs_in_payment(record: PaymentRecord) -> list[PaymentLeg]:
    return [leg for leg in record.legs if leg.state is not LegState.REMOVED]


def _allocate_amounts(work: PaymentWork, legs: Sequence[PaymentLeg]) -> dict[int, Money]:
    """Return what each leg pays of the total, by number."""
    offers = [
        Offer(
            remaining=leg.remaining,
            limit=leg.limit,
            valid_until=leg.valid_until,
            holdable=leg.holdable,
            amounts=work.verbs.account(leg.account).capabilities.amounts,
        )
        for leg in legs
    ]
    amounts = allocate(work.record.total, offers, AllocationOrder(work.record.allocation))
    return {leg.number: amount for leg, amount in zip(legs, amounts, strict=True)}


def _write(
    work: PaymentWork, amounts: dict[int, Money], leg: PaymentLeg, code: Code, pin: Pin | None, *, is_new: bool
) -> None:
    journal = work.journal
    seal = seal_leg(journal, work.record.id, leg.number, code, pin)
    provider = work.verbs.account(leg.account).provider
    fingerprint = journal.keys.fingerprint(code, provider=provider.name, host=provider.host)
    leg = attrs.evolve(leg, amount=amounts[leg.number])
    changes: dict[int, dict[str, Any]] = {
        number: {"amount": amount} for number, amount in amounts.items() if number != leg.number
    }
    if is_new:
        work.commit(changes, added=AddedLeg(leg=leg, fingerprint=fingerprint, seal=seal))
        return
    values = attrs.asdict(leg, recurse=False, filter=attrs.filters.exclude("number", "account", "voucher_id"))
    sealed = {"sealed_code": seal.code, "sealed_pin": seal.pin, "key_id": seal.key_id, "fingerprint": fingerprint}
    work.commit(changes | {leg.number: values}, seals={leg.number: sealed})
