"""A worker that another one has replaced records no request, and so sends none."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from tests.support.keyed import CODE, KeyedProvider, KeyedSettings, KeyedSimulator
from tests.support.simulators import changing_requests, make_journal_keys
from voucher_gateway import Gateway
from voucher_gateway.journal.fence import EpochFence, check_fences, epoch_statement, use_fence
from voucher_gateway.journal.journal import open_journal
from voucher_gateway.provider_api import Money, OperationInProgress, OutcomeUnknown, SecretSource
from voucher_gateway.simulator import Reply, Request, start

if TYPE_CHECKING:
    from tests.support.shop import Shop
    from voucher_gateway.storage.engine import Database

TEN = Money("10.00", "EUR")
HALF_AN_HOUR = 30 * 60

METADATA = sa.MetaData()
WORK = sa.Table("fenced_work", METADATA, sa.Column("id", sa.String, primary_key=True), sa.Column("epoch", sa.Integer))
EPOCH = epoch_statement(WORK)


class Work:
    """A row whose workers are counted."""

    def __init__(self, database: Database) -> None:
        self.database = database
        with database.write() as connection:
            METADATA.create_all(connection)
            connection.execute(sa.insert(WORK).values(id="work", epoch=1))

    def fence(self, epoch: int) -> EpochFence:
        return EpochFence(EPOCH, {"id": "work"}, epoch, "work")

    def take_over(self) -> None:
        with self.database.write() as connection:
            connection.execute(sa.update(WORK).values(epoch=WORK.c.epoch + 1))


@pytest.fixture
def work(either_shop: Shop) -> Work:
    return Work(either_shop.journal.database)


def test_a_worker_that_owns_the_work_sends_its_requests(either_shop: Shop, work: Work) -> None:
    voucher_id, code = either_shop.voucher()
    with use_fence(work.fence(1)):
        either_shop.redeem(code)
    assert either_shop.remaining(voucher_id) == "40.00"


def test_a_replaced_worker_records_and_sends_nothing(either_shop: Shop, work: Work) -> None:
    _, code = either_shop.voucher()
    before = either_shop.changes()
    work.take_over()
    with use_fence(work.fence(1)), pytest.raises(OperationInProgress, match="taken over the work"):
        either_shop.redeem(code)
    assert either_shop.changes() == before
    assert either_shop.gateway.operation("shop", "redeem", "1001-a") is None


def test_a_worker_without_its_row_records_and_sends_nothing(either_shop: Shop, work: Work) -> None:
    _, code = either_shop.voucher()
    before = either_shop.changes()
    with use_fence(EpochFence(EPOCH, {"id": "other"}, 1, "work")), pytest.raises(OperationInProgress):
        either_shop.redeem(code)
    assert either_shop.changes() == before


def test_a_worker_that_is_replaced_between_two_requests_sends_no_second_one(
    either_shop: Shop, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    voucher_id, code = either_shop.voucher()
    ledger = either_shop.running.simulator.voucher_ledger  # type: ignore[attr-defined]  # of JTL's simulator
    real_reserve = ledger.reserve

    def reserve_and_take_over(*arguments: Any) -> Any:
        work.take_over()
        return real_reserve(*arguments)

    monkeypatch.setattr(ledger, "reserve", reserve_and_take_over)
    with use_fence(work.fence(1)), pytest.raises(OperationInProgress):
        either_shop.redeem(code)
    assert either_shop.charges() == 0
    monkeypatch.undo()
    with use_fence(work.fence(2)):
        either_shop.redeem(code)
    assert (either_shop.charges(), either_shop.remaining(voucher_id)) == (1, "40.00")


class TakingOver(KeyedSimulator):
    """Lets another worker take over while it answers a redemption for the first time."""

    work: Work | None = None

    def _redeem(self, request: Request) -> Reply:
        if self.work is not None:
            self.work.take_over()
            self.work = None
        return super()._redeem(request)


def test_a_replaced_worker_does_not_send_a_request_again_under_its_key(sqlite_url: str) -> None:
    with ExitStack() as stack:
        running = stack.enter_context(start(TakingOver))
        vendor = running.simulator
        assert isinstance(vendor, TakingOver)
        settings = KeyedSettings(base_url=running.announcement["base_url"], token=SecretSource.of("t"), tries=2)
        journal = open_journal(sqlite_url, make_journal_keys())
        gateway = stack.enter_context(Gateway({"shop": KeyedProvider("shop", settings)}, journal=journal))
        work = vendor.work = Work(journal.database)
        running.inject("commit-then-reset", "POST /redemptions")
        with use_fence(work.fence(1)), pytest.raises(OutcomeUnknown):
            gateway.redeem("shop", CODE, TEN, reference="1001")
        assert changing_requests(running) == ["POST /redemptions"]
        with use_fence(work.fence(2)):
            gateway.redeem("shop", CODE, TEN, reference="1001")
        assert vendor.cents == 9000


def test_a_replaced_worker_records_no_release_by_expiry(either_shop: Shop, work: Work) -> None:
    _, code = either_shop.voucher()
    reservation = either_shop.gateway.reserve("shop", code, TEN, reference="1001-a")
    either_shop.running.clock.advance(HALF_AN_HOUR + 90)
    work.take_over()
    with use_fence(work.fence(1)):
        either_shop.gateway.release("shop", reservation, reference="1001-a")
    assert either_shop.gateway.operation("shop", "release", "1001-a") is None


def test_a_take_over_waits_until_a_request_is_recorded(shop_on_postgres: Shop) -> None:
    """PostgreSQL would otherwise commit both at once: SQLite has one writer at a time anyhow."""
    work = Work(shop_on_postgres.journal.database)
    order: list[str] = []

    def take_over() -> None:
        work.take_over()
        order.append("taken over")

    thread = threading.Thread(target=take_over)
    with use_fence(work.fence(1)):
        with work.database.write() as connection:
            check_fences(connection)
            thread.start()
            thread.join(timeout=0.2)
            order.append("recorded")
        thread.join()
        assert order == ["recorded", "taken over"]
        with pytest.raises(OperationInProgress), work.database.write() as connection:
            check_fences(connection)


@pytest.fixture
def shop_on_postgres(make_shop: Callable[[str], Shop], postgres_url: str) -> Shop:
    return make_shop(postgres_url)


def test_all_fences_around_a_block_are_checked_and_none_behind_it(shop: Shop) -> None:
    work = Work(shop.journal.database)
    with (
        use_fence(work.fence(2)),
        use_fence(work.fence(1)),
        pytest.raises(OperationInProgress),
        work.database.write() as connection,
    ):
        check_fences(connection)
    with work.database.write() as connection:
        check_fences(connection)


def test_a_thread_has_the_fences_of_the_context_that_it_runs_in(shop: Shop) -> None:
    work = Work(shop.journal.database)
    results: list[str] = []

    def check() -> None:
        try:
            with work.database.write() as connection:
                check_fences(connection)
        except OperationInProgress:
            results.append("refused")
        else:
            results.append("passed")

    with use_fence(work.fence(2)):
        context = contextvars.copy_context()
    for target in (lambda: context.run(check), check):
        thread = threading.Thread(target=target)
        thread.start()
        thread.join()
    assert results == ["refused", "passed"]
