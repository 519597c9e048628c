"""A reply, or its absence, that does not show what a request did."""

from __future__ import annotations

from typing import Any, Final

from voucher_gateway.errors import (
    MalformedResponse,
    OutcomeUnknown,
    ProviderUnavailable,
    RateLimited,
    VoucherGatewayError,
)
from voucher_gateway.http.messages import Request, Response
from voucher_gateway.http.retry import retry_after_s
from voucher_gateway.outcome import Intent

_TRANSIENT: Final = frozenset({408, 425})


class AmbiguousReply(Exception):
    """A reply, or its absence, that does not show what the request did; `reason` says why, for people.

    `contradicts` says whether a readable reply was about another voucher or amount than was asked for.
    """

    def __init__(self, reason: str, reply: Response | None = None, *, transient: bool = True) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = None if reply is None else reply.status
        self.request_id = None if reply is None else reply.request_id
        self.retry_after = None if reply is None else retry_after_s(reply.headers.get("retry-after"))
        self.transient = transient and (self.status is None or self.status >= 500 or self.status in _TRANSIENT)
        self.contradicts = False

    def as_read_error(self, request: Request) -> VoucherGatewayError:
        """Return the error for a request that only reads, and so did nothing."""
        message = f"{request.safe_text}: {self.reason}"
        context: dict[str, Any] = {"http_status": self.status, "request_id": self.request_id}
        if not self.transient:
            return MalformedResponse(message, **context)
        if self.retry_after is not None:
            return RateLimited(message, retry_after=self.retry_after, **context)
        return ProviderUnavailable(message, **context)

    def as_unknown_outcome(self, request: Request, intent: Intent) -> OutcomeUnknown:
        """Return the error for a request that changes something."""
        return OutcomeUnknown(
            f"{request.safe_text}: {self.reason}; it may have been carried out",
            ticket=intent.ticket(self.reason),
            http_status=self.status,
            request_id=self.request_id,
        )
