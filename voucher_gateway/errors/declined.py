"""The vendor refused. Nothing moved."""

from __future__ import annotations

from typing import Any

import attrs

from voucher_gateway.errors.base import OutcomeName, VoucherGatewayError


class Declined(VoucherGatewayError):
    """The vendor refused. Nothing moved."""

    outcome: OutcomeName = "declined"


class VoucherNotFound(Declined):
    """The vendor does not know this voucher."""


class VoucherInactive(Declined):
    """The voucher is not active yet, or not any more."""


class VoucherExpired(Declined):
    """The voucher's validity is over."""


class InsufficientValue(Declined):
    """The voucher holds less than the requested amount."""


class CurrencyMismatch(Declined):
    """The voucher is in another currency."""


class WrongPin(Declined):
    """The PIN is wrong, or a PIN is required."""


class ReservationExpired(Declined):
    """The reservation has ended, or would end before a capture could arrive."""


class ReservationSuperseded(Declined):
    """Another reservation replaced this one at the vendor."""


class ReservationReleased(Declined):
    """The reservation was released before."""


class VoucherHeld(Declined):
    """The voucher has a reservation for another order, which this call would end."""


class VoucherMoved(Declined):
    """The voucher was moved to another account; this call would add value at the old one. See `Gateway.find_moved`."""


class AlreadyCaptured(Declined):
    """The reservation was captured before."""


class AlreadyRefunded(Declined):
    """Less of the redemption is left to refund than the requested amount."""


class DuplicateCode(Declined):
    """Another voucher already has this code or id."""


class PaymentDeclined(Declined):
    """A payment could not be authorized, because one leg or the other means was refused. Nothing is taken.

    What was held for the other legs is released.

    Attributes:
        leg: the number of the leg; 0 for the other means.
        cause: why that leg was refused; None if the cause was not recorded.
    """

    def __init__(
        self, message: str, *, leg: int | None = None, cause: VoucherGatewayError | None = None, **context: Any
    ) -> None:
        super().__init__(message, **context)
        self.leg = leg
        self.cause = cause


@attrs.frozen
class FieldError:
    """One complaint of the vendor about one field, in the vendor's words.

    Attributes:
        field: the field's name at the vendor.
        rule: the broken rule, as the vendor calls it.
        code: the vendor's code for this complaint.
        message: the vendor's sentence, masked where it could repeat a code.
    """

    field: str
    rule: str = ""
    code: str = ""
    message: str = ""


class Rejected(Declined):
    """The vendor refused for a reason that its documents do not define; `vendor_code` and `fields` are its own words.

    Attributes:
        fields: the vendor's complaints about single fields.
    """

    def __init__(self, message: str, *, fields: tuple[FieldError, ...] = (), **context: Any) -> None:
        super().__init__(message, **context)
        self.fields = fields
