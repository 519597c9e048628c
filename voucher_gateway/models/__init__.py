"""The domain: vouchers and what happens to them, in no vendor's words.

All classes are frozen. ``raw`` holds the vendor's own object, so that nothing the vendor sent is lost; it takes no
part in ``repr``, equality and hash. Amounts are positive; the direction is in the type.
"""

from voucher_gateway.models.presentation import Branding, DocumentLayout, FooterColumn, Presentation, Seller
from voucher_gateway.models.requests import KEEP, NewVoucher, VoucherChanges, VoucherQuery
from voucher_gateway.models.results import (
    Balance,
    Deletion,
    History,
    Movement,
    Redemption,
    Refund,
    Release,
    Reservation,
    TopUp,
)
from voucher_gateway.models.voucher import Interval, Medium, MovementKind, RawObject, Status, Validity, Voucher

__all__ = [
    "KEEP",
    "Balance",
    "Branding",
    "Deletion",
    "DocumentLayout",
    "FooterColumn",
    "History",
    "Interval",
    "Medium",
    "Movement",
    "MovementKind",
    "NewVoucher",
    "Presentation",
    "RawObject",
    "Redemption",
    "Refund",
    "Release",
    "Reservation",
    "Seller",
    "Status",
    "TopUp",
    "Validity",
    "Voucher",
    "VoucherChanges",
    "VoucherQuery",
]
