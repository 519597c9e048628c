"""Spans and metrics of OpenTelemetry: what they hold, and what they never hold."""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from voucher_gateway.provider_api import VoucherGatewayError
from voucher_gateway.telemetry import opentelemetry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.shop import Shop


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer", lambda *names: provider.get_tracer(*names))
    monkeypatch.setattr(opentelemetry, "SPANS", opentelemetry._OpenTelemetrySpans())
    yield exporter
    provider.shutdown()


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemoryMetricReader]:
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader])
    monkeypatch.setattr(metrics, "get_meter", lambda *names: provider.get_meter(*names))
    monkeypatch.setattr(opentelemetry, "SPANS", opentelemetry._OpenTelemetrySpans())
    yield reader
    provider.shutdown()


def test_a_call_has_a_span_and_each_request_one_below_it(shop: Shop, spans: InMemorySpanExporter) -> None:
    code = shop.voucher()[1]
    shop.gateway.balance("shop", code)  # it gets an access token
    spans.clear()
    shop.redeem(code, reference="1001-a", order="1001")

    reserve, capture, call = spans.get_finished_spans()
    assert (call.name, dict(call.attributes or {})) == (
        "voucher redeem",
        {
            "voucher_gateway.account": "shop",
            "voucher_gateway.verb": "redeem",
            "voucher_gateway.reference": "1001-a",
            "voucher_gateway.order": "1001",
            "voucher_gateway.outcome": "succeeded",
            "voucher_gateway.replayed": False,
        },
    )
    assert [span.name for span in (reserve, capture)] == ["POST /reservations", "POST /reservations/{id}/charge"]
    assert {span.parent.span_id for span in (reserve, capture) if span.parent} == {call.context.span_id}
    assert (reserve.attributes or {})["http.response.status_code"] in (200, 201)
    assert code not in "".join(span.to_json() for span in spans.get_finished_spans())


def test_a_refusal_marks_the_span_as_an_error(shop: Shop, spans: InMemorySpanExporter) -> None:
    code = shop.voucher()[1]
    shop.gateway.balance("shop", code)  # it gets an access token
    spans.clear()
    with suppress(VoucherGatewayError):
        shop.redeem(code, "60.00", reference="1001-a")
    request, *_, call = spans.get_finished_spans()
    assert (call.status.status_code.name, (call.attributes or {})["error.type"]) == ("ERROR", "InsufficientValue")
    assert request.status.status_code.name == "ERROR"


def test_a_lost_answer_has_its_reason(shop: Shop, spans: InMemorySpanExporter) -> None:
    code = shop.voucher()[1]
    shop.gateway.balance("shop", code)  # it gets an access token
    spans.clear()
    shop.running.inject("drop-before", "GET *", times=1)
    with suppress(VoucherGatewayError):
        shop.gateway.find(code, broadcast=True)
    first, _ = spans.get_finished_spans()
    assert "error.type" in (first.attributes or {})
    assert first.status.status_code.name == "ERROR"


def test_calls_are_counted_by_account_verb_and_outcome(shop: Shop, reader: InMemoryMetricReader) -> None:
    code = shop.voucher()[1]
    shop.redeem(code, reference="1001-a")
    shop.redeem(code, reference="1001-a")
    with suppress(VoucherGatewayError):
        shop.redeem(code, "60.00", reference="1001-b")
    data = reader.get_metrics_data()
    assert data is not None
    instruments: dict[str, Any] = {
        metric.name: metric.data.data_points
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }
    counts = {
        (point.attributes["voucher_gateway.verb"], point.attributes["voucher_gateway.outcome"]): point.value
        for point in instruments["voucher_gateway.calls"]
    }
    assert counts["redeem", "succeeded"] == 2
    assert counts["redeem", "declined"] == 1
    assert sum(point.count for point in instruments["voucher_gateway.call.duration"]) == sum(counts.values())


def test_a_program_without_opentelemetry_does_not_import_it() -> None:
    script = """
import sys
from voucher_gateway import Gateway, Money
from voucher_gateway.simulator import start
with start("jtl", vouchers=1) as running:
    login = {name: running.announcement[name] for name in ("base_url", "client_id", "client_secret")}
    with Gateway.from_config({"accounts": {"shop": {"provider": "jtl", **login}}}) as gateway:
        gateway.balance("shop", running.ledger()[0]["code"])
print([name for name in sys.modules if name.startswith("opentelemetry")])
"""
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert result.stdout == "[]\n"


class BrokenProcessor(SpanProcessor):
    """A processor of spans that raises at their begin or at their end."""

    def __init__(self, moment: str) -> None:
        self.moment = moment

    def on_start(self, span: Any, parent_context: Any = None) -> None:
        if self.moment == "begin":
            raise RuntimeError("4711 broken")

    def on_end(self, span: Any) -> None:
        if self.moment == "end":
            raise RuntimeError("4711 broken")


@pytest.mark.parametrize("moment", ["begin", "end"])
def test_a_processor_that_raises_changes_no_outcome(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, moment: str
) -> None:
    voucher_id, code = shop.voucher()
    provider = TracerProvider()
    provider.add_span_processor(BrokenProcessor(moment))
    monkeypatch.setattr(trace, "get_tracer", lambda *names: provider.get_tracer(*names))
    monkeypatch.setattr(opentelemetry, "SPANS", opentelemetry._OpenTelemetrySpans())

    assert not shop.redeem(code).replayed

    assert (shop.remaining(voucher_id), shop.charges()) == ("40.00", 1)
    assert "OpenTelemetry raised RuntimeError: a span or a metric is not recorded" in caplog.text
    assert "4711" not in caplog.text
    assert not trace.get_current_span().get_span_context().is_valid, "no span stays current"


def test_a_metric_that_raises_changes_no_outcome(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("4711 broken")

    broken = opentelemetry._OpenTelemetrySpans()
    monkeypatch.setattr(broken.calls, "add", fail)
    monkeypatch.setattr(opentelemetry, "SPANS", broken)
    code = shop.voucher()[1]
    assert not shop.redeem(code).replayed
