"""The configuration or the call must be corrected. Nothing was sent."""

from __future__ import annotations

from typing import Any

from voucher_gateway.errors.base import VoucherGatewayError


class ConfigurationError(VoucherGatewayError):
    """The configuration, or a provider's declaration, is wrong."""


class UnsupportedOperation(VoucherGatewayError):
    """The vendor does not have this operation, and no emulation is accepted. Raised before any request.

    Attributes:
        emulation: the emulation that the account could accept in `accept_risks`, if there is one.
    """

    def __init__(self, message: str, *, emulation: str | None = None, **context: Any) -> None:
        super().__init__(message, **context)
        self.emulation = emulation


class InvalidRequest(VoucherGatewayError):
    """An argument of the call is wrong. Nothing was sent.

    Attributes:
        field: the argument that is wrong.
        rule: the rule that it breaks.
    """

    def __init__(self, message: str, *, field: str, rule: str, **context: Any) -> None:
        super().__init__(message, **context)
        self.field = field
        self.rule = rule


class AmountPrecisionError(InvalidRequest):
    """The amount has more decimals than the currency, or the vendor's wire format, can carry."""


class AmountOutOfRange(InvalidRequest):
    """The amount is above or below what the vendor accepts."""
