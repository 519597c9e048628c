"""The recipes of docs/error-trackers.md, run with the real SDKs in processes of their own; nothing leaves the machine.

Each test also runs without the recipe, where the code must be found: else it would prove nothing.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.support.long import first

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = (ROOT / "docs" / "error-trackers.md").read_text("utf-8")
RECIPES: Final = dict(re.findall(r"^```py\n# (\w+)\.py\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE))

SENTRY: Final = """
import json, sentry_sdk
from sentry_sdk.transport import Transport

RECORDED = []

class Local(Transport):
    def capture_envelope(self, envelope):
        RECORDED.extend(item.payload.json for item in envelope.items)

init = sentry_sdk.init
sentry_sdk.init = lambda **options: init(**{**options, "transport": Local, "traces_sample_rate": 1.0})

def spend(call, code, pin):
    with sentry_sdk.start_transaction(name="spend"):
        try:
            call(code, pin)
        except Exception as error:
            sentry_sdk.capture_exception(error)

def recorded():
    sentry_sdk.flush()
    return json.dumps(RECORDED)
"""

OPENTELEMETRY: Final = """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

EXPORTER = InMemorySpanExporter()
trace.set_tracer_provider(TracerProvider())
trace.get_tracer_provider().add_span_processor(SimpleSpanProcessor(EXPORTER))

def spend(call, code, pin):
    with trace.get_tracer("shop").start_as_current_span("spend") as span:
        try:
            call(code, pin)
        except Exception as error:
            span.record_exception(error)

def recorded():
    return "".join(span.to_json() for span in EXPORTER.get_finished_spans())
"""

# The codes are in the query (find) and in the path (presentation), the PIN is in a body. In the end no vendor is there.
SHOP: Final = """
from urllib.parse import quote
from voucher_gateway import Gateway, Money
from voucher_gateway.simulator import start

def account(running, **more):
    announced = running.announcement
    logins = ("base_url", "client_id", "client_secret", "api_key")
    login = {name: announced[name] for name in logins if name in announced}
    return {"provider": announced["provider"], **login, **more}

def code_of(running):
    return max((entry["code"] for entry in running.ledger() if quote(entry["code"], safe="") == entry["code"]), key=len)

pin = "PIN-4711-CANARY"
with start("jtl", vouchers=9) as jtl, start("ticketing", vouchers=9) as ticketing:
    gateway = Gateway.from_config({"accounts": {"shop": account(jtl, tries=1), "events": account(ticketing, tries=1)}})
    secrets = [pin, code_of(jtl), code_of(ticketing)]
    secrets += [jtl.announcement["client_secret"], jtl.announcement["token"], ticketing.announcement["api_key"]]
    shop, events = gateway.provider("shop"), gateway.provider("events")
    euro = Money("10.00", "EUR")
    calls = [
        (lambda code, pin: shop.find(code), code_of(jtl)),
        (lambda code, pin: shop.reserve(code, euro, pin, reference="1001-a"), code_of(jtl)),
        (lambda code, pin: events.find(code), code_of(ticketing)),
        (lambda code, pin: events.presentation(code), code_of(ticketing)),
        (lambda code, pin: events.presentation(code, id="4711"), code_of(ticketing)),
    ]
    for call, code in calls:
        spend(call, code, pin)
for call, code in calls:
    spend(call, code, pin)
text = recorded()
assert "/vouchers" in text
print(*[place for place, secret in enumerate(secrets) if secret in text])
"""

PLAIN_SENTRY: Final = 'sentry_sdk.init(dsn="http://key@sentry.example/1")'
PLAIN_OPENTELEMETRY: Final = """
from opentelemetry.instrumentation.requests import RequestsInstrumentor
from opentelemetry.instrumentation.urllib3 import URLLib3Instrumentor

URLLib3Instrumentor().instrument()
RequestsInstrumentor().instrument()
"""

_PIN, _JTL_CODE, _TICKETING_CODE = 0, 1, 2


def recorded_secrets(*parts: str, **environment: str) -> set[int]:
    """Run the shop with an SDK, and return the numbers of the secrets that the SDK recorded."""
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", "\n".join([*parts, SHOP])],
        env={**os.environ, "SENTRY_DSN": "http://key@sentry.example/1", **environment},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return set(map(int, ran.stdout.split()))


@pytest.mark.long
def test_sentry_records_codes_without_the_recipe() -> None:
    assert recorded_secrets(SENTRY, PLAIN_SENTRY) == {_PIN, _JTL_CODE, _TICKETING_CODE}


@pytest.mark.long
def test_sentry_records_no_secret_with_the_recipe() -> None:
    assert recorded_secrets(SENTRY, RECIPES["monitoring"]) == set()


@pytest.mark.parametrize("names", first(["", "http", "http/dup"]), ids=["old names", "new names", "both"])
def test_opentelemetry_records_no_secret_without_a_recipe(names: str) -> None:
    assert recorded_secrets(OPENTELEMETRY, PLAIN_OPENTELEMETRY, OTEL_SEMCONV_STABILITY_OPT_IN=names) == set()


@pytest.mark.parametrize("names", first(["", "http", "http/dup"]), ids=["old names", "new names", "both"])
@pytest.mark.long
def test_opentelemetry_records_no_secret_with_the_recipe(names: str) -> None:
    assert recorded_secrets(OPENTELEMETRY, RECIPES["tracing"], OTEL_SEMCONV_STABILITY_OPT_IN=names) == set()
