"""Why JTL refused to reserve or to charge: the codes for it are not documented, but the voucher and the clock tell."""

from __future__ import annotations

from datetime import datetime

from voucher_gateway.provider_api import (
    CurrencyMismatch,
    Declined,
    InsufficientValue,
    Money,
    Rejected,
    Reservation,
    ReservationExpired,
    Status,
    Voucher,
    VoucherExpired,
    VoucherInactive,
)


def explain_refusal(refused: Rejected, voucher: Voucher, money: Money, *, at: datetime) -> Declined:
    """Return the reason that the voucher shows, with the vendor's own code; the refusal itself if it shows none.

    `at` is the vendor's clock: ours may differ, and would call a voucher expired too early or too late.
    """
    kind, sentence = _reason(voucher, money, at)
    if kind is None:
        return refused
    return kind(
        sentence,
        account=refused.account,
        operation=refused.operation,
        http_status=refused.http_status,
        vendor_code=refused.vendor_code,
        request_id=refused.request_id,
    )


def precise_capture(refused: Rejected, reservation: Reservation, *, at: datetime | None) -> Declined:
    """Return the refusal of a charge as `ReservationExpired` where the vendor's clock shows it, or else as it is.

    Only a 404 can mean that: of a reservation that was charged before, nobody must hear that it may be made again. `at`
    is the vendor's clock, which the refusal itself tells; None if it is not known.
    """
    over = at is not None and reservation.valid_until is not None and reservation.valid_until <= at
    if refused.http_status != 404 or not over:
        return refused
    return ReservationExpired(
        "the reservation was over before the capture arrived",
        account=refused.account,
        operation=refused.operation,
        http_status=refused.http_status,
        vendor_code=refused.vendor_code,
        request_id=refused.request_id,
    )


def _reason(voucher: Voucher, money: Money, at: datetime) -> tuple[type[Declined] | None, str]:
    if voucher.status is Status.INACTIVE:
        return VoucherInactive, "the voucher is not active"
    if voucher.valid_until is not None and voucher.valid_until <= at:
        return VoucherExpired, "the voucher's validity is over"
    remaining = voucher.remaining
    if remaining is None:
        return None, ""
    if remaining.currency != money.currency:
        return CurrencyMismatch, f"the voucher is in {remaining.currency}, not in {money.currency}"
    if remaining < money:
        return InsufficientValue, f"the voucher has {remaining} left, less than {money}"
    return None, ""
