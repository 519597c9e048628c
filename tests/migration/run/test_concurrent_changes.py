"""What others do while a migration is broken off, and what two processes do at once."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa

from tests.migration.run.test_crash_points import prepared
from tests.migration.run.vendor_pair import ANYTHING, SpendableValues, VendorPair
from tests.support.ledger import Ledger
from tests.support.simulators import SimulatorAccount, make_gateway
from voucher_gateway.execution.attempts import RequestRecorder
from voucher_gateway.journal.schema import moved
from voucher_gateway.migration import PlanState, RowState, make_plan, rollback_plan, run_plan, status_of
from voucher_gateway.migration.plan.plan_file import read_summary
from voucher_gateway.migration.run import context, runner
from voucher_gateway.migration.run.context import MigrationContext
from voucher_gateway.migration.run.load import load_vouchers
from voucher_gateway.migration.run.mover import VoucherMover
from voucher_gateway.migration.run.state import MigrationState
from voucher_gateway.migration.schema import RUNNABLE, vouchers
from voucher_gateway.provider_api import (
    Money,
    NewVoucher,
    OperationInProgress,
    ProviderUnavailable,
    RateLimited,
    Redemption,
)

FIRST = "CODE-OF-THE-FIRST"
TEN = Money("10.00", "EUR")


@pytest.fixture(autouse=True)
def _no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context, "_PAUSES_S", (0.01,))


def state_of(pair: VendorPair) -> MigrationState:
    summary = read_summary(pair.path)
    journal = pair.gateway.journal
    assert journal is not None
    return MigrationState(journal.database, summary.id, summary.header, journal.keys)


def left_by_a_dead_process(pair: VendorPair) -> None:
    """Let all rows be as they are when a process was killed before it could write what came of them."""
    with state_of(pair).database.write() as connection:
        connection.execute(sa.update(vouchers).values(state="working", owner="0123456789abcdef", target_id=None))
        connection.execute(sa.update(moved).values(to_account=None, to_voucher_id=None))


def redeemed_before(pair: VendorPair) -> Redemption:
    redemption = pair.gateway.redeem("source", FIRST, Money("3.00", "EUR"), reference="before")
    pair.plan()
    return redemption


WAYS = pytest.mark.parametrize("way", [("jtl", "ticketing", None), ("ticketing", "jtl", None)], ids=str)


@WAYS
def test_a_voucher_that_is_used_at_the_target_before_its_move_is_written_down_has_moved(
    make_pair: Callable[..., VendorPair], way: tuple[str, str, str | None]
) -> None:
    pair = prepared(make_pair, *way)
    redemption = redeemed_before(pair)
    pair.run()
    left_by_a_dead_process(pair)
    pair.gateway.redeem("target", FIRST, Money("1.00", "EUR"), reference="there")
    report = pair.run()
    assert report.counts == {RowState.MOVED: 2}
    assert [one.reason for one in report.noted] == ["it was used at the target before the end of the move"]
    pair.gateway.refund("source", redemption, reference="return")
    assert str(Ledger(pair.target).entry(code=FIRST)["remaining"]) == "9.53"
    assert FIRST not in SpendableValues.of(pair).source


def test_a_source_that_somebody_thaws_while_the_plan_is_broken_off_is_looked_at_again(
    make_pair: Callable[..., VendorPair],
) -> None:
    pair = prepared(make_pair, "jtl", "jtl", None)
    pair.target.inject("error-before", "GET */vouchers/*", times=0)  # made, but not confirmed
    report = pair.run()
    assert (report.counts, report.put_off) == ({}, 2)
    pair.target.clear_faults()
    vendor = pair.gateway.provider("source")  # by hand at the vendor: the gateway would refuse
    vendor.activate(str(Ledger(pair.source).entry(code=FIRST)["id"]), reference="by-hand")
    vendor.capture(vendor.reserve(FIRST, TEN, reference="by-hand"), reference="by-hand")
    report = pair.run()
    assert report.counts == {RowState.MOVED: 1, RowState.CHANGED: 1}
    after = SpendableValues.of(pair)
    assert (str(after.source[FIRST][0]), FIRST in after.target) == ("0.53", False)


def test_what_was_announced_before_and_lands_while_the_source_is_read_does_not_stay_behind(
    make_pair: Callable[..., VendorPair], monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = prepared(make_pair, "jtl", "ticketing", None)
    redemption = redeemed_before(pair)
    till = pair.another_gateway()
    announced, go = threading.Event(), threading.Event()
    sending, read = RequestRecorder.before_send, MigrationContext.read

    def hesitate(step: Any, intent: Any) -> None:
        sending(step, intent)
        if threading.current_thread() is refund:
            announced.set()
            go.wait(20)

    def read_and_let_go(self: MigrationContext, account: str, id: str) -> Any:
        seen = read(self, account, id)
        if (account, id) == ("source", redemption.voucher_id):
            go.set()
            refund.join(20)
        return seen

    refund = threading.Thread(target=lambda: till.refund("source", redemption, reference="return"))
    monkeypatch.setattr(RequestRecorder, "before_send", hesitate)
    monkeypatch.setattr(MigrationContext, "read", read_and_let_go)
    refund.start()
    assert announced.wait(10)
    report = pair.run()
    go.set()
    refund.join(20)
    assert report.counts == {RowState.MOVED: 1, RowState.CHANGED: 1}
    (noted,) = report.noted
    assert noted.reason.startswith("its refund 'return' has an unknown outcome; resolve it first")
    assert str(SpendableValues.of(pair).all[FIRST][0]) == "10.53"


def test_a_run_that_moves_nothing_says_why(pair: VendorPair) -> None:
    pair.plan()
    pair.target.inject("rate-limit", "POST /*", times=0)
    report = pair.run(workers=64)  # too few vouchers to give up
    assert (report.counts, report.noted) == ({}, ())
    assert report.put_off == report.left > 0
    assert isinstance(report.error, RateLimited)
    assert report.stopped == "error"


def test_a_rollback_that_cannot_read_brings_nothing_back_and_says_so(pair: VendorPair) -> None:
    pair.move()
    before = SpendableValues.of(pair)
    pair.target.inject("error-before", "* /*", times=0, after=1)  # the first is the check at the begin
    report = rollback_plan(pair.gateway, pair.path)
    count = status_of(pair.gateway, pair.path).count(RowState.MOVED)
    assert (report.undone, report.money, report.not_undone) == (0, {}, count)
    assert isinstance(report.error, ProviderUnavailable)
    assert SpendableValues.of(pair) == before
    pair.target.clear_faults()
    again = rollback_plan(pair.gateway, pair.path)
    assert (again.undone, again.not_undone, again.error) == (count, 0, None)


def test_while_a_voucher_is_brought_back_nothing_else_brings_value_to_it(make_pair: Callable[..., VendorPair]) -> None:
    pair = prepared(make_pair, "jtl", "ticketing", None)
    redemption = redeemed_before(pair)
    before = pair.run() and SpendableValues.of(pair)
    pair.source.inject("error-before", "PATCH *", times=0)  # it cannot be thawed
    assert rollback_plan(pair.gateway, pair.path).in_doubt == 2
    id = str(redemption.voucher_id)
    for call in (
        lambda: pair.gateway.activate("source", id, reference="by-hand"),
        lambda: pair.gateway.top_up("source", id, TEN, reference="by-hand"),
        lambda: pair.gateway.refund("source", redemption, reference="return"),
    ):
        with pytest.raises(OperationInProgress, match="being moved"):
            call()
    pair.source.clear_faults()
    assert rollback_plan(pair.gateway, pair.path).undone == 2
    after = SpendableValues.of(pair)
    assert after.all == before.all
    assert set(after.source) >= {FIRST}
    pair.gateway.refund("source", redemption, reference="return")
    assert str(SpendableValues.of(pair).source[FIRST][0]) == "10.53"


def test_a_rollback_beside_a_run_brings_everything_back(make_pair: Callable[..., VendorPair]) -> None:
    pair = make_pair("jtl", "ticketing", 120, latency_ms=20)
    pair.plan()
    before, other = SpendableValues.of(pair), pair.another_gateway()
    reports: list[Any] = []
    runner = threading.Thread(target=lambda: reports.append(run_plan(other, pair.path, workers=1)))
    runner.start()
    while status_of(pair.gateway, pair.path).count(RowState.MOVED) < 3:
        time.sleep(0.01)
    report = rollback_plan(pair.gateway, pair.path)
    runner.join()
    (run,) = reports
    assert run.stopped == "rolled-back"
    assert (report.undone, report.not_undone) == (run.counts[RowState.MOVED], 0)
    after = SpendableValues.of(pair)
    assert after.all == before.all
    assert after.target == before.target


def test_a_rollback_while_a_plan_is_being_loaded_ends_the_run(
    pair: VendorPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair.plan()
    before = SpendableValues.of(pair)

    def load_slowly(*arguments: Any) -> None:
        load_vouchers(*arguments)
        rollback_plan(pair.another_gateway(), pair.path)

    monkeypatch.setattr(runner, "load_vouchers", load_slowly)
    with pytest.raises(Exception, match="this plan was rolled back"):
        pair.run()
    assert SpendableValues.of(pair) == before


def test_nothing_leads_out_of_a_rollback(pair: VendorPair) -> None:
    pair.plan(ANYTHING)
    pair.run(limit=2)
    state = state_of(pair)
    rollback_plan(pair.gateway, pair.path)
    for to in (PlanState.RUNNING, PlanState.PAUSED, PlanState.DONE):
        assert not state.set_plan_state(to, only_from=RUNNABLE)
    assert state.plan_state() is PlanState.ROLLED_BACK
    assert not state.claim(8).rows


def test_a_voucher_that_expires_before_the_run_does_not_come_to_life_again(
    make_pair: Callable[..., VendorPair],
) -> None:
    pair = make_pair("ticketing", "jtl", 0)
    soon = pair.source.clock.now() + timedelta(days=2)
    new = NewVoucher(initial=TEN, code=FIRST, valid_until=soon, active=None)
    pair.gateway.issue("source", new, reference="sale")
    pair.plan()
    for vendor in (pair.source, pair.target):
        vendor.clock.advance(timedelta(days=3).total_seconds())
    (noted,) = pair.run().noted
    assert (noted.state, noted.reason) == (RowState.CHANGED, "it has expired since it was planned")
    assert FIRST not in SpendableValues.of(pair).target


def test_two_plans_of_two_names_of_a_login_do_not_double_a_voucher(
    make_pair: Callable[..., VendorPair], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The target gives new codes, so that it cannot refuse the second voucher."""
    pair = prepared(make_pair, "ticketing", "pretix", None)
    accounts = (*pair.accounts, SimulatorAccount("second name", pair.source.announcement, former_names=()))
    both_plans_have_read = threading.Barrier(4)
    create = VoucherMover._create

    def create_after_reading(mover: VoucherMover) -> None:
        with suppress(threading.BrokenBarrierError):
            both_plans_have_read.wait(0.5)
        create(mover)

    monkeypatch.setattr(VoucherMover, "_create", create_after_reading)
    with make_gateway(accounts, pair.url) as gateway:
        plans = [pair.path.with_name(f"{name}.plan") for name in ("source", "second name")]
        for path in plans:
            make_plan(gateway, path.stem, "target", path, policy=ANYTHING)
        before = sum_of_values(pair)
        with ThreadPoolExecutor(2) as threads:
            reports = list(threads.map(partial(run_plan, gateway), plans))
    assert sum_of_values(pair) == before
    assert sum((Counter(report.counts) for report in reports), Counter()) == {RowState.MOVED: 2, RowState.CHANGED: 2}


def sum_of_values(pair: VendorPair) -> Decimal:
    """What can be spent at both vendors, whatever its code."""
    values = SpendableValues.of(pair)
    return sum((amount for side in (values.source, values.target) for amount, _ in side.values()), Decimal(0))
