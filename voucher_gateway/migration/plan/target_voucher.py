"""Makes the request for the voucher of a move at the target. Sends nothing."""

from __future__ import annotations

from typing import Any, Final

from voucher_gateway.capabilities import Capabilities
from voucher_gateway.migration.plan.assess import is_not_spendable
from voucher_gateway.migration.plan.model import PlannedVoucher
from voucher_gateway.models.requests import NewVoucher
from voucher_gateway.models.voucher import Interval, Medium, Validity, Voucher

_CARRIED: Final = ("pin", "medium", "taxable", "tax_rate", "sku", "batch", "order", "metadata")


def build_target_voucher(voucher: Voucher, planned: PlannedVoucher, can: Capabilities, *, later: bool) -> NewVoucher:
    """Return the request for the voucher at the target. Fields that the target cannot store, its losses, are left out.

    Args:
        voucher: the voucher, as it was just read at the source, with its code and PIN.
        planned: the planned voucher.
        can: the capabilities of the target.
        later: whether it is issued inactive, to be activated later.
    """
    destination = planned.destination
    assert destination is not None
    texts: dict[str, Any] = {
        name: getattr(voucher, name) for name in _CARRIED if _is_stored_by_target(name, voucher, can)
    }
    if destination.validity_days is not None:
        texts["validity"] = Validity(destination.validity_days, Interval.DAYS)
    elif is_not_spendable(planned.status) and _length_fits(voucher, can):
        texts["validity"] = voucher.validity
    return NewVoucher(
        initial=destination.value,
        code=None if destination.new_code else voucher.code,
        active=False if later else destination.active,
        valid_until=destination.valid_until,
        **texts,
    )


def _is_stored_by_target(name: str, voucher: Voucher, can: Capabilities) -> bool:
    value = getattr(voucher, name)
    if (
        value in (None, "") or name not in can.stored_fields or value is Medium.UNKNOWN
    ):  # an empty text has no information
        return False
    longest = can.max_text_lengths.get(name)
    text = value if isinstance(value, str) else value.reveal() if name == "pin" else ""
    return longest is None or len(text) <= longest


def _length_fits(voucher: Voucher, can: Capabilities) -> bool:
    """Return whether activation sets the end of validity, and the target can count it in the same way."""
    validity = voucher.validity
    return (
        voucher.valid_until is None
        and validity is not None
        and validity.interval is not Interval.UNKNOWN
        and can.expiry.takes_lengths
    )
