"""Emulations made of other operations: redeem by capture, release by expiry, reserve by redeem."""

from __future__ import annotations

import attrs

from voucher_gateway.emulation.steps import StepRunner
from voucher_gateway.errors import InvalidRequest
from voucher_gateway.masking import Code, Pin
from voucher_gateway.models.requests import NewVoucher
from voucher_gateway.models.results import Redemption, Release, Reservation
from voucher_gateway.models.voucher import Voucher
from voucher_gateway.money import Money
from voucher_gateway.provider import VoucherProvider


def issue(steps: StepRunner, provider: VoucherProvider, new: NewVoucher, order: str | None) -> Voucher:
    """Issue a voucher under an id or code that lets it be found again."""
    prepared = steps.with_generated_id(new)
    return steps.run("issue", lambda reference: provider.issue(prepared, reference=reference, order=order))


def redeem_by_capture(
    steps: StepRunner, provider: VoucherProvider, code: Code, money: Money, pin: Pin | None, order: str | None
) -> Redemption:
    """Redeem by a reservation and its capture. If the capture is refused, the reservation lapses by itself."""
    reservation = steps.run(
        "reserve",
        lambda reference: provider.reserve(code, money, pin, reference=reference, order=order),
        decisive=False,
    )
    return steps.run("capture", lambda reference: provider.capture(reservation, reference=reference, order=order))


def release_by_expiry(provider: VoucherProvider, reservation: Reservation) -> Release:
    """Give a reservation up without a call, and say when the vendor, by its own clock, will free the value."""
    over = reservation.valid_until is not None and reservation.valid_until <= provider.vendor_now()
    return Release(
        account=reservation.account,
        reservation_id=reservation.id,
        freed=over,
        frees_at=None if over else reservation.valid_until,
    )


def reserve_by_redeem(
    steps: StepRunner, provider: VoucherProvider, code: Code, money: Money, pin: Pin | None, order: str | None
) -> Reservation:
    """Reserve by taking the value at once; the reservation has the id of the redemption."""
    taken = steps.run("redeem", lambda reference: provider.redeem(code, money, pin, reference=reference, order=order))
    return Reservation(
        account=taken.account,
        id=taken.id,
        voucher_id=taken.voucher_id,
        money=taken.money,
        reference=taken.reference,
        order=taken.order,
        taxable=taken.taxable,
        tax_rate=taken.tax_rate,
        login=taken.login,
        created_at=taken.created_at,
        raw=taken.raw,
    )


def capture_already_redeemed(
    steps: StepRunner, provider: VoucherProvider, reservation: Reservation, money: Money | None, order: str | None
) -> Redemption:
    """Capture what was taken already; the rest of it is given back."""
    taken = _redemption_of(reservation)
    if money is None or money == reservation.money:
        return taken
    if money > reservation.money:
        raise InvalidRequest(
            f"{money} is more than the reserved {reservation.money}", field="money", rule="at most what is reserved"
        )
    rest = reservation.money - money
    steps.run("refund", lambda reference: provider.refund(taken, rest, reference=reference, order=order))
    return attrs.evolve(taken, money=money)


def release_already_redeemed(
    steps: StepRunner, provider: VoucherProvider, reservation: Reservation, order: str | None
) -> Release:
    """Release by giving back what was taken."""
    taken = _redemption_of(reservation)
    steps.run("refund", lambda reference: provider.refund(taken, reference=reference, order=order))
    return Release(account=reservation.account, reservation_id=reservation.id, freed=True)


def _redemption_of(reservation: Reservation) -> Redemption:
    return Redemption(
        account=reservation.account,
        id=reservation.id,
        voucher_id=reservation.voucher_id,
        money=reservation.money,
        reference=reservation.reference,
        order=reservation.order,
        reservation_id=reservation.id,
        taxable=reservation.taxable,
        tax_rate=reservation.tax_rate,
        login=reservation.login,
        created_at=reservation.created_at,
        raw=reservation.raw,
    )
