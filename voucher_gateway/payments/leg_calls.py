"""The calls of one leg. Each has its own reference, so that a repeat is replayed or goes on."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

import attrs

from voucher_gateway.capabilities import Operation, Support
from voucher_gateway.errors import (
    AccessDenied,
    Declined,
    InsufficientValue,
    InvalidRequest,
    OperationInProgress,
    OutcomeUnknown,
    ReservationExpired,
    ReservationReleased,
    ReservationSuperseded,
    VoucherExpired,
    VoucherGatewayError,
    VoucherInactive,
    VoucherNotFound,
)
from voucher_gateway.instants import format_instant
from voucher_gateway.journal.records import OperationRecord, OperationState
from voucher_gateway.models.results import Balance, Redemption, Reservation
from voucher_gateway.models.voucher import Status
from voucher_gateway.payments.offers import UNSPENDABLE_STATUSES, check_voucher
from voucher_gateway.payments.rows.codes import unseal_leg
from voucher_gateway.payments.rows.records import PaymentLeg
from voucher_gateway.payments.rows.references import payment_reference
from voucher_gateway.payments.work import PaymentWork
from voucher_gateway.telemetry.calls import observe_call

_MARGIN: Final = timedelta(minutes=1)
"""Added to the time to live of a reservation that may have been made: its request may have arrived late."""


def leg_reference(work: PaymentWork, leg: PaymentLeg, generation: int | None = None) -> str:
    """Return the reference of a leg's calls, in its present generation or another one."""
    return payment_reference(work.record.id, leg.number, leg.generation if generation is None else generation)


def reserve_leg(work: PaymentWork, leg: PaymentLeg) -> Reservation:
    """Reserve the amount of a leg. If the outcome is unknown, ask once more: the gateway repeats what is safe.

    Raises:
        VoucherGatewayError: if it is not reserved, or if that is not known.
    """
    code, pin = unseal_leg(work.journal, work.store, work.record.id, leg.number)
    reference, order = leg_reference(work, leg), work.record.order
    try:
        return work.verbs.reserve(leg.account, code, leg.amount, pin, reference=reference, order=order)
    except OutcomeUnknown:
        pass
    return work.verbs.reserve(leg.account, code, leg.amount, pin, reference=reference, order=order)


def renew_leg(work: PaymentWork, leg: PaymentLeg) -> Reservation:
    """Reserve the amount of a leg under the next generation.

    Raises:
        VoucherGatewayError: if it is not reserved, or if that is not known.
    """
    work.commit({leg.number: {"generation": leg.generation + 1, "held_until": None}})
    return reserve_leg(work, work.record.leg(leg.number))


def is_over(work: PaymentWork, leg: PaymentLeg, end: datetime | None) -> bool:
    """Whether a reservation of a leg has ended, by the vendor's clock."""
    return end is not None and end <= work.verbs.account(leg.account).provider.vendor_now()


def check_leg(work: PaymentWork, leg: PaymentLeg) -> Balance:
    """Look whether a voucher that cannot be reserved has the amount of its leg now.

    Raises:
        Declined: if it does not, or cannot be spent.
    """
    code, pin = unseal_leg(work.journal, work.store, work.record.id, leg.number)
    balance = work.verbs.balance(leg.account, code, pin)
    account = work.verbs.account(leg.account)
    check_voucher(account, balance.status, balance.valid_until, balance.remaining, leg.amount.currency)
    if balance.remaining < leg.amount:
        raise InsufficientValue(f"the voucher has {balance.remaining} left, not {leg.amount}", account=leg.account)
    return balance


def redeem_leg(work: PaymentWork, leg: PaymentLeg) -> Redemption:
    """Take the amount of a leg that cannot be reserved.

    Raises:
        VoucherGatewayError: if it is not taken, or if that is not known.
    """
    code, pin = unseal_leg(work.journal, work.store, work.record.id, leg.number)
    reference, order = leg_reference(work, leg), work.record.order
    return work.verbs.redeem(leg.account, code, leg.amount, pin, reference=reference, order=order)


def capture_leg(work: PaymentWork, leg: PaymentLeg) -> Redemption:
    """Take what is reserved for a leg.

    Raises:
        VoucherGatewayError: if it is not taken, or if that is not known.
    """
    reference, order = leg_reference(work, leg), work.record.order
    reservation = work.verbs.reservation(leg.account, reference)
    return work.verbs.capture(leg.account, reservation, reference=reference, order=order)


@attrs.frozen(kw_only=True)
class LegRelease:
    """What became of a reservation of a leg.

    Attributes:
        frees_at: when its value is free again; None if it is free now.
        in_doubt: whether it is not known whether it was made; it ends by itself then.
    """

    frees_at: datetime | None = None
    in_doubt: bool = False


def release_leg(work: PaymentWork, leg: PaymentLeg, generation: int) -> LegRelease:
    """Give up what may be reserved for a leg in one generation.

    Raises:
        VoucherGatewayError: if it is not given up, and does not end by itself.
    """
    reference = leg_reference(work, leg, generation)
    record = resolve_operation(work, leg, Operation.RESERVE, reference)
    if record is None:
        return LegRelease()
    if record.state.is_unresolved:
        return LegRelease(frees_at=_latest_end(work, leg, record), in_doubt=True)
    reservation = work.verbs.reservation(leg.account, reference)
    try:
        release = work.verbs.release(leg.account, reservation, reference=reference, order=work.record.order)
    except (ReservationExpired, ReservationReleased, ReservationSuperseded, VoucherNotFound):  # it has ended already
        return LegRelease()
    return LegRelease(frees_at=None if release.freed else release.frees_at)


def resolve_operation(work: PaymentWork, leg: PaymentLeg, verb: Operation, reference: str) -> OperationRecord | None:
    """Return an operation of a leg that succeeded, or whose outcome stays unknown; None if it did not happen.

    The vendor is asked about an operation whose outcome is not known.

    Raises:
        OperationInProgress: if a living worker still runs it.
    """
    record = work.verbs.operation(leg.account, verb, reference)
    if record is not None and record.state.is_unresolved:
        work.verbs.resolve(record.key)
        record = work.verbs.operation(leg.account, verb, reference)
    if record is None or not record.state.may_have_happened:
        return None
    return record


def unknown_operation(leg: PaymentLeg, record: OperationRecord) -> VoucherGatewayError:
    """Return the error of an operation that must be resolved before a payment can go on."""
    reason = f" ({record.reason})" if record.reason else ""
    return OperationInProgress(
        f"it is not known whether the {record.key.verb} happened{reason}",
        account=leg.account,
        operation=record.key.verb.value,
    )


def is_refusal(error: VoucherGatewayError) -> bool:
    """Whether an error proves that a call did not happen, and never will."""
    return isinstance(error, Declined | InvalidRequest)


def sentence_about(leg: PaymentLeg, error: VoucherGatewayError) -> str:
    """Return what a person must know of a leg's error."""
    return f"{leg.name}: {error.message}"


def _latest_end(work: PaymentWork, leg: PaymentLeg, record: OperationRecord) -> datetime:
    """Return when a reservation that may have been made ends by itself at the latest.

    Raises:
        OperationInProgress: if it does not end by itself, or if the vendor may still make it.
    """
    capabilities = work.verbs.account(leg.account).capabilities
    rules = capabilities.reservations
    is_native = capabilities.of(Operation.RESERVE).support is Support.NATIVE
    if not is_native or rules is None or rules.time_to_live is None or record.state is OperationState.PENDING:
        raise unknown_operation(leg, record)
    return record.updated_at + rules.time_to_live + _MARGIN


def may_have_happened(work: PaymentWork, account: str, verb: Operation, reference: str) -> bool:
    """Whether an earlier call may have been carried out: a later refusal of the same call then proves nothing."""
    operation = work.verbs.operation(account, verb, reference)
    return operation is not None and operation.state.may_have_happened


def require_usable(work: PaymentWork, leg: PaymentLeg) -> None:
    """Check that its owner can spend what is given back to a voucher, as far as the vendor shows it.

    A vendor may add value to a voucher that has expired.

    Raises:
        VoucherExpired, VoucherInactive: if the owner cannot.
        VoucherNotFound: if the voucher is deleted.
    """
    account = work.verbs.account(leg.account)
    is_moved = bool(work.journal.move_chain(leg.account, leg.voucher_id))
    if is_moved or not account.capabilities.of(Operation.GET).available:
        return
    try:
        with observe_call(account.name, Operation.GET):
            voucher = account.provider.get(leg.voucher_id)
    except AccessDenied:
        return
    where: dict[str, Any] = {"account": leg.account, "operation": "refund"}
    if voucher.status in UNSPENDABLE_STATUSES:
        raise VoucherInactive(f"the voucher cannot be spent: it is {voucher.status}; nothing was sent", **where)
    end = voucher.valid_until
    if end is not None and end <= account.provider.vendor_now():
        raise VoucherExpired(f"the voucher's validity ended at {format_instant(end)}; nothing was sent", **where)
    if voucher.status is Status.EXPIRED:
        raise VoucherExpired("the voucher's validity is over; nothing was sent", **where)
