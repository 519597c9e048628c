"""The root of all errors."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, Self

OutcomeName = Literal["succeeded", "declined", "not_executed", "unknown", "pending"]


class VoucherGatewayError(Exception):
    """The root of all errors here.

    Attributes:
        outcome: what became of the call: ``declined``, ``not_executed``, ``unknown`` or ``pending``.
        retry_safe: whether the same call may be made again, unchanged, without the danger of moving money twice.
        account: the account's name, if one was involved.
        operation: the operation's name, e.g. ``capture``.
        http_status: the vendor's HTTP status, if it answered.
        vendor_code: the vendor's own error code.
        request_id: the vendor's id of the request, for its support.
    """

    outcome: OutcomeName = "not_executed"
    retry_safe: bool = True

    _named: ClassVar[tuple[str, ...]] = ("account", "operation", "http_status", "vendor_code", "request_id")

    def __init__(
        self,
        message: str,
        *,
        account: str | None = None,
        operation: str | None = None,
        http_status: int | None = None,
        vendor_code: str | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.account = account
        self.operation = operation
        self.http_status = http_status
        self.vendor_code = vendor_code
        self.request_id = request_id

    @property
    def message(self) -> str:
        """The sentence alone."""
        return str(self.args[0])

    def __str__(self) -> str:
        where = " ".join(part for part in (self.account, self.operation) if part)
        return f"{where}: {self.message}" if where else self.message

    def with_context(self, **context: Any) -> Self:
        """Fill in what is not yet known of `account`, `operation` and the like, and return the error itself."""
        for name, value in context.items():
            if getattr(self, name) is None:
                setattr(self, name, value)
        return self


def rebuild(kind: type[VoucherGatewayError], message: str, state: dict[str, Any]) -> VoucherGatewayError:
    """Make an error again from a pickle without its constructor, whose keywords are required."""
    error = kind.__new__(kind, message)
    error.args = (message,)
    error.__dict__.update(state)
    return error
