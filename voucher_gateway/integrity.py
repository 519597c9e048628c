"""Whether an answer is about the voucher that was asked about."""

from __future__ import annotations

from typing import Final

from voucher_gateway.errors import IntegrityMismatch
from voucher_gateway.models.results import Redemption, Refund, Reservation, TopUp
from voucher_gateway.models.voucher import Voucher

OTHER_VOUCHER: Final = "it tells of another voucher"
"""What is said, and recorded of a request, where its answer names another voucher than the expected one."""


def voucher_id_of(result: object) -> str | None:
    """Return the id of the voucher that a result names; None if it names none."""
    if isinstance(result, Voucher):
        return result.id
    return result.voucher_id if isinstance(result, Reservation | Redemption | Refund | TopUp) else None


def require_voucher(voucher_id: str | None, result: object) -> None:
    """Make sure that a result names no other voucher than the expected one, as far as both are known.

    Raises:
        IntegrityMismatch: if it does.
    """
    named = voucher_id_of(result)
    if voucher_id is not None and named is not None and named != voucher_id:
        raise IntegrityMismatch(OTHER_VOUCHER)
