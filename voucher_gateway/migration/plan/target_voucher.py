"""The voucher that is asked for at the target, made from that at the source."""

from __future__ import annotations

from typing import Any, Final

from voucher_gateway.capabilities import Capabilities
from voucher_gateway.migration.plan.model import PlannedVoucher
from voucher_gateway.models.requests import NewVoucher
from voucher_gateway.models.voucher import Interval, Medium, Status, Validity, Voucher

_CARRIED: Final = ("pin", "medium", "taxable", "tax_rate", "sku", "batch", "order", "metadata")


def build_target_voucher(voucher: Voucher, planned: PlannedVoucher, can: Capabilities, *, later: bool) -> NewVoucher:
    """Return the voucher to ask for. What the target cannot keep is left out; the plan has named it as a loss.

    Args:
        voucher: as it was just read at the source, with its secrets.
        planned: what the plan says of it.
        can: what the target can do.
        later: whether it is to be inactive at first.
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


def is_not_spendable(status: Status | None) -> bool:
    """Whether a voucher is not to be spent. One without a status can be, one with an unknown status perhaps not."""
    return status not in (None, Status.ACTIVE)


def _is_stored_by_target(name: str, voucher: Voucher, can: Capabilities) -> bool:
    value = getattr(voucher, name)
    if value in (None, "") or name not in can.stored_fields or value is Medium.UNKNOWN:  # an empty text says nothing
        return False
    longest = can.max_text_lengths.get(name)
    text = value if isinstance(value, str) else value.reveal() if name == "pin" else ""
    return longest is None or len(text) <= longest


def _length_fits(voucher: Voucher, can: Capabilities) -> bool:
    """Whether the end is not known yet, as activation would set it, and the target counts it in the same way."""
    validity = voucher.validity
    return (
        voucher.valid_until is None
        and validity is not None
        and validity.interval is not Interval.UNKNOWN
        and can.expiry.takes_lengths
    )
