"""Nothing is overwritten on the word of one reading, and what was written is read back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from voucher_gateway.provider_api import (
    Effect,
    Intent,
    MalformedResponse,
    Money,
    NewVoucher,
    OutcomeUnknown,
    SecretSource,
    Voucher,
    VoucherChanges,
)
from voucher_gateway.simulator import RunningSimulator, start
from voucher_gateway.testing.harness.reply_changes import make_tamperable, with_objects
from voucher_gateway_ticketing import TicketingProvider, TicketingSettings
from voucher_gateway_ticketing.simulator import TicketingSimulator

UNTIL = VoucherChanges(valid_until=datetime(2031, 1, 23, 23, 0, tzinfo=UTC))
LIST, ONE = "GET /api/vouchers", "GET /api/vouchers/*"


@pytest.fixture
def vendor() -> Iterator[RunningSimulator]:
    with start(make_tamperable(TicketingSimulator)) as running:
        yield running
        assert running.crashes == []


@pytest.fixture
def negative(vendor: RunningSimulator) -> Callable[[str], None]:
    """Lets a field of every voucher be negative from now on."""

    def change(field: str) -> None:
        def negate(part: dict[str, Any]) -> dict[str, Any]:
            return {**part, field: Decimal("-10.53")} if field in part else part

        vendor.simulator.change = lambda document: with_objects(document, negate)  # type: ignore[attr-defined]

    return change


@pytest.fixture
def provider(vendor: RunningSimulator) -> TicketingProvider:
    said = vendor.announcement
    key = SecretSource.of(said["api_key"])
    return TicketingProvider(
        "events", TicketingSettings(base_url=said["base_url"], api_key=key, currency="EUR", tries=1)
    )


@pytest.fixture
def voucher(provider: TicketingProvider) -> Voucher:
    return provider.issue(NewVoucher(initial=Money("50.00", "EUR"), code="TWICE-0001"), reference="i")


def amount(vendor: RunningSimulator) -> str:
    return str(vendor.ledger()[0]["initial"])


def put_count(vendor: RunningSimulator) -> int:
    return sum(request.method == "PUT" for request in vendor.requests)


@pytest.mark.parametrize("path", [LIST, ONE])
def test_an_update_is_not_sent_when_two_readings_disagree(
    provider: TicketingProvider, voucher: Voucher, vendor: RunningSimulator, path: str
) -> None:
    vendor.inject("wrong-reading", path)
    with pytest.raises(MalformedResponse, match="two readings") as caught:
        provider.update(voucher.id, UNTIL, reference="u")
    assert caught.value.outcome == "not_executed"
    assert put_count(vendor) == 0
    assert provider.update(voucher.id, UNTIL, reference="u").initial == Money("50.00", "EUR")
    assert amount(vendor) == "50.00"


@pytest.mark.parametrize("path", [LIST, ONE])
def test_a_value_is_not_read_from_two_readings_that_disagree(
    provider: TicketingProvider, voucher: Voucher, vendor: RunningSimulator, path: str
) -> None:
    vendor.inject("wrong-reading", path)
    with pytest.raises(MalformedResponse, match="two readings"):
        provider.read_value(id=voucher.id)


def test_an_update_that_is_read_back_with_another_amount_is_unknown_until_it_is_seen(
    provider: TicketingProvider, voucher: Voucher, vendor: RunningSimulator
) -> None:
    vendor.inject("wrong-reading", ONE, after=1)
    with pytest.raises(OutcomeUnknown, match="read back") as caught:
        provider.update(voucher.id, UNTIL, reference="u")
    assert provider.resolve(Intent.from_ticket(caught.value.ticket)).effect is Effect.SUCCEEDED


def test_an_update_is_not_proved_while_the_amount_is_another(
    provider: TicketingProvider, voucher: Voucher, vendor: RunningSimulator
) -> None:
    vendor.inject("commit-then-drop", "PUT *")
    with pytest.raises(OutcomeUnknown) as caught:
        provider.update(voucher.id, UNTIL, reference="u")
    vendor.inject("wrong-reading", ONE)
    outcome = provider.resolve(Intent.from_ticket(caught.value.ticket))
    assert (outcome.effect, outcome.repeatable) == (Effect.UNKNOWN, False)
    assert "50.01 EUR" in outcome.reason


def test_a_negative_amount_is_malformed(
    provider: TicketingProvider, voucher: Voucher, negative: Callable[[str], None]
) -> None:
    calls: dict[str, Callable[[], object]] = {
        "get": lambda: provider.get(voucher.id),
        "find": lambda: provider.find("TWICE-0001"),
        "read_value": lambda: provider.read_value("TWICE-0001"),
        "update": lambda: provider.update(voucher.id, UNTIL, reference="u"),
    }
    for field in ("amount", "balance"):
        negative(field)
        for name, call in calls.items():
            if (field, name) in (("balance", "get"), ("balance", "update")):  # neither looks at it
                continue
            with pytest.raises(MalformedResponse) as caught:
                call()
            assert any("negative" in problem for problem in (caught.value.message, *caught.value.problems)), name
