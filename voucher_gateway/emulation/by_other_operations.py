"""Emulations by other operations.

They are redeem by capture, release by expiry, reserve by redeem, refund by top-up, and deactivate by expiry.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import attrs

from voucher_gateway.capabilities import Operation, Support
from voucher_gateway.commands.steps import StepRunner
from voucher_gateway.commands.value import (
    CaptureReservation,
    RedeemVoucher,
    RefundMovedVoucher,
    RefundRedemption,
    ReleaseReservation,
    ReserveValue,
)
from voucher_gateway.commands.vouchers import DeactivateVoucher, TopUpVoucher, UpdateVoucher
from voucher_gateway.emulation.by_update import top_up_by_update
from voucher_gateway.errors import InvalidRequest
from voucher_gateway.models.requests import VoucherChanges
from voucher_gateway.models.results import Redemption, Refund, Release, Reservation, convert_result
from voucher_gateway.models.voucher import Voucher
from voucher_gateway.provider.provider import VoucherProvider


def redeem_by_capture(command: RedeemVoucher, steps: StepRunner, provider: VoucherProvider) -> Redemption:
    """Redeem by a reservation and its capture. If the capture is refused, the reservation expires."""
    reserve = command.derive(ReserveValue, code=command.code, money=command.money, pin=command.pin)
    reservation = steps.run(reserve, decides_outcome=False)
    return steps.run(command.derive(CaptureReservation, reservation=reservation))


def release_by_expiry(command: ReleaseReservation, steps: StepRunner, provider: VoucherProvider) -> Release:
    """Release without a request: say when the vendor, by its own clock, frees the value."""
    reservation = command.reservation
    is_over = reservation.valid_until is not None and reservation.valid_until <= provider.vendor_now()
    return Release(
        account=reservation.account,
        reservation_id=reservation.id,
        freed=is_over,
        frees_at=None if is_over else reservation.valid_until,
    )


def reserve_by_redeem(command: ReserveValue, steps: StepRunner, provider: VoucherProvider) -> Reservation:
    """Reserve by taking the value at once. The reservation has the id of the redemption."""
    redeem = command.derive(RedeemVoucher, code=command.code, money=command.money, pin=command.pin)
    return convert_result(steps.run(redeem), Reservation)


def capture_already_redeemed(command: CaptureReservation, steps: StepRunner, provider: VoucherProvider) -> Redemption:
    """Capture what was already taken, and give the rest of it back."""
    reserved = command.reservation.money
    redemption = _redemption_of(command.reservation)
    if command.amount == reserved:
        return redemption
    if command.amount > reserved:
        raise InvalidRequest(
            f"{command.amount} is more than the reserved {reserved}", field="money", rule="at most what is reserved"
        )
    steps.run(command.derive(RefundRedemption, redemption=redemption, money=reserved - command.amount))
    return attrs.evolve(redemption, money=command.amount)


def release_already_redeemed(command: ReleaseReservation, steps: StepRunner, provider: VoucherProvider) -> Release:
    """Release by giving back what was already taken."""
    redemption = _redemption_of(command.reservation)
    steps.run(command.derive(RefundRedemption, redemption=redemption, money=redemption.money))
    return Release(account=command.reservation.account, reservation_id=command.reservation.id, freed=True)


def _redemption_of(reservation: Reservation) -> Redemption:
    return convert_result(reservation, Redemption, reservation_id=reservation.id)


def refund_by_top_up(command: RefundMovedVoucher, steps: StepRunner, provider: VoucherProvider) -> Refund:
    """Refund by a top-up at the account that has the voucher now, natively or by an update.

    The voucher was moved there after it was redeemed, so the vendor that redeemed it does not have it any more.
    """
    top_up = command.derive(TopUpVoucher, voucher_id=command.voucher_id, money=command.money)
    if provider.capabilities.of(Operation.TOP_UP).support is Support.NATIVE:
        added = steps.run(top_up)
    else:
        added = top_up_by_update(top_up, steps, provider)
    return convert_result(added, Refund, money=command.money, order=command.order, redemption_id=command.redemption.id)


LONG_OVER: Final = timedelta(days=1)
"""How far in the past the new end of validity is: a vendor may count validity in whole days of its time zone."""


def deactivate_by_expiry(command: DeactivateVoucher, steps: StepRunner, provider: VoucherProvider) -> Voucher:
    """Deactivate by moving the end of validity into the past. The former end is not kept here."""
    until = (provider.vendor_now() - LONG_OVER).replace(microsecond=0)
    update = command.derive(UpdateVoucher, voucher_id=command.voucher_id, changes=VoucherChanges(valid_until=until))
    return update.run(steps, provider)
