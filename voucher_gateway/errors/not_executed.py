"""The call certainly did not happen. It may be made again, now or later."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from voucher_gateway.errors.base import VoucherGatewayError


class NotExecuted(VoucherGatewayError):
    """The call certainly did not happen. The same call may be made again."""


class ProviderUnavailable(NotExecuted):
    """The vendor could not be reached, or a read got no usable answer in time."""


class AccountPaused(ProviderUnavailable):
    """A person has paused the account. Nothing was sent."""


class DatabaseUnavailable(NotExecuted):
    """The database cannot be read or written: full, locked, read-only or not reachable. Nothing was sent."""


class AccountsUnavailable(NotExecuted):
    """The source of the accounts raised an error, so that this account is not known now. Nothing was sent."""


class RateLimited(NotExecuted):
    """The vendor asks for fewer requests.

    Attributes:
        retry_after: seconds to wait, if the vendor said so.
    """

    def __init__(self, message: str, *, retry_after: float | None = None, **context: Any) -> None:
        super().__init__(message, **context)
        self.retry_after = retry_after


class TooManyChecks(VoucherGatewayError):
    """This caller, or all callers together, tried too many codes. The vendor was not asked.

    Attributes:
        retry_at: when the next code may be tried, in UTC.
    """

    def __init__(self, message: str, *, retry_at: datetime, **context: Any) -> None:
        super().__init__(message, **context)
        self.retry_at = retry_at
