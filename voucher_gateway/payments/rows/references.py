"""The references and keys of all calls of a payment. They are made from the payment, the leg and the generation.

Of the payment's id they have only the part that the journal's key makes of the order number and the attempt. So a
journal that was restored from a backup, and that has forgotten a payment, gives the same calls the same references:
the movements at the vendors are recognised, and the other means gets the same keys again.
"""

from __future__ import annotations

import hashlib
from typing import Final

_TIME_LENGTH: Final = 12
"""The first characters of an id, by which ids sort by time."""

_REFUND_LENGTH: Final = 12


def payment_mark(payment_id: str) -> str:
    """Return the part of a payment's id that is always the same for an order and an attempt."""
    return payment_id[_TIME_LENGTH:]


def payment_reference(payment_id: str, leg: int, generation: int) -> str:
    """Return the reference of the reserve, the capture, the release or the redeem of a leg in one generation."""
    return f"{payment_mark(payment_id)}-{leg}-g{generation}"


def return_reference(payment_id: str, leg: int) -> str:
    """Return the reference of the refund by which a cancellation gives a leg back."""
    return f"{payment_mark(payment_id)}-{leg}-back"


def refund_reference(payment_id: str, refund: str, leg: int) -> str:
    """Return the reference of the refund of a leg by one of the payment's refunds, which the caller has named."""
    return f"{payment_mark(payment_id)}-r{_refund_mark(refund)}-{leg}"


def replacement_reference(payment_id: str, refund: str, leg: int) -> str:
    """Return the reference of the issue of a voucher that replaces the refund of a leg."""
    return f"{refund_reference(payment_id, refund, leg)}-new"


def other_key(payment_id: str, generation: int) -> str:
    """Return the key of the authorization at the other means in one generation."""
    return f"{payment_mark(payment_id)}-other-g{generation}"


def other_capture_key(payment_id: str, generation: int) -> str:
    """Return the key of the capture at the other means."""
    return f"{other_key(payment_id, generation)}-capture"


def other_void_key(payment_id: str, generation: int) -> str:
    """Return the key of the void at the other means."""
    return f"{other_key(payment_id, generation)}-void"


def other_return_key(payment_id: str, generation: int) -> str:
    """Return the key of the refund at the other means by which a cancellation gives its money back."""
    return f"{other_key(payment_id, generation)}-back"


def other_refund_key(payment_id: str, generation: int, refund: str) -> str:
    """Return the key of the refund at the other means by one of the payment's refunds."""
    return f"{other_key(payment_id, generation)}-refund-{_refund_mark(refund)}"


def _refund_mark(refund: str) -> str:
    """Return what stands for the caller's name of a refund. A number would stand for another one after a restore."""
    return hashlib.sha256(refund.encode("utf-8", "surrogatepass")).hexdigest()[:_REFUND_LENGTH]
