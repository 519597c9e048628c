"""The base class of all errors."""

from __future__ import annotations

from typing import Any, Literal, Self

OutcomeName = Literal["succeeded", "declined", "not_executed", "unknown", "pending"]


class VoucherGatewayError(Exception):
    """The base class of all errors here.

    Attributes:
        outcome: what became of the call: ``declined``, ``not_executed``, ``unknown`` or ``pending``; ``succeeded`` if
            it did something else than was asked for.
        retry_safe: whether the same call may be made again, unchanged, without the risk of moving money twice.
        account: the account's name, if one was involved.
        operation: the operation's name, e.g. ``capture``.
        step: the operation that stood for a part of this one, where the vendor does not have this one; None without.
        http_status: the vendor's HTTP status, if it answered.
        vendor_code: the vendor's own error code.
        request_id: the vendor's id of the request, for its support.
    """

    outcome: OutcomeName = "not_executed"
    retry_safe: bool = True
    step: str | None = None

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
        """The message without the account and the operation."""
        return str(self.args[0])

    def __str__(self) -> str:
        where = " ".join(part for part in (self.account, self.operation) if part)
        if self.step:
            where = f"{where} (step {self.step})"
        return f"{where}: {self.message}" if where else self.message

    def __reduce__(self) -> tuple[Any, ...]:
        return (unpickle_error, (type(self), self.message, self.__dict__.copy()))

    def with_context(self, **context: Any) -> Self:
        """Fill in the attributes among `context` that are still None, and return the error itself."""
        for name, value in context.items():
            if getattr(self, name) is None:
                setattr(self, name, value)
        return self

    def name_call(self, operation: str) -> Self:
        """Name the operation that the caller asked for, where the error names a step of it; return the error itself."""
        if self.operation is not None and self.operation != operation:
            self.step, self.operation = self.operation, operation
        return self


def unpickle_error(kind: type[VoucherGatewayError], message: str, state: dict[str, Any]) -> VoucherGatewayError:
    """Return the error that a pickle describes. It does not call the constructor, which can require more arguments."""
    error = kind.__new__(kind, message)
    error.args = (message,)
    error.__dict__.update(state)
    return error
