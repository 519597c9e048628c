"""Where a value is overwritten, an answer that names another voucher for a code never leads to that voucher's value."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from voucher_gateway import Gateway
from voucher_gateway.gateway.account import Account
from voucher_gateway.journal.journal import open_journal
from voucher_gateway.provider_api import Code, IntegrityMismatch, Money, NewVoucher, NotExecuted, SecretSource
from voucher_gateway.simulator import RunningSimulator, start
from voucher_gateway_ticketing import TicketingProvider, TicketingSettings

KEYS = {"1": SecretSource.of("a-key-for-the-tests-of-journals")}
TEN = Money("10.00", "EUR")


@pytest.fixture
def vendor() -> Iterator[RunningSimulator]:
    with start("ticketing") as running:
        yield running


@pytest.fixture
def gateway(vendor: RunningSimulator, sqlite_url: str) -> Iterator[Gateway]:
    said = vendor.announcement
    settings = TicketingSettings(
        base_url=said["base_url"], api_key=SecretSource.of(said["api_key"]), currency="EUR", tries=1
    )
    risks = frozenset({"redeem-by-update"})
    account = Account(name="events", provider=TicketingProvider("events", settings), accept_risks=risks)
    with Gateway([account], journal=open_journal(sqlite_url, KEYS)) as made:
        yield made


def test_one_look_up_that_names_another_voucher_takes_nothing_from_it(
    gateway: Gateway, vendor: RunningSimulator
) -> None:
    for number in (1, 2):
        new = NewVoucher(initial=Money("50.00", "EUR"), code=Code(f"EVENT-{number}"))
        gateway.issue("events", new, reference=f"i-{number}")
    gateway.redeem("events", Code("EVENT-1"), TEN, reference="before")
    vendor.inject("wrong-voucher", "GET /api/vouchers", 1)
    with pytest.raises((IntegrityMismatch, NotExecuted), match="another voucher"):
        gateway.redeem("events", Code("EVENT-1"), TEN, reference="a")
    assert sorted(str(entry["remaining"]) for entry in vendor.ledger()) == ["40.00", "50.00"]
