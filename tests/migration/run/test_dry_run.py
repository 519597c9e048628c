"""A dry run says what the next run does, after a break as well, and changes nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest
import sqlalchemy as sa

from tests.migration.run.run_process import run_in_process
from tests.migration.run.test_crash_points import prepared
from tests.migration.run.test_killed import wait_until_free
from tests.migration.run.test_runner import carried
from tests.migration.run.test_verify import first_carried, redeem_there
from tests.migration.run.vendor_pair import VendorPair
from tests.support.ledger import Ledger
from tests.support.long import first
from voucher_gateway.journal.records import OperationState
from voucher_gateway.journal.schema import moved
from voucher_gateway.migration import PlanState, RowState, RunReport, read_vouchers, status_of
from voucher_gateway.migration.run import context
from voucher_gateway.migration.schema import plans, vouchers
from voucher_gateway.provider_api import Money, NewVoucher


def test_a_dry_run_changes_nothing_and_tells_what_a_run_does(either_pair: VendorPair) -> None:
    either_pair.plan()
    sent = either_pair.changes()
    told = either_pair.run(dry_run=True)
    assert either_pair.changes() == sent
    assert status_of(either_pair.gateway, either_pair.path).state is None
    done = either_pair.run()
    assert told.dry_run
    assert (told.counts, told.moved) == (done.counts, done.moved)


def test_a_dry_run_tells_what_has_changed_and_which_codes_are_taken(pair: VendorPair) -> None:
    pair.plan()
    first, second = list(read_vouchers(pair.path))[:1], sorted(carried(pair))[:2]
    assert first
    codes = Ledger(pair.source).codes()
    pair.gateway.deactivate("source", second[0], reference="by-hand")
    pair.gateway.issue("target", NewVoucher(initial=Money(1, "EUR"), code=codes[second[1]]), reference="other")
    noted = {one.source_id: (one.state, one.reason) for one in pair.run(dry_run=True).noted}
    assert noted[second[0]] == (RowState.CHANGED, "it is inactive, not active")
    assert noted[second[1]][0] is RowState.REFUSED
    assert noted[second[1]][1].startswith("the target already has a voucher with its code")


def broken_off(pair: VendorPair, monkeypatch: pytest.MonkeyPatch) -> RunReport:
    """Run while the target lets nobody issue: everything is frozen, and nothing is moved."""
    monkeypatch.setattr(context, "_PAUSES_S", (0.01,))
    pair.target.inject("rate-limit", "POST /*", times=0)
    report: RunReport = pair.run(workers=8)
    pair.target.clear_faults()
    return report


def killed(make_pair: Callable[..., VendorPair], way: tuple[str, str, str | None], at: int) -> VendorPair:
    """Return a pair whose run was killed at a point."""
    pair = prepared(make_pair, *way)
    assert run_in_process(pair.accounts, pair.url, pair.path, at=at) is None
    wait_until_free(pair)
    return pair


def test_what_we_have_frozen_ourselves_has_not_changed(pair: VendorPair, monkeypatch: pytest.MonkeyPatch) -> None:
    pair.plan()
    report = broken_off(pair, monkeypatch)
    assert (report.counts, report.put_off > 0) == ({}, True)
    sent = pair.changes()
    told = pair.run(dry_run=True)
    assert pair.changes() == sent
    done = pair.run()
    assert (told.counts, told.moved) == (done.counts, done.moved)
    assert set(told.counts) == {RowState.MOVED}


def test_what_somebody_has_thawed_since_has_changed(pair: VendorPair, monkeypatch: pytest.MonkeyPatch) -> None:
    pair.plan()
    broken_off(pair, monkeypatch)
    planned = first_carried(pair)
    pair.gateway.provider("source").activate(planned.source_id, reference="by-hand")
    (noted,) = pair.run(dry_run=True).noted
    assert (noted.source_id, noted.state) == (planned.source_id, RowState.CHANGED)
    assert noted.reason.startswith("it was frozen, and was activated by hand after that")


@pytest.mark.parametrize("at", first([16, 5, 27, 38, 49], 2))
@pytest.mark.parametrize("way", [("jtl", "ticketing", None), ("ticketing", "jtl", None)], ids=str)
def test_what_dead_processes_left_behind_is_told_too(
    make_pair: Callable[..., VendorPair], way: tuple[str, str, str | None], at: int
) -> None:
    pair = killed(make_pair, way, at)
    before, sent = status_of(pair.gateway, pair.path), pair.changes()
    told = pair.run(dry_run=True)
    assert pair.changes() == sent
    assert status_of(pair.gateway, pair.path) == before
    # Only what the journal does not know yet may come out in another way than in doubt.
    done = pair.run().counts
    told_of = Counter(told.counts)
    assert sum(told_of.values()) == sum(done.values())
    assert told_of[RowState.MOVED] <= done.get(RowState.MOVED, 0)
    assert set(told_of) <= {RowState.MOVED, RowState.IN_DOUBT}


def test_what_is_in_doubt_is_told_and_named(make_pair: Callable[..., VendorPair]) -> None:
    pair = prepared(make_pair, "jtl", "ticketing", None)
    pair.target.inject("drop-before", "POST /*", times=0)
    pair.run()
    pair.target.clear_faults()
    doubtful = status_of(pair.gateway, pair.path).count(RowState.IN_DOUBT)
    assert doubtful
    told = pair.run(dry_run=True)
    assert told.counts[RowState.IN_DOUBT] == doubtful
    assert "the outcome of its issue at target is unknown" in told.noted[0].reason


def test_a_doubt_that_was_decided_is_none_any_more(make_pair: Callable[..., VendorPair]) -> None:
    pair = prepared(make_pair, "jtl", "ticketing", None)
    pair.target.inject("drop-before", "POST /*", times=0)
    pair.run()
    pair.target.clear_faults()
    journal = pair.gateway.journal
    assert journal is not None
    for one in journal.iterate_operations(states=[OperationState.UNKNOWN], account="target"):
        pair.gateway.decide(one.key, succeeded=False, by="somebody", reason="it is not there")
    told = pair.run(dry_run=True)
    done = pair.run()
    assert told.counts == done.counts == {RowState.MOVED: 2}


def test_what_was_used_at_the_target_before_the_break_was_over_is_told(make_pair: Callable[..., VendorPair]) -> None:
    pair = prepared(make_pair, "jtl", "jtl", None)
    pair.run()
    redeem_there(pair, first_carried(pair), "1.00")
    journal = pair.gateway.journal
    assert journal is not None
    with journal.database.write() as connection:  # as a process leaves it that dies before it writes down what it did
        connection.execute(sa.update(plans).values(state=PlanState.RUNNING.value))
        connection.execute(sa.update(vouchers).values(state=RowState.WORKING.value, owner="dead", target_id=None))
        connection.execute(sa.update(moved).values(to_account=None, to_voucher_id=None))
    told = pair.run(dry_run=True)
    assert told.counts == pair.run().counts == {RowState.MOVED: 2}
    (noted,) = told.noted
    assert noted.reason == "it was used at the target before the end of the move"
