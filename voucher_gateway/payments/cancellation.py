"""The cancellation of a payment: what is reserved is released, what is taken is given back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any, Final

import attrs

from voucher_gateway.capabilities import Operation
from voucher_gateway.errors import (
    AlreadyRefunded,
    DatabaseUnavailable,
    Declined,
    OperationInProgress,
    VoucherGatewayError,
)
from voucher_gateway.instants import now
from voucher_gateway.models.results import Redemption, Refund
from voucher_gateway.money import Money
from voucher_gateway.payments.leg_calls import (
    is_refusal,
    leg_reference,
    release_leg,
    require_usable,
    resolve_operation,
    sentence_about,
    unknown_operation,
)
from voucher_gateway.payments.other_calls import NEEDS_MEANS, capture_other, return_other, void_other
from voucher_gateway.payments.refunds.refund import continue_refunds
from voucher_gateway.payments.refunds.refund_store import read_refunds
from voucher_gateway.payments.refunds.replacement import GONE, begin_replacements, impossible_reason, require_issue
from voucher_gateway.payments.rows.records import Cancellation, PaymentLeg, PaymentRecord, sum_money
from voucher_gateway.payments.rows.references import return_reference
from voucher_gateway.payments.rows.refund_records import PaymentRefund, ReplacementRule
from voucher_gateway.payments.rows.states import OTHER, LegState, OtherState, PartState, PaymentState, RefundState
from voucher_gateway.payments.work import PaymentWork, run_side_by_side
from voucher_gateway.process.loggers import get_logger

log: Final = get_logger("voucher_gateway.payments")

_VOIDED: Final = (OtherState.AUTHORIZING, OtherState.AUTHORIZED, OtherState.LOST, OtherState.VOIDING)
_ENDED: Final = (OtherState.NONE, OtherState.VOIDED, OtherState.RETURNED, OtherState.KEPT)


def cancel_payment(
    work: PaymentWork, *, accept_loss: bool = False, replace: ReplacementRule | None = None
) -> Cancellation:
    """Decide to give everything back, and do it; or continue that.

    Args:
        work: the work on the payment.
        accept_loss: whether to end the payment although a leg surely cannot be given back.
        replace: where a new voucher is issued for such a leg; None for nowhere.

    Returns:
        what was done. It is not complete if something is not given back yet, or if that is not known.

    Raises:
        UnsupportedOperation: if the account of `replace` issues no vouchers.
    """
    if replace is not None:
        require_issue(work, replace)
    if work.record.state not in (PaymentState.CANCELLING, PaymentState.CANCELLED):
        decide_to_cancel(work)
    if work.record.state is PaymentState.CANCELLED:
        return Cancellation.of(work.record)
    return continue_cancel(work, accept_loss=accept_loss, replace=replace)


def decide_to_cancel(work: PaymentWork, *, following: PaymentRecord | None = None) -> None:
    """Commit that a payment is cancelled. If nothing was ever sent for it, nothing is left to do.

    Args:
        work: the work on the payment.
        following: the order's next payment, which is opened in the same commit.
    """
    is_done = _is_untouched(work)
    state = PaymentState.CANCELLED if is_done else PaymentState.CANCELLING
    work.commit(state=state, decided_at=now(), short_by=None, attention=None, erase=is_done, following=following)


def continue_cancel(
    work: PaymentWork, *, accept_loss: bool = False, replace: ReplacementRule | None = None
) -> Cancellation:
    """Carry out the decision to cancel, as far as it can be done now."""
    work.take()
    run = _CancelRun(work, accept_loss and replace is None)
    run.complete_refunds()
    run.give_legs_back()
    run.accept_loss = accept_loss
    if replace is not None and run.sentences:
        run.replace_legs(replace)
        run.give_legs_back()
    run.give_other_back()
    sentences = run.sentences
    if not sentences:
        work.commit(state=PaymentState.CANCELLED, attention=None, erase=True)
        log.info("payment %s: cancelled", work.record.id)
    elif work.record.attention != "; ".join(sentences):
        work.commit(attention="; ".join(sentences))
        log.warning("payment %s: not everything is given back yet", work.record.id)
    return Cancellation.of(work.record)


def _is_untouched(work: PaymentWork) -> bool:
    """Whether nothing was ever sent for a payment."""
    record = work.record
    if record.state is not PaymentState.OPEN:
        return False
    is_planned = all(leg.state is LegState.PLANNED and leg.generation == 1 for leg in record.legs)
    return is_planned and record.other_state is OtherState.NONE and record.other_generation == 1


@attrs.frozen(kw_only=True)
class _LegEnd:
    """What became of a leg.

    Attributes:
        taken: what was taken; None for nothing.
        returned: what this cancellation gave back of that; None if nothing was taken.
        frees_at: when its reserved value is free again; None if it is free now.
    """

    taken: Money | None
    returned: Money | None
    frees_at: datetime | None


@attrs.define
class _CancelRun:
    """One run over everything that is not given back yet.

    Attributes:
        work: the work on the payment.
        accept_loss: whether a leg that surely cannot be given back ends.
        refunds: the refunds of the payment.
        sentences: what is not given back yet, for a person.
        refusals: why the voucher of a leg cannot get its value back, by the number of the leg.
    """

    work: PaymentWork
    accept_loss: bool
    refunds: tuple[PaymentRefund, ...] = ()
    sentences: list[str] = attrs.field(factory=list)
    refusals: dict[int, str] = attrs.field(factory=dict)

    def complete_refunds(self) -> None:
        """Complete the refunds that were begun: what they give back is not given back again."""
        work = self.work
        if not work.record.refunds:
            return
        try:
            continue_refunds(work)
        except DatabaseUnavailable:
            raise
        except Exception as error:  # noqa: BLE001 - the parts below say what is open; the other means raises anything
            log.warning("payment %s: a refund is not complete: %s", work.record.id, type(error).__name__)
        self.refunds = read_refunds(work.store, work.record)

    def give_legs_back(self) -> None:
        """Settle every leg side by side, and commit what became of them."""
        self.sentences.clear()
        self.refusals.clear()
        legs = [leg for leg in self.work.record.legs if not _has_ended(leg)]
        results = run_side_by_side(legs, partial(_return_leg, self.work, self.refunds))
        changes: dict[int, dict[str, Any]] = {}
        for leg in legs:
            result = results[leg.number]
            if isinstance(result, _LegEnd):
                state = LegState.RELEASED if result.returned is None else LegState.RETURNED
                if leg.state is LegState.LOST and state is LegState.RELEASED:
                    state = LegState.LOST  # so that what is due stays the same
                end = {"taken": result.taken, "returned": result.returned, "held_until": result.frees_at}
                changes[leg.number] = {"state": state, "problem": None, **end}
            else:
                changes[leg.number] = self._note(leg, result)
        if changes:
            self.work.commit(changes)

    def replace_legs(self, replace: ReplacementRule) -> None:
        """Commit that new vouchers replace what surely cannot be given back, and issue them."""
        work = self.work
        amounts: dict[int, Money] = {}
        for number in self.refusals:
            left = _amount_to_give_back(work, self.refunds, work.record.leg(number))
            if left:
                amounts[number] = left
        if amounts:
            begin_replacements(work, amounts, self.refusals, replace)
            self.complete_refunds()

    def give_other_back(self) -> None:
        """Void or give back what the other means has, if it is inside the payment."""
        work = self.work
        if work.record.other_state in _ENDED:
            return
        if work.other is None:
            self.sentences.append(NEEDS_MEANS)
            return
        try:
            self._return_other()
        except Declined as error:
            if self.accept_loss:
                work.commit(other_state=OtherState.KEPT)
            else:
                self.sentences.append(f"the other means cannot be given back: {error.message}")
        except VoucherGatewayError as error:
            self.sentences.append(f"the other means: {error.message}")
        except Exception as error:  # noqa: BLE001 - whatever the shop's means raises, its outcome is unknown
            self.sentences.append(f"the outcome at the other means is not known: {type(error).__name__}")

    def _return_other(self) -> None:
        work = self.work
        if work.record.other_state is OtherState.CAPTURING:  # the same key again tells whether it was captured
            try:
                capture_other(work)
            except Declined:
                work.commit(other_state=OtherState.LOST)
            else:
                work.commit(other_state=OtherState.CAPTURED)
        if work.record.other_state in _VOIDED:
            void_other(work, OtherState.VOIDED)
            return
        left = work.record.other_amount
        assert left is not None
        _require_complete(self.refunds, OTHER)
        left -= _sum_parts(self.refunds, OTHER, PartState.REFUNDED, left.currency)
        if left.amount > 0:
            return_other(work, left)
        else:
            work.commit(other_state=OtherState.RETURNED)

    def _note(self, leg: PaymentLeg, error: VoucherGatewayError) -> dict[str, Any]:
        problem = f"{type(error).__name__}: {error.message}"
        if self.accept_loss and is_refusal(error):
            return {"state": LegState.KEPT, "problem": problem, "taken": leg.taken or leg.amount}
        if isinstance(error, GONE):
            self.refusals[leg.number] = impossible_reason(error)
        self.sentences.append(sentence_about(leg, error))
        return {"state": LegState.RETURNING, "problem": problem}


def _has_ended(leg: PaymentLeg) -> bool:
    return leg.state in (LegState.RELEASED, LegState.RETURNED, LegState.KEPT, LegState.REMOVED)


def _return_leg(work: PaymentWork, refunds: Sequence[PaymentRefund], leg: PaymentLeg) -> _LegEnd:
    """Give back everything of a leg, of each of its generations.

    Raises:
        VoucherGatewayError: if something is not given back, or if that is not known.
    """
    taken: Money | None = None
    returned: Money | None = None
    frees_at: datetime | None = None
    for generation in range(1, leg.generation + 1):
        redemption = _find_redemption(work, leg, generation)
        if redemption is not None:
            _require_complete(refunds, leg.number)
            replaced = _sum_parts(refunds, leg.number, PartState.REPLACED, leg.amount.currency)
            taken, returned = redemption.money, _give_back(work, leg, redemption, replaced)
        elif leg.holdable:
            release = release_leg(work, leg, generation)
            ends = [end for end in (frees_at, release.frees_at) if end is not None]
            frees_at = max(ends, default=None)
    return _LegEnd(taken=taken, returned=returned, frees_at=frees_at)


def _find_redemption(work: PaymentWork, leg: PaymentLeg, generation: int) -> Redemption | None:
    """Return what took the value of a leg in one generation; None if nothing did.

    Raises:
        VoucherGatewayError: if that is not known.
    """
    verb = Operation.CAPTURE if leg.holdable else Operation.REDEEM
    record = resolve_operation(work, leg, verb, leg_reference(work, leg, generation))
    if record is None:
        return None
    if record.state.is_unresolved:
        raise unknown_operation(leg, record)
    result = record.replay()
    assert isinstance(result, Redemption)
    return result


def _require_complete(refunds: Sequence[PaymentRefund], leg: int) -> None:
    """Make sure that it is known what the refunds of the payment gave back of a leg, or of the other means.

    Raises:
        OperationInProgress: if it is not known.
    """
    for refund in refunds:
        for part in refund.parts:
            is_open = part.state is PartState.PLANNED or (
                part.state is PartState.NOT_POSSIBLE and refund.replacement is not None
            )
            if refund.state is RefundState.OPEN and part.leg == leg and is_open:
                raise OperationInProgress(f"the refund {refund.reference!r:.200} is not complete", operation="refund")


def _sum_parts(refunds: Sequence[PaymentRefund], leg: int, state: PartState, currency: str) -> Money:
    amounts = (part.amount for refund in refunds for part in refund.parts if (part.leg, part.state) == (leg, state))
    return sum_money(amounts, currency)


def _amount_to_give_back(work: PaymentWork, refunds: Sequence[PaymentRefund], leg: PaymentLeg) -> Money:
    """Return what is left to give back of a leg; zero if it was not taken. What is in doubt counts as given back."""
    left = Money.zero(leg.amount.currency)
    for generation in range(1, leg.generation + 1):
        redemption = _find_redemption(work, leg, generation)
        if redemption is not None:
            replaced = _sum_parts(refunds, leg.number, PartState.REPLACED, leg.amount.currency)
            left = work.verbs.refundable(redemption) - replaced
    return left if left.amount > 0 else Money.zero(left.currency)


def _give_back(work: PaymentWork, leg: PaymentLeg, redemption: Redemption, replaced: Money) -> Money:
    """Give back what is left to give back of a redemption, and return how much this cancellation gave back.

    Args:
        work: the work on the payment.
        leg: the leg.
        redemption: what took its value.
        replaced: how much of it a new voucher gave back.

    Raises:
        VoucherGatewayError: if it is not given back, or if that is not known.
    """
    reference = return_reference(work.record.id, leg.number)
    begun = work.verbs.operation(leg.account, Operation.REFUND, reference)
    left = work.verbs.refundable(redemption) - replaced
    may_be_given = begun is not None and begun.state.may_have_happened
    if not may_be_given and left.amount <= 0:
        return Money.zero(leg.amount.currency)
    if not may_be_given:
        require_usable(work, leg)
    money: Money | None = None  # the rest, and in a repeat what was the rest
    if replaced:
        money = left if begun is None else begun.target.money
    refund: Refund
    try:
        refund = work.verbs.refund(leg.account, redemption, money, reference=reference, order=work.record.order)
    except AlreadyRefunded:
        if left.amount > 0:
            raise
        return Money.zero(leg.amount.currency)
    return refund.money
