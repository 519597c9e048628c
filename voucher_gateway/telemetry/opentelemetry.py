"""The spans and metrics of this library, made with the API package of OpenTelemetry.

The span of a request has the template of its path, never the path: codes stand in paths. While a request is sent, the
automatic instrumentations of HTTP libraries are switched off, because they would record the path and the query.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from opentelemetry import context as otel_context
from opentelemetry import metrics, trace

from voucher_gateway.process.loggers import get_logger
from voucher_gateway.telemetry.spans import SCOPE, CallSpan, RequestSpan, SpanMaker
from voucher_gateway.version import __version__

log: Final = get_logger("voucher_gateway.telemetry")

# Both keys are in the API package, so that all instrumentations have the same. Their names are not documented.
_SUPPRESSED: Final = tuple(
    key
    for name in ("_SUPPRESS_HTTP_INSTRUMENTATION_KEY", "_SUPPRESS_INSTRUMENTATION_KEY")
    if (key := getattr(otel_context, name, None)) is not None
)


class _TracedCall(CallSpan):
    def __init__(self, account: str, verb: str, span: trace.Span, spans: _OpenTelemetrySpans) -> None:
        self._labels = {f"{SCOPE}.account": account, f"{SCOPE}.verb": verb}
        self._span = span
        self._spans = spans

    def end_call(self, outcome: str, error: str | None, replayed: bool, duration_ms: float) -> None:
        labels = {**self._labels, f"{SCOPE}.outcome": outcome}
        with _drop_errors():
            self._spans.calls.add(1, labels)
            self._spans.durations.record(duration_ms / 1000, labels)
        with _drop_errors():
            self._span.set_attribute(f"{SCOPE}.outcome", outcome)
            self._span.set_attribute(f"{SCOPE}.replayed", replayed)
            if error is not None:
                self._span.set_attribute("error.type", error)
                self._span.set_status(trace.StatusCode.ERROR, error)


class _TracedRequest(RequestSpan):
    def __init__(self, span: trace.Span) -> None:
        self._span = span

    def set_status(self, status: int) -> None:
        with _drop_errors():
            self._span.set_attribute("http.response.status_code", status)
            if status >= 400:
                self._span.set_status(trace.StatusCode.ERROR, f"HTTP {status}")

    def set_failure(self, reason: str) -> None:
        with _drop_errors():
            self._span.set_attribute("error.type", reason)
            self._span.set_status(trace.StatusCode.ERROR, reason)


class _OpenTelemetrySpans:
    """Makes spans with the tracer and the meter of the program. Both can be set after this object was made."""

    def __init__(self) -> None:
        self._tracer = trace.get_tracer(SCOPE, __version__)
        meter = metrics.get_meter(SCOPE, __version__)
        self.calls = meter.create_counter(f"{SCOPE}.calls", description="Calls by account, verb and outcome.")
        self.durations = meter.create_histogram(
            f"{SCOPE}.call.duration", unit="s", description="How long calls take, by account, verb and outcome."
        )

    @contextmanager
    def call_span(self, account: str, verb: str, reference: str | None, order: str | None) -> Iterator[CallSpan]:
        attributes = {f"{SCOPE}.account": account, f"{SCOPE}.verb": verb}
        if reference is not None:
            attributes[f"{SCOPE}.reference"] = reference
        if order is not None:
            attributes[f"{SCOPE}.order"] = order
        with self._current_span(f"voucher {verb}", attributes) as span:
            yield _TracedCall(account, verb, span, self)

    @contextmanager
    def request_span(self, account: str, method: str, template: str, host: str) -> Iterator[RequestSpan]:
        attributes = {
            f"{SCOPE}.account": account,
            "http.request.method": method,
            "url.template": template,
            "server.address": host,
        }
        with self._current_span(f"{method} {template}", attributes, trace.SpanKind.CLIENT) as span:
            context = otel_context.get_current()
            for key in _SUPPRESSED:
                context = otel_context.set_value(key, True, context)
            token = otel_context.attach(context)
            try:
                yield _TracedRequest(span)
            finally:
                otel_context.detach(token)

    @contextmanager
    def _current_span(
        self, name: str, attributes: Mapping[str, str], kind: trace.SpanKind = trace.SpanKind.INTERNAL
    ) -> Iterator[trace.Span]:
        """Make a span current. A processor of spans that raises changes nothing for the call: it may have moved money.

        The text of an error is not recorded: an error that is not of this library could quote a code.
        """
        current: Any = None
        span = None
        with _drop_errors():
            current = self._tracer.start_as_current_span(
                name, kind=kind, attributes=attributes, record_exception=False, set_status_on_exception=False
            )
            span = current.__enter__()
        try:
            yield trace.INVALID_SPAN if span is None else span
        finally:
            if span is not None:
                with _drop_errors():
                    current.__exit__(None, None, None)


@contextmanager
def _drop_errors() -> Iterator[None]:
    """Drop an error of what the program records with, and log its type. Its text could quote what it was given."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - a foreign error must not stand for the outcome of a call
        log.warning("OpenTelemetry raised %s: a span or a metric is not recorded", type(error).__name__)


SPANS: Final[SpanMaker] = _OpenTelemetrySpans()
"""What makes the spans of this process."""
