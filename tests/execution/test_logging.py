"""Each operation leaves lines in named loggers: account, operation and id, never a code or a reference."""

from __future__ import annotations

import re
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from voucher_gateway.capabilities import Operation
from voucher_gateway.gateway.account import Account
from voucher_gateway.gateway.gateway import Gateway
from voucher_gateway.journal.backup import import_missing_movements, mark_restored
from voucher_gateway.journal.records import OperationKey
from voucher_gateway.provider_api import InsufficientValue, Money, OutcomeUnknown

if TYPE_CHECKING:
    from tests.support.shop import Shop
    from voucher_gateway.testing.harness.canary import Canary

REFERENCE = "REFERENCE-7731-a"
TEN = Money("10.00", "EUR")


@pytest.fixture
def code(shop: Shop) -> str:
    return shop.voucher()[1]


@pytest.fixture(autouse=True)
def every_level(code: str, canary: Canary) -> None:
    """Listen at every level, as the canary does. It looks for the code in every line."""
    # Not by `caplog.set_level`: it would set the level of the canary back after the canary has restored the first one.
    canary.plant(code)


def lines(caplog: pytest.LogCaptureFixture, shop: Shop, logger: str) -> list[tuple[str, str]]:
    """Return the level and the text of the lines of a logger, with ID for the id of an operation."""
    ids = re.compile("|".join(operation.id for operation in shop.gateway.operations()) or "(?!)")
    records = [record for record in caplog.records if record.name == f"voucher_gateway.{logger}"]
    assert REFERENCE not in "".join(record.getMessage() for record in records)
    return [(record.levelname, ids.sub("ID", record.getMessage())) for record in records]


def test_a_success_and_its_replay(shop: Shop, code: str, caplog: pytest.LogCaptureFixture) -> None:
    shop.redeem(code, reference=REFERENCE)
    assert lines(caplog, shop, "execution") == [
        ("DEBUG", "shop: redeem ID: attempt 1 begins"),
        ("DEBUG", "shop: redeem ID: step reserve: request 1: succeeded"),
        ("DEBUG", "shop: redeem ID: step capture: request 2: succeeded"),
        ("DEBUG", "shop: redeem ID: succeeded"),
    ]
    assert lines(caplog, shop, "journal") == [
        ("DEBUG", "shop: redeem ID: request 1 is recorded before it is sent: reserve"),
        ("DEBUG", "shop: redeem ID: request 2 is recorded before it is sent: capture"),
        ("DEBUG", "shop: redeem ID: recorded as succeeded"),
    ]
    caplog.clear()
    shop.redeem(code, reference=REFERENCE)
    assert lines(caplog, shop, "execution") == [
        ("DEBUG", "shop: redeem ID: replays the recorded result; no request is sent")
    ]


def test_a_decline(shop: Shop, code: str, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(InsufficientValue):
        shop.redeem(code, "60.00", reference=REFERENCE)
    assert lines(caplog, shop, "execution")[-1] == ("DEBUG", "shop: redeem ID: declined: InsufficientValue")


def test_an_unknown_outcome_and_its_resolution(shop: Shop, code: str, caplog: pytest.LogCaptureFixture) -> None:
    shop.running.inject("commit-then-drop", "POST /v1/reservations/*/charge")
    shop.running.inject("error-before", "GET *", times=0)
    with pytest.raises(OutcomeUnknown):
        shop.redeem(code, reference=REFERENCE)
    assert lines(caplog, shop, "execution")[-1] == ("WARNING", "shop: redeem ID: unknown: OutcomeUnknown")
    caplog.clear()
    shop.gateway.recover(everything=True)
    assert lines(caplog, shop, "recovery") == [
        ("DEBUG", "shop: redeem ID: asks the vendor about 1 requests"),
        ("WARNING", "shop: redeem ID: still unknown; the next look-up is due in 0:01:00"),
    ]
    caplog.clear()
    shop.running.clear_faults()
    shop.gateway.recover(everything=True)
    assert lines(caplog, shop, "recovery")[-1] == ("INFO", "shop: redeem ID: resolved: succeeded")


def test_a_persons_decision(shop: Shop, code: str, caplog: pytest.LogCaptureFixture) -> None:
    shop.running.inject("commit-then-drop", "POST /v1/reservations/*/charge")
    shop.running.inject("error-before", "GET *", times=0)
    with suppress(OutcomeUnknown):
        shop.redeem(code, reference=REFERENCE)
    key = OperationKey("shop", Operation.REDEEM, REFERENCE)
    shop.gateway.decide(key, succeeded=True, by="Ada", reason="the vendor confirmed it")
    assert lines(caplog, shop, "recovery")[-1] == ("INFO", "shop: redeem ID: a person decided: succeeded")


def test_an_abandoned_operation_is_taken_over(shop: Shop, code: str, caplog: pytest.LogCaptureFixture) -> None:
    shop.redeem(code, reference=REFERENCE)
    record = next(shop.gateway.operations())
    with shop.journal.database.write() as connection:
        connection.exec_driver_sql("UPDATE voucher_gateway_operations SET state = 'open', owner = '00000000000000ff'")
    caplog.clear()
    shop.redeem(code, reference=REFERENCE)
    assert record.id in caplog.text
    assert lines(caplog, shop, "execution")[0] == ("WARNING", "shop: redeem ID: taken over from a worker that crashed")
    assert lines(caplog, shop, "recovery") == [
        ("WARNING", "shop: redeem ID: unknown: its worker stopped before it knew the outcome"),
        ("DEBUG", "shop: redeem ID: asks the vendor about 1 requests"),
        ("INFO", "shop: redeem ID: resolved: succeeded"),
    ]


def test_a_wait_for_another_worker(shop: Shop, code: str, caplog: pytest.LogCaptureFixture) -> None:
    shop.redeem(code, reference=REFERENCE)
    record = next(shop.gateway.operations())
    with shop.journal.database.write() as connection:
        connection.exec_driver_sql("UPDATE voucher_gateway_operations SET state = 'open'")
    caplog.clear()
    entered, leave = threading.Event(), threading.Event()

    def work() -> None:
        with shop.journal.database.locks.mark_active(record.id):
            entered.set()
            leave.wait(10)

    worker = threading.Thread(target=work)
    worker.start()
    entered.wait(10)
    threading.Timer(0.3, leave.set).start()
    shop.redeem(code, reference=REFERENCE, wait=10)
    worker.join()
    waits = [line for line in lines(caplog, shop, "execution") if "waits" in line[1]]
    assert waits == [("DEBUG", "shop: redeem: waits for another worker")]


def test_a_restored_journal(shop: Shop, code: str, caplog: pytest.LogCaptureFixture) -> None:
    mark_restored(shop.journal)
    import_missing_movements(shop.journal, [shop.provider()])
    assert lines(caplog, shop, "journal") == [
        ("WARNING", "the journal is marked as restored: changing calls are refused"),
        ("INFO", "shop: 1 vouchers read, 0 forgotten movements imported"),
        ("INFO", "the restored journal is complete: changing calls are allowed"),
    ]


def test_a_renamed_account(shop: Shop, code: str, caplog: pytest.LogCaptureFixture) -> None:
    shop.redeem(code, reference=REFERENCE)
    caplog.clear()
    account = Account(name="branch", provider=shop.provider(), former_names=("shop",))
    Gateway([account], journal=shop.journal)
    assert lines(caplog, shop, "journal") == [("INFO", "the operations of the accounts shop belong to branch now")]


def test_a_call_without_a_journal(shop: Shop, code: str, caplog: pytest.LogCaptureFixture) -> None:
    with Gateway({"shop": shop.provider()}) as gateway:
        gateway.redeem("shop", code, TEN, reference=REFERENCE)
        with pytest.raises(InsufficientValue):
            gateway.redeem("shop", code, Money("60.00", "EUR"), reference="1001-b")
    assert lines(caplog, shop, "execution") == [
        ("DEBUG", "shop: redeem begins, without a journal"),
        ("DEBUG", "shop: redeem: succeeded"),
        ("DEBUG", "shop: redeem begins, without a journal"),
        ("DEBUG", "shop: redeem: declined: InsufficientValue"),
    ]
