"""Another call is in the way."""

from __future__ import annotations

from typing import Any

from voucher_gateway.errors.base import VoucherGatewayError


class ReferenceConflict(VoucherGatewayError):
    """The reference was already used for another call. A new call needs a new reference."""


class ReferencePruned(ReferenceConflict):
    """The reference was used before, and the details of that call were removed from the journal. It is not sent again.

    Attributes:
        state: how that call ended: ``succeeded``, ``declined`` or ``not_executed``; the state of a payment or a sale.
        month: the year and the month in which it was begun, such as ``2024-10``.
    """

    def __init__(self, message: str, *, state: str, month: str, **context: Any) -> None:
        super().__init__(message, **context)
        self.state = state
        self.month = month


class PaymentConflict(VoucherGatewayError):
    """The order has a payment of another total that cannot be replaced, or its state does not allow the call."""


class SaleConflict(VoucherGatewayError):
    """The state of the sale does not allow the call: it is revoked, for example, or its code was delivered."""


class OperationInProgress(VoucherGatewayError):
    """Another worker runs this call now, or an operation with an unknown outcome must be resolved first."""
