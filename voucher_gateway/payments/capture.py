"""The capture of a payment: forward only, first what can still fail, the other means last."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

import attrs

from voucher_gateway.capabilities import Operation
from voucher_gateway.errors import (
    AlreadyCaptured,
    Declined,
    InvalidRequest,
    NotExecuted,
    OutcomeUnknown,
    PaymentConflict,
    PaymentShort,
    VoucherGatewayError,
)
from voucher_gateway.instants import now
from voucher_gateway.models.results import Redemption, Reservation
from voucher_gateway.money import Money
from voucher_gateway.payments.leg_calls import (
    capture_leg,
    is_over,
    is_refusal,
    leg_reference,
    redeem_leg,
    renew_leg,
    reserve_leg,
    sentence_about,
)
from voucher_gateway.payments.other_calls import (
    NEEDS_MEANS,
    authorize_other,
    capture_other,
    next_generation,
    require_means,
    void_other,
)
from voucher_gateway.payments.rows.records import PaymentLeg, sum_money
from voucher_gateway.payments.rows.states import OTHER, LegState, OtherState, PaymentState
from voucher_gateway.payments.work import PaymentWork, run_side_by_side
from voucher_gateway.process.loggers import get_logger

log: Final = get_logger("voucher_gateway.payments")

_RENEWALS: Final = 2
"""How often a reservation that has ended is made again, before its leg is lost."""

_UNTAKEN: Final = (LegState.HELD, LegState.CHECKED)


def capture_payment(work: PaymentWork, due: Money | None) -> None:
    """Decide to take everything, and take it; or continue that.

    Args:
        work: the work on the payment.
        due: what other means pay, as the caller understands it; needed for a payment that is short.

    Raises:
        PaymentShort: if a leg is lost.
        PaymentConflict: if the state of the payment does not allow it.
        InvalidRequest: if another amount is due.
        NotExecuted, OutcomeUnknown: if something is not taken, or if that is not known. It can be continued.
        Exception: if the outcome at the other means is not known; the means' own error.
    """
    record = work.record
    if due is not None and due != record.due:
        raise InvalidRequest(f"{record.due} is due, not {due}", field="due", rule="the amount that is due")
    if record.state is PaymentState.CAPTURED:
        return
    if record.state is PaymentState.AUTHORIZED:
        if record.has_other:
            require_means(work)
        elif work.other is not None and record.due:
            raise InvalidRequest(
                "the payment was authorized without the other means: call reopen(), then authorize() with it",
                field="other",
                rule="as it was given to authorize()",
            )
        legs = {leg.number: {"state": LegState.CAPTURING} for leg in record.paying_legs}
        work.commit(legs, state=PaymentState.CAPTURING, decided_at=now(), attention=None)
    elif record.state is PaymentState.SHORT:
        _accept_shortage(work, due)
    elif record.state is not PaymentState.CAPTURING:
        advice = "call authorize() first" if record.state is PaymentState.OPEN else "it cannot be captured"
        raise PaymentConflict(f"the payment is {record.state}: {advice}")
    elif record.has_other:
        require_means(work)
    continue_capture(work)


def continue_capture(work: PaymentWork) -> None:
    """Carry out the decision to capture. Without the other means that is inside, stop before it is needed.

    Raises:
        PaymentShort, NotExecuted, OutcomeUnknown, Exception: as `capture_payment`.
    """
    work.take()
    if not _replace_other(work):
        return
    run = _CaptureRun(work)
    run.hold()
    run.redeem()
    run.capture()
    run.commit()
    if work.record.other_state in (OtherState.AUTHORIZED, OtherState.CAPTURING):
        if work.other is None:
            work.commit(attention=NEEDS_MEANS)
            return
        _capture_other(work)
    log.info("payment %s: captured", work.record.id)


def _accept_shortage(work: PaymentWork, due: Money | None) -> None:
    """Commit that other means pay what is due now, without the lost legs."""
    record = work.record
    if due is None:
        raise _shortage(work, None, None)
    changes: dict[str, Any] = {}
    if record.has_other:
        require_means(work)
        voids = record.other_state in (OtherState.AUTHORIZED, OtherState.LOST, OtherState.AUTHORIZING)
        changes["other_state"] = OtherState.VOIDING if voids else record.other_state
    legs = {leg.number: {"state": LegState.CAPTURING} for leg in record.paying_legs if leg.state in _UNTAKEN}
    work.commit(legs, state=PaymentState.CAPTURING, short_by=None, attention=None, **changes)


def _replace_other(work: PaymentWork) -> bool:
    """Authorize what is due at the other means again, if the payment was short. Return whether the capture can go on.

    Raises:
        PaymentShort: if the other means refuses.
        NotExecuted, Exception: if it is not authorized yet.
    """
    record = work.record
    if not record.has_other or record.other_state not in (OtherState.VOIDING, OtherState.NONE, OtherState.AUTHORIZING):
        return True
    if record.other_state is OtherState.NONE and not record.due:
        return True
    if work.other is None:
        work.commit(attention=NEEDS_MEANS)
        return False
    if record.other_state is OtherState.VOIDING:
        void_other(work, OtherState.NONE)
    may_be_authorized = work.record.other_state is OtherState.AUTHORIZING  # by an earlier call under the same key
    if work.record.other_state is OtherState.NONE:
        work.commit(other_state=OtherState.AUTHORIZING, other_amount=work.record.due)
    refusal: Declined
    try:
        authorize_other(work, attention=None)
        return True
    except Declined as error:
        refusal = error
    except NotExecuted as error:
        work.commit(attention=f"the other means: {error.message}")
        raise
    missing = work.record.due
    attention = _missing_sentence(work, OTHER, missing)
    following = {"other_state": OtherState.VOIDING} if may_be_authorized else next_generation(work)
    work.commit(**following, state=PaymentState.SHORT, short_by=missing, attention=attention)
    raise _shortage(work, OTHER, refusal)


def _capture_other(work: PaymentWork) -> None:
    refusal: Declined
    if work.record.other_state is not OtherState.CAPTURING:
        work.commit(other_state=OtherState.CAPTURING)
    try:
        capture_other(work)
    except Declined as error:
        refusal = error
    except NotExecuted as error:
        work.commit(attention=f"the other means: {error.message}")
        raise
    else:
        work.commit(other_state=OtherState.CAPTURED, state=PaymentState.CAPTURED, attention=None, erase=True)
        return
    missing = work.record.other_amount
    attention = _missing_sentence(work, OTHER, missing)
    work.commit(other_state=OtherState.LOST, state=PaymentState.SHORT, short_by=missing, attention=attention)
    raise _shortage(work, OTHER, refusal)


def _shortage(work: PaymentWork, leg: int | None, cause: VoucherGatewayError | None) -> PaymentShort:
    missing = work.record.short_by
    lost = "" if leg is None else f"{_why_short(work, leg)}{'' if cause is None else f': {cause.message}'}; "
    return PaymentShort(
        f"{lost}{missing} is missing: call capture(due=...) once other means pay the {work.record.due} that is due now,"
        " or cancel()",
        short_by=str(missing),
        leg=leg,
        cause=cause,
        account=None if cause is None else cause.account,
    )


def _missing_sentence(work: PaymentWork, leg: int, missing: Money | None) -> str:
    """Return what a person must know of a payment that is short."""
    return f"{_why_short(work, leg)}; {missing} is missing: ask the customer to pay it by other means, or cancel"


def _why_short(work: PaymentWork, leg: int) -> str:
    return "the other means refuses to pay" if leg == OTHER else f"{work.record.leg(leg).name} cannot be taken any more"


@attrs.define
class _CaptureRun:
    """One run over the legs that are not taken yet.

    Attributes:
        work: the work on the payment.
        taken: what was taken, by leg.
        lost: by leg, why it is surely lost.
        unfinished: by leg, why it is not taken yet, or why that is not known.
        ends: the new ends of reservations, by leg.
    """

    work: PaymentWork
    taken: dict[int, Redemption] = attrs.field(factory=dict)
    lost: dict[int, VoucherGatewayError] = attrs.field(factory=dict)
    unfinished: dict[int, VoucherGatewayError] = attrs.field(factory=dict)
    ends: dict[int, Any] = attrs.field(factory=dict)

    @property
    def _stops(self) -> bool:
        """Whether nothing more may be taken in this run."""
        is_unreachable = any(not isinstance(error, OutcomeUnknown) for error in self.unfinished.values())
        return bool(self.lost) or is_unreachable

    def hold(self) -> None:
        """Reserve again what is not reserved any more. Nothing is taken before all of it stands."""
        work = self.work
        ended = [
            leg
            for leg in self._open_legs(holdable=True)
            if is_over(work, leg, leg.held_until) and not _may_be_taken(work, leg)
        ]
        if ended:
            work.commit({leg.number: {"generation": leg.generation + 1, "held_until": None} for leg in ended})
        unheld = [leg for leg in self._open_legs(holdable=True) if leg.held_until is None and leg.generation > 1]
        for number, result in run_side_by_side(unheld, partial(reserve_leg, work)).items():
            if isinstance(result, Reservation):
                self.ends[number] = result.valid_until
            else:
                self._note(number, result)
        if self.lost or self.unfinished:
            self.commit()

    def redeem(self) -> None:
        """Take the legs without reservations, one after the other: they can still fail."""
        for leg in self._open_legs(holdable=False):
            if self._stops:
                break
            try:
                self.taken[leg.number] = redeem_leg(self.work, leg)
            except VoucherGatewayError as error:
                self._note(leg.number, error)

    def capture(self) -> None:
        """Take the reserved legs side by side."""
        if self._stops:
            return
        results = run_side_by_side(self._open_legs(holdable=True), partial(_take_reserved, self.work))
        for number, result in results.items():
            if isinstance(result, VoucherGatewayError):
                self._note(number, result)
            else:
                self.taken[number] = result

    def commit(self) -> None:
        """Commit what became of the legs; if all are taken and no other means is inside, that all is captured.

        Raises:
            PaymentShort: if a leg is lost.
            VoucherGatewayError: if a leg is not taken yet, or if that is not known.
        """
        work = self.work
        legs: dict[int, dict[str, Any]] = {
            number: {"state": LegState.CAPTURED, "taken": redemption.money, "problem": None}
            for number, redemption in self.taken.items()
        }
        for number, end in self.ends.items():
            legs.setdefault(number, {})["held_until"] = end
        for number, error in (self.lost | self.unfinished).items():
            legs.setdefault(number, {})["problem"] = f"{type(error).__name__}: {error.message}"
        sentences = [sentence_about(work.record.leg(number), error) for number, error in self.unfinished.items()]
        attention = "; ".join(sentences) or None
        if self.lost:
            self._commit_shortage(legs, sentences)
        elif self.unfinished:
            work.commit(legs, attention=attention)
            raise min(self.unfinished.values(), key=lambda error: not isinstance(error, OutcomeUnknown))
        elif work.record.other_state in (OtherState.AUTHORIZED, OtherState.CAPTURING):
            state = work.record.other_state if work.other is None else OtherState.CAPTURING
            work.commit(legs, attention=None, other_state=state)
        else:
            work.commit(legs, state=PaymentState.CAPTURED, attention=None, erase=True)

    def _commit_shortage(self, legs: dict[int, dict[str, Any]], sentences: list[str]) -> None:
        work, record = self.work, self.work.record
        for leg in self._open_legs():
            if leg.number in self.lost:
                legs[leg.number]["state"] = LegState.LOST
            elif leg.number not in self.unfinished:
                legs.setdefault(leg.number, {})["state"] = LegState.HELD if leg.holdable else LegState.CHECKED
        missing = sum_money((record.leg(number).amount for number in self.lost), record.total.currency)
        number, error = min(self.lost.items())
        attention = "; ".join([_missing_sentence(work, number, missing), *sentences])
        work.commit(legs, state=PaymentState.SHORT, short_by=missing, attention=attention)
        log.warning("payment %s: short by %s: %s", record.id, missing, type(error).__name__)
        raise _shortage(work, number, error)

    def _open_legs(self, *, holdable: bool | None = None) -> list[PaymentLeg]:
        return [
            leg
            for leg in self.work.record.paying_legs
            if leg.state is LegState.CAPTURING
            and leg.number not in self.taken
            and (holdable is None or leg.holdable == holdable)
        ]

    def _note(self, number: int, error: VoucherGatewayError) -> None:
        is_lost = is_refusal(error) and not _may_be_taken(self.work, self.work.record.leg(number))
        (self.lost if is_lost else self.unfinished)[number] = error


def _may_be_taken(work: PaymentWork, leg: PaymentLeg) -> bool:
    """Whether an earlier call took a leg, or may have taken it: then it is neither reserved again nor lost."""
    verb = Operation.CAPTURE if leg.holdable else Operation.REDEEM
    record = work.verbs.operation(leg.account, verb, leg_reference(work, leg))
    return record is not None and record.state.may_have_happened


def _take_reserved(work: PaymentWork, leg: PaymentLeg) -> Redemption:
    """Take what is reserved for a leg. If the reservation has ended, reserve again under the next generation.

    Raises:
        VoucherGatewayError: if it is not taken, or if that is not known.
    """
    refusal: VoucherGatewayError
    for renewal in range(_RENEWALS + 1):
        try:
            return capture_leg(work, leg)
        except AlreadyCaptured:
            raise
        except Declined as error:
            refusal = error
        if renewal == _RENEWALS or _may_be_taken(work, leg):
            break
        renew_leg(work, leg)
        leg = work.record.leg(leg.number)
    raise refusal
