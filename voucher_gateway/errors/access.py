"""The login does not have the right to do it."""

from __future__ import annotations

from typing import Any

from voucher_gateway.errors.base import OutcomeName, VoucherGatewayError


class AccessDenied(VoucherGatewayError):
    """The login does not have the right to do this."""

    outcome: OutcomeName = "declined"


class AuthenticationFailed(AccessDenied):
    """The vendor does not accept the credentials."""

    outcome: OutcomeName = "not_executed"


class MissingScope(AccessDenied):
    """The login does not have a scope that the call needs.

    Attributes:
        scope: the vendor's name of the scope.
    """

    def __init__(self, message: str, *, scope: str | None = None, **context: Any) -> None:
        super().__init__(message, **context)
        self.scope = scope
