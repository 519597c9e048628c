"""Spans and metrics of OpenTelemetry, where the program uses it. Otherwise nothing happens here.

A program that records spans or metrics has imported the API package of OpenTelemetry. As long as it has not, no
program could receive them, so the package is not imported: that would take longer than the import of this library.
"""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext
from typing import Final

from voucher_gateway.telemetry.spans import CallSpan, RequestSpan, SpanMaker

_NO_CALL: Final = nullcontext(CallSpan())
_NO_REQUEST: Final = nullcontext(RequestSpan())


def call_span(account: str, verb: str, reference: str | None, order: str | None) -> AbstractContextManager[CallSpan]:
    """Make the span of a call current. It has the reference and the order number, never a code."""
    spans = _span_maker()
    return _NO_CALL if spans is None else spans.call_span(account, verb, reference, order)


def request_span(account: str, method: str, template: str, host: str) -> AbstractContextManager[RequestSpan]:
    """Make the span of one request current, and keep the instrumentation of HTTP libraries from recording its URL."""
    spans = _span_maker()
    return _NO_REQUEST if spans is None else spans.request_span(account, method, template, host)


def _span_maker() -> SpanMaker | None:
    if "opentelemetry.trace" not in sys.modules:
        return None
    from voucher_gateway.telemetry.opentelemetry import SPANS

    return SPANS
