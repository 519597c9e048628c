"""The truth about a voucher, in the one shape that every simulator's `ledger` has.

Amounts are text in the currency's main unit, with all its decimals; instants are RFC 3339 text.
"""

from __future__ import annotations

from typing import Any

from attrs import field, frozen


@frozen(kw_only=True)
class LedgerMovement:
    """One thing that happened to a voucher's value.

    Attributes:
        id: the vendor's.
        kind: the vendor's word for it.
        amount: what moved, without a sign.
        reference: what the client called it, where the vendor keeps that.
        at: when, by the simulator's clock.
    """

    id: str
    kind: str
    amount: str
    reference: str | None = None
    at: str

    def to_json(self) -> dict[str, object]:
        """Return it as JSON values."""
        return {
            "id": self.id,
            "kind": self.kind,
            "amount": self.amount,
            "reference": self.reference,
            "at": self.at,
        }


@frozen(kw_only=True)
class LedgerVoucher:
    """One voucher as it truly is.

    Attributes:
        id: the vendor's.
        code: in plain text.
        currency: ISO 4217.
        initial: its face value.
        remaining: what is left, reserved or not.
        reserved: what is set aside of that now.
        status: the vendor's word.
        valid_until: the end of validity; None for none.
        movements: what happened, oldest first.
        more: what else a test may want to know, such as ``pin``.
    """

    id: str
    code: str = field(repr=False)
    currency: str
    initial: str
    remaining: str
    reserved: str
    status: str
    valid_until: str | None = None
    movements: tuple[LedgerMovement, ...] = ()
    details: dict[str, Any] = field(factory=dict, repr=False)

    def to_json(self) -> dict[str, object]:
        """Return it as JSON values."""
        return {
            "id": self.id,
            "code": self.code,
            **self.details,
            "currency": self.currency,
            "initial": self.initial,
            "remaining": self.remaining,
            "reserved": self.reserved,
            "status": self.status,
            "valid_until": self.valid_until,
            "movements": [movement.to_json() for movement in self.movements],
        }
