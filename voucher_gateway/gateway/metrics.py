"""Gauges of OpenTelemetry: what is in doubt or held, what waits for a person, and whether a circuit is open."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from voucher_gateway.errors import ConfigurationError, VoucherGatewayError
from voucher_gateway.gateway.gateway import Gateway
from voucher_gateway.http.breaker import CircuitState
from voucher_gateway.http.provider import HttpProvider
from voucher_gateway.instants import now
from voucher_gateway.journal.records import UNRESOLVED
from voucher_gateway.journal.search import OperationFilter, iterate_operations
from voucher_gateway.process.loggers import get_logger
from voucher_gateway.telemetry.spans import SCOPE
from voucher_gateway.version import __version__

if TYPE_CHECKING:
    from opentelemetry.metrics import CallbackOptions, Observation

log: Final = get_logger("voucher_gateway.metrics")

_AGES: Final = ((timedelta(minutes=5), "under-5m"), (timedelta(hours=1), "under-1h"), (timedelta(days=1), "under-1d"))
_OLD: Final = "older"

Sample = tuple[int, dict[str, str]]
"""A value of a gauge, and its attributes."""


def observe_gateway(gateway: Gateway) -> None:
    """Register gauges that show the state of a gateway whenever OpenTelemetry collects them.

    - ``voucher_gateway.operations.in_doubt``: operations whose outcome is not known, by account and age.
    - ``voucher_gateway.holds``: reservations that hold value, by account and currency.
    - ``voucher_gateway.holds.amount``: what they hold, in the smallest unit of the currency, such as cents.
    - ``voucher_gateway.payments.waiting``: payments that wait for a person or a look-up.
    - ``voucher_gateway.account.paused``: 1 if a person has paused an account.
    - ``voucher_gateway.circuit.open``: 1 if the circuit breaker of an account is open in this process.

    All processes with one journal show the same numbers, except for the circuit. Call it once for each process.

    Args:
        gateway: a gateway with a journal.

    Raises:
        ConfigurationError: if the gateway has no journal, or if the API package of OpenTelemetry is not installed.
    """
    if gateway.journal is None:
        raise ConfigurationError("gauges need a journal: name one in the configuration")
    try:
        from opentelemetry import metrics
    except ModuleNotFoundError:
        raise ConfigurationError("gauges need OpenTelemetry: pip install 'voucher-gateway[opentelemetry]'") from None
    meter = metrics.get_meter(SCOPE, __version__)
    for name, description, read in (
        ("operations.in_doubt", "Operations whose outcome is not known, by account and age.", _count_in_doubt),
        ("holds", "Reservations that hold value, by account and currency.", _count_holds),
        ("holds.amount", "What reservations hold, in the smallest unit of the currency.", _sum_holds),
        ("payments.waiting", "Payments that wait for a person or a look-up.", _count_waiting),
        ("account.paused", "Whether a person has paused an account.", _count_paused),
        ("circuit.open", "Whether requests to an account fail at once, because its vendor does not answer.", _circuits),
    ):
        meter.create_observable_gauge(f"{SCOPE}.{name}", [_callback(gateway, read)], description=description)


def _callback(
    gateway: Gateway, read: Callable[[Gateway], Iterator[Sample]]
) -> Callable[[CallbackOptions], Iterable[Observation]]:
    def observe(_: CallbackOptions) -> Iterable[Observation]:
        from opentelemetry.metrics import Observation

        try:
            return [Observation(value, attributes) for value, attributes in read(gateway)]
        except VoucherGatewayError as error:  # the database cannot be read now: the gauge has a gap
            log.warning("a gauge could not be read: %s", type(error).__name__)
            return []

    return observe


def _count_in_doubt(gateway: Gateway) -> Iterator[Sample]:
    assert gateway.journal is not None
    at = now()
    counts = Counter(
        {(account.name, age): 0 for account in gateway.loaded_accounts for _, age in (*_AGES, (None, _OLD))}
    )
    for record in iterate_operations(gateway.journal.database, OperationFilter(states=UNRESOLVED)):
        counts[record.key.account, _age_name(at - record.created_at)] += 1
    for (account, age), count in counts.items():
        yield count, {f"{SCOPE}.account": account, f"{SCOPE}.age": age}


def _age_name(age: timedelta) -> str:
    return next((name for end, name in _AGES if age < end), _OLD)


def _count_holds(gateway: Gateway) -> Iterator[Sample]:
    for (account, currency), (count, _) in _holds(gateway).items():
        yield count, {f"{SCOPE}.account": account, f"{SCOPE}.currency": currency}


def _sum_holds(gateway: Gateway) -> Iterator[Sample]:
    for (account, currency), (_, minor) in _holds(gateway).items():
        yield minor, {f"{SCOPE}.account": account, f"{SCOPE}.currency": currency}


def _holds(gateway: Gateway) -> Mapping[tuple[str, str], tuple[int, int]]:
    """Return how many reservations hold value now, and how much in the smallest unit, by account and currency."""
    assert gateway.journal is not None
    sums: dict[tuple[str, str], tuple[int, int]] = {}
    for account, money in gateway.journal.held_amounts(at=now()):
        count, minor = sums.get((account, money.currency), (0, 0))
        sums[account, money.currency] = count + 1, minor + money.minor
    return sums


def _count_waiting(gateway: Gateway) -> Iterator[Sample]:
    yield sum(1 for _ in gateway.payments(needs_attention=True)), {}


def _count_paused(gateway: Gateway) -> Iterator[Sample]:
    paused = {pause.account for pause in gateway.paused_accounts()}
    for account in gateway.loaded_accounts:
        yield int(account.name in paused), {f"{SCOPE}.account": account.name}


def _circuits(gateway: Gateway) -> Iterator[Sample]:
    for account in gateway.loaded_accounts:
        if isinstance(account.provider, HttpProvider):
            is_open = account.provider.http.limits.state is not CircuitState.CLOSED
            yield int(is_open), {f"{SCOPE}.account": account.name}
