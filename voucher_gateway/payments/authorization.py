"""The authorization of a payment: every leg is held or checked, then the other means is authorized, all or nothing."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from voucher_gateway.errors import (
    AccessDenied,
    ConcurrentModification,
    DatabaseUnavailable,
    Declined,
    InvalidRequest,
    MalformedResponse,
    NotExecuted,
    OperationInProgress,
    OutcomeUnknown,
    PaymentConflict,
    PaymentDeclined,
    UnsupportedOperation,
    VoucherGatewayError,
)
from voucher_gateway.instants import format_instant
from voucher_gateway.models.results import Balance, Reservation
from voucher_gateway.payments.leg_calls import (
    LegRelease,
    check_leg,
    is_over,
    release_leg,
    renew_leg,
    reserve_leg,
    sentence_about,
)
from voucher_gateway.payments.other_calls import (
    NEEDS_MEANS,
    authorize_other,
    next_generation,
    require_means,
    void_other,
)
from voucher_gateway.payments.rows.records import PaymentLeg
from voucher_gateway.payments.rows.states import OTHER, LegState, OtherState, PaymentState
from voucher_gateway.payments.work import LegChanges, PaymentWork, run_side_by_side
from voucher_gateway.process.loggers import get_logger

log: Final = get_logger("voucher_gateway.payments")

_DECLINES: Final = (
    Declined,
    InvalidRequest,
    UnsupportedOperation,
    AccessDenied,
    NotExecuted,
    OutcomeUnknown,
    ConcurrentModification,
    MalformedResponse,
)
"""The errors of a leg that decline the payment. Every other error leaves the authorization to be continued."""

_AUTHORIZED: Final = (PaymentState.AUTHORIZED, PaymentState.CAPTURING, PaymentState.CAPTURED)
"""The states in which a payment is authorized already: another worker may have gone on with it."""

_STANDING: Final = (LegState.HELD, LegState.CHECKED)
_BEGUN: Final = (LegState.HOLDING, *_STANDING)


def is_authorization_begun(work: PaymentWork) -> bool:
    """Whether an authorization began and did not end."""
    record = work.record
    if record.state is not PaymentState.OPEN:
        return False
    return record.other_state is not OtherState.NONE or any(
        leg.state in (*_BEGUN, LegState.RELEASING) for leg in record.legs
    )


def authorize_payment(work: PaymentWork) -> None:
    """Authorize a payment, or continue its authorization.

    Raises:
        PaymentDeclined: if a leg or the other means cannot be used. The others are released.
        PaymentConflict: if the state of the payment does not allow it.
        OutcomeUnknown: if an earlier reservation is in doubt that does not end by itself.
        Exception: if the outcome at the other means is not known; the means' own error.
    """
    record = work.record
    if record.state in _AUTHORIZED:
        return
    if record.state is not PaymentState.OPEN:
        raise PaymentConflict(f"the payment is {record.state}: it cannot be authorized")
    complete_releases(work)
    if work.record.other_state is not OtherState.NONE:
        require_means(work)
    work.commit({leg.number: _begin(work, leg) for leg in work.record.paying_legs}, has_other=work.other is not None)
    holding = [leg for leg in work.record.paying_legs if leg.state is LegState.HOLDING]
    results = run_side_by_side(holding, partial(_hold_or_check, work))
    errors = {number: result for number, result in results.items() if isinstance(result, VoucherGatewayError)}
    if errors:
        _decline_leg(work, errors)
    changes_of_legs = {number: _leg_changes(result) for number, result in results.items()}
    if not work.record.has_other or not work.record.due:
        work.commit(changes_of_legs, state=PaymentState.AUTHORIZED, attention=None)
    else:
        _authorize_other(work, changes_of_legs)
    log.info("payment %s: authorized", work.record.id)


def reopen_payment(work: PaymentWork) -> None:
    """Give an authorization up, so that the payment is open and its vouchers can be changed.

    Raises:
        PaymentConflict: if the state of the payment does not allow it.
        VoucherGatewayError: if something is not given up yet. It is committed that it must be.
    """
    record = work.record
    if record.state not in (PaymentState.OPEN, PaymentState.AUTHORIZED):
        raise PaymentConflict(f"the payment is {record.state}: its vouchers cannot be changed any more")
    if record.other_state is not OtherState.NONE:
        require_means(work)
    if record.state is PaymentState.AUTHORIZED or is_authorization_begun(work):
        reset_authorization(work)
        log.info("payment %s: open again", record.id)


def reset_authorization(
    work: PaymentWork, problems: dict[int, str] | None = None, *, is_other_refused: bool = False
) -> None:
    """Give up everything of an authorization that began, so that the payment is open with planned legs.

    Args:
        work: the work on the payment.
        problems: why a leg cannot be used, by its number.
        is_other_refused: whether the other means has surely not authorized.

    Raises:
        VoucherGatewayError: if something is not given up yet. It is committed that it must be.
    """
    _begin_reset(work, problems, is_other_refused=is_other_refused)
    complete_releases(work)


def _begin_reset(work: PaymentWork, problems: dict[int, str] | None, *, is_other_refused: bool) -> None:
    """Commit that everything of an authorization that began must be given up."""
    legs: dict[int, dict[str, Any]] = {
        leg.number: {"state": LegState.RELEASING if leg.holdable else LegState.PLANNED}
        for leg in work.record.legs
        if leg.state in _BEGUN
    }
    for number, problem in (problems or {}).items():
        legs.setdefault(number, {})["problem"] = problem
    changes: dict[str, Any] = {"state": PaymentState.OPEN, "attention": None}
    if is_other_refused:
        changes |= next_generation(work)
    elif work.record.other_state in (OtherState.AUTHORIZING, OtherState.AUTHORIZED):
        changes["other_state"] = OtherState.VOIDING
    work.commit(legs, **changes)


def complete_releases(work: PaymentWork) -> None:
    """Release what an authorization that failed still holds, and void what it authorized at the other means.

    Raises:
        VoucherGatewayError: if something is not released yet. The payment's attention says what.
    """
    releasing = [leg for leg in work.record.legs if leg.state is LegState.RELEASING]
    if releasing:
        work.take()
        _release(work, releasing)
    if work.record.other_state is OtherState.VOIDING:
        attention = work.record.attention if releasing else None
        if work.other is None:
            work.commit(attention=NEEDS_MEANS)
        void_other(work, OtherState.NONE)
        if work.record.attention != attention:
            work.commit(attention=attention)


def _begin(work: PaymentWork, leg: PaymentLeg) -> dict[str, Any]:
    """Return what changes of a leg when its authorization begins, or goes on."""
    if leg.state is LegState.HELD and not is_over(work, leg, leg.held_until):
        return {}
    return {"state": LegState.HOLDING, "held_until": None, "problem": None}


def _hold_or_check(work: PaymentWork, leg: PaymentLeg) -> Reservation | Balance:
    if not leg.holdable:
        return check_leg(work, leg)
    reservation = reserve_leg(work, leg)
    return renew_leg(work, leg) if is_over(work, leg, reservation.valid_until) else reservation


def _leg_changes(result: Reservation | Balance | VoucherGatewayError) -> dict[str, Any]:
    if isinstance(result, Reservation):
        return {"state": LegState.HELD, "held_until": result.valid_until}
    return {"state": LegState.CHECKED}


def _authorize_other(work: PaymentWork, changes_of_legs: LegChanges) -> None:
    changes: dict[str, Any] = {"attention": None}
    may_be_authorized = work.record.other_state is OtherState.AUTHORIZING  # by an earlier call under the same key
    if work.record.other_state is OtherState.NONE:
        changes |= {"other_state": OtherState.AUTHORIZING, "other_amount": work.record.due}
    work.commit(changes_of_legs, **changes)
    if work.record.other_state is OtherState.AUTHORIZED:
        work.commit(state=PaymentState.AUTHORIZED)
        return
    refusal: VoucherGatewayError
    try:
        authorize_other(work, state=PaymentState.AUTHORIZED)
        return
    except DatabaseUnavailable:  # ours, perhaps after the means has authorized
        raise
    except (Declined, NotExecuted) as error:
        refusal = error
    sentence = f"the other means does not authorize {work.record.other_amount}"
    # An earlier call may have authorized: it is voided, whatever this one says.
    _decline(work, OTHER, sentence, refusal, {}, is_other_refused=not may_be_authorized)


def _decline_leg(work: PaymentWork, errors: dict[int, VoucherGatewayError]) -> None:
    """Release what stands, and raise the error of the first leg that cannot be used.

    Raises:
        PaymentDeclined: naming the leg.
        VoucherGatewayError: an error that declines nothing. The authorization can be continued.
    """
    for error in errors.values():
        if isinstance(error, DatabaseUnavailable | OperationInProgress):
            raise error
    number, error = min(errors.items(), key=lambda item: (not isinstance(item[1], Declined), item[0]))
    problems = {leg: f"{type(each).__name__}: {each.message}" for leg, each in errors.items()}
    is_refused = isinstance(error, Declined | InvalidRequest | UnsupportedOperation)
    sentence = f"{work.record.leg(number).name} cannot be used{'' if is_refused else ' now'}"
    _decline(work, number, sentence, error, problems)


def _decline(
    work: PaymentWork,
    leg: int,
    sentence: str,
    error: VoucherGatewayError,
    problems: dict[int, str],
    *,
    is_other_refused: bool = False,
) -> None:
    _begin_reset(work, problems, is_other_refused=is_other_refused)
    try:
        complete_releases(work)
    except DatabaseUnavailable:
        raise
    except VoucherGatewayError as failure:
        log.warning("payment %s: not everything is released yet: %s", work.record.id, type(failure).__name__)
    if not isinstance(error, _DECLINES):
        raise error
    log.info("payment %s: declined: %s", work.record.id, type(error).__name__)
    raise PaymentDeclined(f"{sentence}: {error.message}", leg=leg, cause=error, account=error.account)


def _release(work: PaymentWork, legs: list[PaymentLeg]) -> None:
    results = run_side_by_side(legs, partial(_release_generation, work))
    changes: dict[int, dict[str, Any]] = {}
    sentences = []
    failures = []
    for leg in legs:
        result = results[leg.number]
        if isinstance(result, VoucherGatewayError):
            failures.append(result)
            sentences.append(sentence_about(leg, result))
            continue
        changes[leg.number] = {
            "state": LegState.PLANNED,
            "generation": leg.generation + 1,
            "held_until": result.frees_at,
        }
        if result.in_doubt and result.frees_at is not None:
            sentences.append(f"leg {leg.number}: {leg.amount} may be reserved until {format_instant(result.frees_at)}")
    work.commit(changes, attention="; ".join(sentences) or None)
    if failures:
        raise failures[0]


def _release_generation(work: PaymentWork, leg: PaymentLeg) -> LegRelease:
    return release_leg(work, leg, leg.generation)
