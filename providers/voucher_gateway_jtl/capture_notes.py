"""What the intent of a capture notes of its reservation.

JTL tells the tax of a voucher with the reservation, and not with the charge. The redemption has to tell it too, even
if the charge is found out later, by another process.
"""

from __future__ import annotations

from typing import Final

from voucher_gateway.provider_api import Intent, Reservation, format_instant

_TAXABLE: Final = "voucher_taxable"
_TAX_RATE: Final = "voucher_tax_rate"
_FLAGS: Final = {"yes": True, "no": False}


def capture_notes(reservation: Reservation) -> dict[str, str]:
    """Return the notes: the end of the reservation, which decides an unknown capture, and the tax of the voucher."""
    notes = {}
    if reservation.valid_until is not None:
        notes["valid_until"] = format_instant(reservation.valid_until)
    if reservation.taxable is not None:
        notes[_TAXABLE] = "yes" if reservation.taxable else "no"
    if reservation.tax_rate is not None:
        notes[_TAX_RATE] = reservation.tax_rate
    return notes


def taxable_noted(intent: Intent) -> bool | None:
    """Return the tax flag of the voucher."""
    return _FLAGS.get(intent.notes.get(_TAXABLE, ""))


def tax_rate_noted(intent: Intent) -> str | None:
    """Return the tax rate of the voucher."""
    return intent.notes.get(_TAX_RATE)
