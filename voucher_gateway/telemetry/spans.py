"""The spans of a call and of a request, as the rest of this library sees them."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Final, Protocol

SCOPE: Final = "voucher_gateway"
"""The name of the tracer and of the meter, and the first part of the name of each attribute and metric."""


class CallSpan:
    """The span of a call, and the counts of its end; it does nothing without OpenTelemetry."""

    def end_call(self, outcome: str, error: str | None, replayed: bool, duration_ms: float) -> None:
        """Note how the call ended."""


class RequestSpan:
    """The span of a request; it does nothing without OpenTelemetry."""

    def set_status(self, status: int) -> None:
        """Note the HTTP status of the reply."""

    def set_failure(self, reason: str) -> None:
        """Note why no complete reply came."""


class SpanMaker(Protocol):
    """What makes spans: the module `voucher_gateway.telemetry.opentelemetry`."""

    def call_span(
        self, account: str, verb: str, reference: str | None, order: str | None
    ) -> AbstractContextManager[CallSpan]:
        """Make the span of a call current."""
        ...

    def request_span(self, account: str, method: str, template: str, host: str) -> AbstractContextManager[RequestSpan]:
        """Make the span of one request current."""
        ...
