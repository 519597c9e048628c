"""Rows before requests, commits, epochs, and workers that live, die or lose their operation."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from voucher_gateway.execution import attempts
from voucher_gateway.journal.journal import Journal
from voucher_gateway.journal.records import OperationKey, OperationState
from voucher_gateway.journal.schema import JOURNAL
from voucher_gateway.provider_api import DatabaseUnavailable, Effect, Money, NewVoucher, Operation, OperationInProgress
from voucher_gateway.storage.engine import Database

if TYPE_CHECKING:
    from tests.support.shop import Shop

TEN = Money("10.00", "EUR")
REDEEM = OperationKey("shop", Operation.REDEEM, "1001-a")


@contextmanager
def counting_commits(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Gives a list that grows with every commit of a write."""
    commits: list[str] = []
    real = shop.journal.database.write

    @contextmanager
    def write(**options: Any) -> Iterator[Any]:
        with real(**options) as connection:
            yield connection
        commits.append("commit")

    with monkeypatch.context() as patch:
        patch.setattr(shop.journal.database, "write", write)
        yield commits


def test_a_call_of_one_request_costs_two_commits(either_shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    either_shop.gateway.issue("shop", NewVoucher(initial=TEN), reference="warm")
    with counting_commits(either_shop, monkeypatch) as commits:
        either_shop.gateway.issue("shop", NewVoucher(initial=TEN), reference="sale-1")
    assert len(commits) == 2


def test_a_redemption_of_two_requests_costs_three_commits_and_its_replay_none(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, code = shop.voucher()
    with counting_commits(shop, monkeypatch) as commits:
        shop.redeem(code)
    assert len(commits) == 3
    with counting_commits(shop, monkeypatch) as commits:
        shop.redeem(code)
    assert commits == []


def test_the_row_is_committed_before_its_request_arrives(either_shop: Shop) -> None:
    """The vendor's side looks into the database, through another connection, at the moment of each request."""
    voucher_id, code = either_shop.voucher()
    seen: list[tuple[str, list[Any]]] = []
    watcher = Database(either_shop.url, JOURNAL)
    ledger = either_shop.running.simulator.voucher_ledger  # type: ignore[attr-defined]  # of JTL's simulator

    def rows() -> list[Any]:
        with watcher.read() as connection:
            found = connection.execute(sa.text("SELECT step, effect FROM voucher_gateway_requests ORDER BY id"))
            return [tuple(row) for row in found]

    def watched(name: str, real: Any) -> Any:
        def call(*args: Any) -> Any:
            seen.append((name, rows()))
            return real(*args)

        return call

    ledger.reserve = watched("reserve", ledger.reserve)
    ledger.charge = watched("charge", ledger.charge)
    either_shop.redeem(code)
    watcher.close()
    assert seen == [("reserve", [("reserve", None)]), ("charge", [("reserve", "succeeded"), ("capture", None)])]
    assert either_shop.remaining(voucher_id) == "40.00"


def test_without_a_row_there_is_no_request(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    _, code = shop.voucher()
    before = shop.changes()

    def full(*_: object, **__: object) -> int:
        raise DatabaseUnavailable("the database is full")

    monkeypatch.setattr(Journal, "record_request", full)
    with pytest.raises(DatabaseUnavailable):
        shop.redeem(code)
    assert shop.changes() == before


def test_a_live_worker_is_not_disturbed(shop: Shop) -> None:
    _, code = shop.voucher()
    shop.running.inject("slow", "POST /v1/reservations/*/charge", delay_s=0.5)
    worker = threading.Thread(target=shop.redeem, args=(code,))
    worker.start()
    _until(lambda: shop.charges() == 1)
    with pytest.raises(OperationInProgress):
        shop.redeem(code)
    with pytest.raises(OperationInProgress):
        shop.another_gateway().redeem("shop", code, TEN, reference="1001-a")
    with pytest.raises(OperationInProgress):
        shop.gateway.resolve(REDEEM)
    assert shop.gateway.recover(everything=True) == []
    assert shop.redeem(code, wait=5.0).replayed
    worker.join()
    assert shop.charges() == 1


def test_one_worker_that_comes_too_late_does_not_make_another_look_dead(shop: Shop) -> None:
    """Two threads begin the same attempt again; the loser's end must not hide the winner from a third."""
    locks = shop.journal.database.locks
    with locks.mark_active("an-operation"):
        with locks.mark_active("an-operation"):
            pass
        assert locks.is_active_here("an-operation")
    assert not locks.is_active_here("an-operation")


def test_a_worker_whose_operation_was_taken_over_sends_no_further_step(shop: Shop) -> None:
    voucher_id, code = shop.voucher()
    ledger = shop.running.simulator.voucher_ledger  # type: ignore[attr-defined]  # of JTL's simulator
    real = ledger.reserve

    def taken_over_meanwhile(*args: Any) -> Any:
        reservation = real(*args)
        entry = shop.journal.find(REDEEM)
        assert entry is not None
        shop.journal.take_over(entry, owner="0123456789abcdef")
        return reservation

    ledger.reserve = taken_over_meanwhile
    with pytest.raises(OperationInProgress):
        shop.redeem(code)
    assert shop.charges() == 0
    assert shop.remaining(voucher_id) == "50.00"
    ledger.reserve = real
    assert shop.redeem(code).money == TEN  # the new owner is dead, and left no request that takes money
    entry = shop.journal.find(REDEEM)
    assert entry is not None
    assert entry.epoch > 2
    assert shop.remaining(voucher_id) == "40.00"


def test_an_interrupt_is_recorded_and_frees_the_operation(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    voucher_id, code = shop.voucher()
    provider = shop.gateway.provider("shop")
    real = provider.capture

    def interrupted(*args: Any, **named: Any) -> Any:
        real(*args, **named)
        raise KeyboardInterrupt

    monkeypatch.setattr(provider, "capture", interrupted)
    with pytest.raises(KeyboardInterrupt):
        shop.redeem(code)
    monkeypatch.undo()
    entry = shop.journal.find(REDEEM)
    assert entry is not None
    assert entry.state is OperationState.UNKNOWN
    assert shop.redeem(code).money == TEN
    assert shop.charges() == 1
    assert shop.remaining(voucher_id) == "40.00"


def test_an_interrupt_between_the_answer_and_its_note_leaves_no_false_word(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The interrupt comes at the worst moment: the money has moved, and nobody has taken note of it yet."""
    _, code = shop.voucher()
    real = attempts.RequestRecorder.finish

    def interrupted(self: Any, effect: Effect, *more: Any) -> None:
        if self.step == "capture":
            raise KeyboardInterrupt
        real(self, effect, *more)

    monkeypatch.setattr(attempts.RequestRecorder, "finish", interrupted)
    with pytest.raises(KeyboardInterrupt):
        shop.redeem(code)
    monkeypatch.undo()
    entry = shop.journal.find(REDEEM)
    assert entry is not None
    assert entry.state is OperationState.UNKNOWN
    shop.redeem(code)
    assert shop.charges() == 1


@pytest.mark.parametrize("by", ["the same reference", "recover"])
def test_a_result_that_cannot_be_recorded_is_returned_and_found_again(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, by: str
) -> None:
    voucher_id, code = shop.voucher()

    def full(*_: object, **__: object) -> None:
        raise DatabaseUnavailable("the database is full")

    monkeypatch.setattr(Journal, "close_operation", full)
    assert shop.redeem(code).money == TEN
    monkeypatch.undo()
    assert "could not be recorded" in caplog.text
    assert code not in caplog.text
    entry = shop.journal.find(REDEEM)
    assert entry is not None
    assert entry.state is OperationState.OPEN
    if by == "recover":
        assert [one.state for one in shop.gateway.recover()] == [OperationState.SUCCEEDED]
    assert shop.redeem(code).money == TEN
    assert shop.charges() == 1
    assert shop.remaining(voucher_id) == "40.00"


def test_many_threads_with_one_reference_make_one_charge(either_shop: Shop) -> None:
    voucher_id, code = either_shop.voucher()
    results: list[Any] = []
    threads = [threading.Thread(target=lambda: results.append(either_shop.redeem(code, wait=20.0))) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({result.id for result in results}) == 1
    assert len(results) == 12
    assert either_shop.charges() == 1
    assert either_shop.remaining(voucher_id) == "40.00"


def _until(true: Any, patience_s: float = 5.0) -> None:
    end = time.monotonic() + patience_s
    while not true():
        assert time.monotonic() < end
        time.sleep(0.005)
