"""Something else happened than was asked for."""

from __future__ import annotations

from typing import Any

from voucher_gateway.errors.base import OutcomeName, VoucherGatewayError


class PartlyRedeemed(VoucherGatewayError):
    """The vendor took what was left, less than the amount, and it could not be given back.

    Accept the part, or refund it. With a journal, the same call goes on giving it back.

    Attributes:
        taken: the amount that was taken, such as ``3.00 EUR``.
        redemption_id: the vendor's id of the redemption.
        voucher_id: the vendor's id of the voucher, if it is known.
    """

    outcome: OutcomeName = "succeeded"
    retry_safe = False

    def __init__(
        self, message: str, *, taken: str, redemption_id: str, voucher_id: str | None = None, **context: Any
    ) -> None:
        super().__init__(message, **context)
        self.taken = taken
        self.redemption_id = redemption_id
        self.voucher_id = voucher_id


class PaymentShort(VoucherGatewayError):
    """A leg of a payment is lost after it was decided to capture. Other legs may be taken.

    Capture the payment again with `Payment.due`, which other means pay then, or cancel it.

    Attributes:
        short_by: how much is missing, such as ``3.00 EUR``; `Payment.short_by` is the same as `Money`.
        leg: the number of the leg; 0 for the other means.
        cause: why that leg is lost; None if this call did not lose it.
    """

    outcome: OutcomeName = "succeeded"
    retry_safe = False

    def __init__(
        self,
        message: str,
        *,
        short_by: str | None = None,
        leg: int | None = None,
        cause: VoucherGatewayError | None = None,
        **context: Any,
    ) -> None:
        super().__init__(message, **context)
        self.short_by = short_by
        self.leg = leg
        self.cause = cause
