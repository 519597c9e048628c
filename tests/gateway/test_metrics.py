"""The gauges of a gateway, scraped as Prometheus does."""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from tests.docs.test_error_trackers import RECIPES
from voucher_gateway import ConfigurationError, Gateway, Money, OutcomeUnknown, ProviderUnavailable, observe_gateway
from voucher_gateway.http.outcome_table import TransportFailure
from voucher_gateway.http.provider import HttpProvider

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.shop import Shop

Values = dict[tuple[str, ...], int]


@pytest.fixture
def read_gauge(monkeypatch: pytest.MonkeyPatch, shop: Shop) -> Iterator[Callable[[str], Values]]:
    """Return the values of a gauge of the shop's gateway, by the values of its attributes."""
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader])
    monkeypatch.setattr(metrics, "get_meter", lambda *names: provider.get_meter(*names))
    observe_gateway(shop.gateway)

    def read(name: str) -> Values:
        data = reader.get_metrics_data()
        instruments: dict[str, Any] = {
            metric.name: metric.data.data_points
            for resource in (data.resource_metrics if data else ())
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }
        points = instruments.get(f"voucher_gateway.{name}", ())
        return {tuple(point.attributes.values()): point.value for point in points}

    yield read
    provider.shutdown()


def test_a_paused_account_is_shown(shop: Shop, read_gauge: Callable[[str], Values]) -> None:
    assert read_gauge("account.paused") == {("shop",): 0}
    shop.gateway.pause_account("shop")
    assert read_gauge("account.paused") == {("shop",): 1}


def test_operations_in_doubt_are_counted_by_account_and_age(shop: Shop, read_gauge: Callable[[str], Values]) -> None:
    assert set(read_gauge("operations.in_doubt").values()) == {0}
    code = shop.voucher()[1]
    shop.running.inject("commit-then-drop", "POST /v1/reservations/*/charge")
    shop.running.inject("error-before", "GET *", times=0)
    with suppress(OutcomeUnknown):
        shop.redeem(code)
    counts = read_gauge("operations.in_doubt")
    assert counts["shop", "under-5m"] == 1
    assert sum(counts.values()) == 1
    with shop.journal.database.write() as connection:
        connection.exec_driver_sql("UPDATE voucher_gateway_operations SET created_at = '2020-01-01T00:00:00.000000Z'")
    assert read_gauge("operations.in_doubt")["shop", "older"] == 1


def test_reservations_that_hold_value_are_counted_and_summed(shop: Shop, read_gauge: Callable[[str], Values]) -> None:
    assert read_gauge("holds") == {}
    for reference, amount in (("r-1", "10.00"), ("r-2", "2.50")):
        shop.gateway.reserve("shop", shop.voucher()[1], Money(amount, "EUR"), reference=reference)
    released = shop.gateway.reserve("shop", shop.voucher()[1], Money("4.00", "EUR"), reference="r-3")
    shop.gateway.release("shop", released, reference="r-3")

    assert read_gauge("holds") == {("shop", "EUR"): 2}
    assert read_gauge("holds.amount") == {("shop", "EUR"): 1250}


def test_payments_that_wait_are_counted(shop: Shop, read_gauge: Callable[[str], Values]) -> None:
    assert read_gauge("payments.waiting") == {(): 0}


def test_an_open_circuit_is_1(shop: Shop, read_gauge: Callable[[str], Values]) -> None:
    assert read_gauge("circuit.open") == {("shop",): 0}
    provider = shop.gateway.provider("shop")
    assert isinstance(provider, HttpProvider)
    for _ in range(10):
        provider.http.limits.note_failure(TransportFailure.TIMED_OUT)
    assert read_gauge("circuit.open") == {("shop",): 1}
    with pytest.raises(ProviderUnavailable):
        shop.gateway.balance("shop", "X")


def test_a_database_that_cannot_be_read_leaves_a_gap(shop: Shop, read_gauge: Callable[[str], Values]) -> None:
    shop.journal.close()
    assert read_gauge("operations.in_doubt") == {}
    assert read_gauge("circuit.open") == {("shop",): 0}


def test_a_gateway_without_a_journal_has_nothing_to_observe(shop: Shop) -> None:
    with (
        Gateway({"shop": shop.provider()}) as gateway,
        pytest.raises(ConfigurationError, match="gauges need a journal"),
    ):
        observe_gateway(gateway)


def test_the_recipe_for_prometheus_serves_all_metrics(shop: Shop, tmp_path: Path) -> None:
    recipe = RECIPES["metrics"]
    login = {name: shop.running.announcement[name] for name in ("base_url", "client_id", "client_secret")}
    code = shop.voucher()[1]
    script = f"""
import urllib.request
from voucher_gateway import Gateway, Money
config = {{"journal": "sqlite:///own.db", "accounts": {{"shop": {{"provider": "jtl", **{login!r}}}}}}}
Gateway.from_env = classmethod(lambda cls: cls.from_config(config))
{recipe.replace("9464", "0").replace("start_http_server(", "server, _ = start_http_server(")}
gateway.reserve("shop", {code!r}, Money("2.50", "EUR"), reference="r-1")
print(urllib.request.urlopen(f"http://127.0.0.1:{{server.server_port}}/metrics").read().decode())
"""
    result = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert result.returncode == 0, result.stderr
    for name in ("calls_total", "call_duration_seconds", "operations_in_doubt", "payments_waiting", "circuit_open"):
        assert f"voucher_gateway_{name}" in result.stdout, result.stdout
    held = [line for line in result.stdout.splitlines() if line.startswith("voucher_gateway_holds_amount{")]
    assert len(held) == 1
    assert 'voucher_gateway_currency="EUR"' in held[0]
    assert held[0].endswith(" 250.0")
    assert code not in result.stdout
