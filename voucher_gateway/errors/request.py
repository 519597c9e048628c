"""Errors about a call that is wrong as it stands."""

from __future__ import annotations

from typing import Any

from voucher_gateway.errors.root import VoucherGatewayError, rebuild


class InvalidRequest(VoucherGatewayError):
    """The call is wrong as it stands. Nothing was sent.

    Attributes:
        field: the argument that is wrong.
        rule: the rule it breaks.
    """

    def __init__(self, message: str, *, field: str, rule: str, **context: Any) -> None:
        super().__init__(message, **context)
        self.field = field
        self.rule = rule

    def __reduce__(self) -> tuple[Any, ...]:
        return (rebuild, (type(self), self.message, self.__dict__.copy()))


class AmountPrecisionError(InvalidRequest):
    """The amount has more decimals than the currency, or the vendor's wire format, can carry."""


class AmountOutOfRange(InvalidRequest):
    """The amount is above or below what the vendor takes."""
