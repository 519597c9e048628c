"""Emulations that overwrite a value, on a journal: one at a time, and a person decides where two met."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import pytest

from voucher_gateway import Gateway
from voucher_gateway.gateway.account import Account
from voucher_gateway.journal.journal import open_journal
from voucher_gateway.journal.records import OperationKey, OperationState
from voucher_gateway.provider_api import (
    ConcurrentModification,
    Money,
    NewVoucher,
    Operation,
    OutcomeUnknown,
    ProviderUnavailable,
    SecretSource,
    Voucher,
)
from voucher_gateway.simulator import RunningSimulator, start
from voucher_gateway_ticketing import TicketingProvider, TicketingSettings

TEN = Money("10.00", "EUR")
KEYS = {"1": SecretSource.of("a-key-for-the-tests-of-journals")}
REDEEM = OperationKey("events", Operation.REDEEM, "x")


@attrs.frozen
class Box:
    """A ticketing seller with a journal; more gateways of it can be made."""

    running: RunningSimulator
    another: Callable[[], Gateway]
    gateway: Gateway

    def issued(self, value: str = "50.00") -> Voucher:
        return self.gateway.issue("events", NewVoucher(initial=Money(value, "EUR")), reference="sale")

    def redeem(self, voucher: Voucher, amount: Money = TEN, *, reference: str = "x") -> Any:
        assert voucher.code is not None
        return self.gateway.redeem("events", voucher.code, amount, reference=reference)

    def remaining(self) -> str:
        return str(self.running.ledger()[0]["remaining"])

    def writes(self) -> int:
        return sum(request.method == "PUT" for request in self.running.requests)


@pytest.fixture
def box(either_url: str) -> Iterator[Box]:
    with start("ticketing") as running:
        gateways: list[Gateway] = []

        def another() -> Gateway:
            said = running.announcement
            key = SecretSource.of(said["api_key"])
            settings = TicketingSettings(base_url=said["base_url"], api_key=key, currency="EUR", tries=1)
            account = Account(
                name="events",
                provider=TicketingProvider("events", settings),
                accept_risks=frozenset({"redeem-by-update", "refund-by-update", "top-up-by-update"}),
            )
            gateways.append(Gateway([account], journal=open_journal(either_url, KEYS)))
            return gateways[-1]

        yield Box(running, another, another())
        for gateway in gateways:
            gateway.close()
        assert running.crashes == []


def test_a_wait_for_the_lock_of_the_voucher_is_logged(box: Box, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "voucher_gateway")
    voucher = box.issued()
    journal = box.gateway.journal
    assert journal is not None
    entered = threading.Event()

    def hold() -> None:
        lock = journal.database.locks.hold(f"{box.gateway.provider('events').host}\0{voucher.id}", wait_s=10)
        with lock:
            entered.set()
            time.sleep(0.3)

    worker = threading.Thread(target=hold)
    worker.start()
    entered.wait(10)
    box.redeem(voucher)
    worker.join()
    record = next(box.gateway.operations(account="events"))
    waits = [line.getMessage() for line in caplog.records if "waited" in line.getMessage()]
    assert [text.partition(": waited ")[0] for text in waits] == [f"events: redeem {record.id}"]
    assert waits[0].endswith("s for the lock of the voucher")


def test_the_chosen_code_of_an_issue_in_doubt_is_found_without_the_caller(box: Box) -> None:
    box.running.inject("commit-then-drop", "POST /api/vouchers")
    with pytest.raises(OutcomeUnknown):
        box.issued()
    assert [one.state for one in box.another().recover()] == [OperationState.SUCCEEDED]
    found = box.issued()
    assert found.replayed
    assert found.code is not None
    assert found.code.reveal() == box.running.ledger()[0]["code"]
    assert len(box.running.ledger()) == 1


def test_gateways_that_share_a_journal_overwrite_one_after_another(box: Box) -> None:
    voucher = box.issued("50.00")
    assert voucher.code is not None
    code = voucher.code
    gateways = [box.gateway, box.another()]
    failed: list[Exception] = []

    def work(number: int) -> None:
        try:
            gateways[number % 2].redeem("events", code, TEN, reference=f"x-{number}")
        except Exception as error:  # noqa: BLE001 - counted
            failed.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert float(box.remaining()) == 0


def test_an_overwriting_in_doubt_is_proved_by_the_value(box: Box) -> None:
    voucher = box.issued()
    box.running.inject("commit-then-drop", "PUT *")
    with pytest.raises(OutcomeUnknown):
        box.redeem(voucher)
    assert box.redeem(voucher).money == TEN
    assert box.writes() == 1
    assert float(box.remaining()) == 40


def test_a_value_that_could_not_be_read_back_is_in_doubt_and_never_called_harmless(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    voucher = box.issued()
    provider = box.gateway.provider("events")
    real, written = provider.read_value, provider.write_value
    down: list[bool] = []

    def write(*args: Any, **named: Any) -> None:
        written(*args, **named)
        down.append(True)

    def read(*args: Any, **named: Any) -> Any:
        if down:
            raise ProviderUnavailable("no answer")
        return real(*args, **named)

    monkeypatch.setattr(provider, "read_value", read)
    monkeypatch.setattr(provider, "write_value", write)
    with pytest.raises(OutcomeUnknown):
        box.redeem(voucher)
    entry = box.gateway.operation("events", "redeem", "x")
    assert entry is not None
    assert entry.state is OperationState.UNKNOWN
    monkeypatch.undo()
    assert box.redeem(voucher).money == TEN
    assert box.writes() == 1
    assert float(box.remaining()) == 40


def test_where_somebody_else_wrote_at_the_same_time_only_a_person_decides(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    voucher = box.issued()
    provider = box.gateway.provider("events")
    real, written = provider.read_value, provider.write_value

    def write(*args: Any, **named: Any) -> None:
        written(*args, **named)
        monkeypatch.setattr(provider, "read_value", meddled)

    def meddled(*args: Any, **named: Any) -> Any:
        found = real(*args, **named)
        return attrs.evolve(found, remaining=found.remaining - Money("1.00", "EUR"))

    monkeypatch.setattr(provider, "write_value", write)
    with pytest.raises(ConcurrentModification) as caught:
        box.redeem(voucher)
    assert caught.value.ticket is not None
    monkeypatch.undo()
    before = len(box.running.requests)
    with pytest.raises(OutcomeUnknown, match="another party"):
        box.redeem(voucher)
    assert box.gateway.resolve(caught.value.ticket).state is OperationState.UNKNOWN
    assert box.another().recover(everything=True)[0].state is OperationState.UNKNOWN
    assert len(box.running.requests) == before
    box.gateway.decide(REDEEM, succeeded=True, by="Ada", reason="compared with the till")
    assert box.redeem(voucher).replayed
    assert box.writes() == 1
