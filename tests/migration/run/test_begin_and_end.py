"""How a run begins and ends: both vendors must answer, doubts are looked at once more, and the report is true."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from tests.migration.run.test_runner import carried
from tests.migration.run.vendor_pair import SpendableValues, VendorPair
from voucher_gateway.migration import PlanState, Progress, RowState, rollback_plan, status_of, verify_plan
from voucher_gateway.migration.run import context, migration_run, vendor_check
from voucher_gateway.provider_api import ProviderUnavailable


@pytest.mark.parametrize("end", ["source", "target"])
def test_a_vendor_that_is_down_at_the_begin_is_said_at_once_and_nothing_has_begun(pair: VendorPair, end: str) -> None:
    pair.plan()
    getattr(pair, end).close()
    began = time.monotonic()
    with pytest.raises(ProviderUnavailable) as caught:
        pair.run()
    assert time.monotonic() - began < 10
    assert caught.value.account == end
    seen = status_of(pair.gateway, pair.path)
    assert (set(seen.vouchers), seen.workers, seen.left_behind) == ({RowState.PLANNED}, {}, 0)
    with pytest.raises(ProviderUnavailable):
        pair.run(dry_run=True)


def test_a_vendor_that_does_not_answer_is_not_waited_for(pair: VendorPair, monkeypatch: pytest.MonkeyPatch) -> None:
    pair.plan()
    monkeypatch.setattr(vendor_check, "_PATIENCE_S", 0.2)
    pair.target.inject("slow-before", "GET /*", delay_s=1)
    with pytest.raises(ProviderUnavailable, match="has not answered within"):
        pair.run()
    assert pair.changes() == 0


@pytest.mark.parametrize("fault", ["error-before", "error-after-commit"])
def test_a_run_looks_once_more_at_what_is_in_doubt_before_it_ends(pair: VendorPair, fault: str) -> None:
    pair.plan()
    before, wanted = SpendableValues.of(pair), len(carried(pair))
    pair.source.inject(fault, "PATCH /*", times=3)
    report = pair.run()
    assert (report.counts, report.noted, report.in_doubt) == ({RowState.MOVED: wanted}, (), 0)
    assert SpendableValues.of(pair).all == before.all
    assert verify_plan(pair.gateway, pair.path).proved


def test_what_a_look_does_not_settle_stays_in_doubt_and_is_counted_once(pair: VendorPair) -> None:
    pair.plan()
    wanted = len(carried(pair))
    pair.target.inject("drop-before", "POST */vouchers", times=2)
    report = pair.run()
    assert report.counts == {RowState.MOVED: wanted - 2, RowState.IN_DOUBT: 2}
    assert (len(report.noted), report.in_doubt, report.left) == (2, 2, 0)


def test_the_looks_are_bounded_in_time(pair: VendorPair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migration_run, "_LOOK_S", 0)
    pair.plan()
    pair.source.inject("error-before", "PATCH /*", times=2)
    assert pair.run().in_doubt == 2
    assert pair.run().in_doubt == 0


def test_a_run_of_doubts_alone_tells_how_many_there_are(pair: VendorPair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migration_run, "_LOOK_S", 0)
    pair.plan()
    pair.source.inject("error-before", "PATCH /*", times=3)
    pair.run()
    told: list[Progress] = []
    assert pair.run(on_progress=told.append).counts == {RowState.MOVED: 3}
    assert {progress.total for progress in told} == {3}
    assert (told[-1].finished, told[-1].eta_s) == (3, 0)


def test_a_run_of_a_finished_plan_tells_what_has_moved_already(pair: VendorPair) -> None:
    pair.plan()
    first = pair.run()
    again = pair.run()
    assert (again.counts, again.moved, again.left) == ({}, {}, 0)
    assert again.vouchers[RowState.MOVED].count == first.counts[RowState.MOVED]
    assert again.vouchers[RowState.MOVED].money == first.moved


def test_a_pilot_tells_how_long_the_rest_takes(make_pair: Callable[..., VendorPair]) -> None:
    pair = make_pair("jtl", "ticketing", 150, latency_ms=20)
    pair.plan()
    pilot = pair.run(limit=6, workers=2)
    assert pilot.rest_s is not None
    assert status_of(pair.gateway, pair.path).rest_s == pilot.rest_s
    began = time.monotonic()
    assert pair.run(workers=2).rest_s is None
    took = time.monotonic() - began
    assert status_of(pair.gateway, pair.path).rest_s is None
    assert took / 3 < pilot.rest_s < 3 * took + 1


def test_a_rollback_says_at_once_that_a_vendor_is_down_and_can_still_be_run(pair: VendorPair) -> None:
    pair.plan()
    pair.run(limit=3)
    pair.target.close()
    with pytest.raises(ProviderUnavailable):
        rollback_plan(pair.gateway, pair.path)
    assert status_of(pair.gateway, pair.path).state is PlanState.RUNNING


def test_a_rollback_looks_once_more_at_what_is_in_doubt_before_it_ends(pair: VendorPair) -> None:
    pair.plan()
    before, wanted = SpendableValues.of(pair), len(carried(pair))
    pair.run()
    pair.source.inject("error-after-commit", "PATCH /*", times=2)
    report = rollback_plan(pair.gateway, pair.path)
    assert (report.undone, report.not_undone, report.in_doubt) == (wanted, 0, 0)
    assert [voucher for voucher in report.kept if voucher.state is RowState.IN_DOUBT] == []
    assert SpendableValues.of(pair).all == before.all


@pytest.mark.parametrize("request_", ["PATCH /*", "DELETE /*"])
def test_a_rollback_leaves_no_operation_in_doubt_whose_effect_it_has_seen(
    reverse_pair: VendorPair, request_: str
) -> None:
    pair = reverse_pair
    before = pair.move()
    pair.target.inject("error-after-commit", request_, times=3)
    assert rollback_plan(pair.gateway, pair.path).not_undone == 0
    assert SpendableValues.of(pair).all == before.all
    assert [record.key for record in pair.gateway.operations(account="target") if record.state.is_unresolved] == []


def test_a_rollback_leaves_no_activation_in_doubt_that_it_has_seen(reverse_pair: VendorPair) -> None:
    pair = reverse_pair
    pair.plan()
    before = SpendableValues.of(pair)
    pair.target.inject("error-after-commit", "PATCH /*", times=0)
    pair.run(workers=1)
    pair.target.clear_faults()
    assert [record for record in pair.gateway.operations(account="target") if record.state.is_unresolved]
    assert rollback_plan(pair.gateway, pair.path).not_undone == 0
    assert SpendableValues.of(pair).all == before.all
    assert [record.key for record in pair.gateway.operations(account="target") if record.state.is_unresolved] == []


def test_a_rollback_of_a_pilot_counts_only_what_was_begun(pair: VendorPair) -> None:
    pair.plan()
    pair.run(limit=3)
    told: list[Progress] = []
    assert rollback_plan(pair.gateway, pair.path, on_progress=told.append).undone == 3
    assert {progress.total for progress in told} == {3}


def test_a_rollback_stops_when_every_voucher_fails(
    make_pair: Callable[..., VendorPair], monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = make_pair("jtl", "ticketing", 250)
    pair.plan()
    pair.run()
    monkeypatch.setattr(context, "_PAUSES_S", ())
    pair.target.inject("error-before", "* /*", times=0, after=1)
    since = len(pair.target.requests)
    report = rollback_plan(pair.gateway, pair.path)
    moved = status_of(pair.gateway, pair.path).count(RowState.MOVED)
    assert (report.undone, report.not_undone) == (0, moved)
    assert isinstance(report.error, ProviderUnavailable)
    assert len(pair.target.requests) - since < 2 * moved
