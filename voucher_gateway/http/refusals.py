"""The errors of replies that refuse: by their status, and by the vendor's own reading of the body."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from voucher_gateway.errors import (
    AccessDenied,
    AuthenticationFailed,
    Declined,
    NotExecuted,
    RateLimited,
    VoucherGatewayError,
)
from voucher_gateway.http import outcome_table
from voucher_gateway.http.ambiguous_reply import AmbiguousReply
from voucher_gateway.http.messages import Request, Response
from voucher_gateway.http.retry import retry_after_s
from voucher_gateway.outcome import Effect

Explain = Callable[[Response], VoucherGatewayError | None]
"""Returns the error for a vendor's refusal; None if the body is not in the vendor's own shape."""


@attrs.frozen
class RefusalReader:
    """Reads the refusals of one vendor.

    Attributes:
        explain: reads the vendor's error bodies.
        explain_success: reads the refusals with a success status; None where the vendor has none.
        statuses: those that the vendor documents for refusals.
    """

    explain: Explain
    explain_success: Explain | None
    statuses: frozenset[int]

    def error(self, request: Request, reply: Response) -> Exception:
        """Return the error for a reply that is not a success."""
        context: dict[str, Any] = {"http_status": reply.status, "request_id": reply.request_id}
        if reply.status == 401:
            return AuthenticationFailed(f"{request.safe_text}: the vendor does not accept the credentials", **context)
        if reply.status == 429:
            wait = retry_after_s(reply.headers.get("retry-after"))
            return RateLimited(f"{request.safe_text}: too many requests", retry_after=wait, **context)
        explained = self._parse_body(reply)
        effect = outcome_table.effect_of_status(reply.status, in_shape=explained is not None, refusals=self.statuses)
        if explained is not None and effect is Effect.DECLINED:
            return explained.with_context(**context)
        if 300 <= reply.status <= 399:
            return AmbiguousReply("answered with a redirect, which is never followed", reply)
        return AmbiguousReply(f"answered with HTTP {reply.status}", reply)

    def refusal_of_success(self, reply: Response) -> VoucherGatewayError | None:
        """Return the error of a success that refuses; None for every other one, which `read` may read."""
        if self.explain_success is None:
            return None
        try:
            error = self.explain_success(reply)
        except Exception:  # noqa: BLE001 - `read` reads the body too, and its outcome is unknown if that fails
            return None
        return error if isinstance(error, Declined | AccessDenied | NotExecuted) else None

    def _parse_body(self, reply: Response) -> VoucherGatewayError | None:
        try:
            return self.explain(reply)
        except Exception:  # noqa: BLE001 - a body on which `explain` fails is not in the vendor's shape
            return None
