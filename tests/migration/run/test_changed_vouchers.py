"""A run looks at its source once before it freezes anything: vouchers that have changed are told, and not frozen."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from tests.migration.run.vendor_pair import SpendableValues, VendorPair
from tests.support.ledger import Ledger
from voucher_gateway import Money, Voucher
from voucher_gateway.migration import RowState, read_vouchers, status_of
from voucher_gateway.migration.plan.model import Action
from voucher_gateway.migration.plan.plan_file import open_plan
from voucher_gateway.migration.run.changed_vouchers import exclude_changed_vouchers
from voucher_gateway.migration.run.context import MigrationContext
from voucher_gateway.migration.run.state import MigrationState


def spend_from(pair: VendorPair, count: int) -> list[str]:
    """Spend a cent of each of some planned vouchers, as a till does, and return their ids."""
    codes = Ledger(pair.source).codes()
    spent = []
    for planned in read_vouchers(pair.path):
        if planned.action is Action.CARRY and planned.remaining and str(planned.status) == "active":
            pin = pair.gateway.get("source", planned.source_id, secrets=True).pin
            money = Money.from_minor(1, planned.remaining.currency)
            reference = f"a-till-{planned.number}"
            pair.gateway.redeem("source", codes[planned.source_id], money, pin, reference=reference)
            spent.append(planned.source_id)
            if len(spent) == count:
                return spent
    raise AssertionError("too few vouchers")


def writes_to(pair: VendorPair, ids: list[str], since: int) -> list[str]:
    """Return the changing requests for some vouchers of the source."""
    return [
        f"{request.method} {request.path}"
        for request in pair.source.requests[since:]
        if request.method != "GET" and any(id in request.path for id in ids)
    ]


def test_changed_vouchers_are_found_by_one_list_and_stay_as_they_are(pair: VendorPair) -> None:
    pair.plan()
    spent = spend_from(pair, 3)
    before, ends = SpendableValues.of(pair), {id: pair.gateway.get("source", id).valid_until for id in spent}
    since = len(pair.source.requests)
    report = pair.run()
    assert {noted.source_id for noted in report.noted if noted.state is RowState.CHANGED} == set(spent)
    assert report.counts[RowState.CHANGED] == 3
    assert report.left == 0
    assert writes_to(pair, spent, since) == []
    lists = [request for request in pair.source.requests[since:] if request.path.endswith("/vouchers")]
    assert len(lists) == 2  # the first asks whether the vendor answers
    assert {id: pair.gateway.get("source", id).valid_until for id in spent} == ends
    assert SpendableValues.of(pair).all == before.all


def test_a_run_that_goes_on_looks_again(pair: VendorPair) -> None:
    pair.plan()
    assert pair.run(limit=1).left > 0
    moved = {row.source_id for row in read_vouchers(pair.path)} - set(Ledger(pair.source).spendable())
    assert moved
    spent = spend_from_rest(pair)
    since = len(pair.source.requests)
    report = pair.run()
    assert [noted.source_id for noted in report.noted if noted.state is RowState.CHANGED] == [spent]
    assert writes_to(pair, [spent], since) == []


def spend_from_rest(pair: VendorPair) -> str:
    """Spend a cent of the last planned voucher, which a pilot has not reached, and return its id."""
    *_, last = (one for one in read_vouchers(pair.path) if one.action is Action.CARRY and str(one.status) == "active")
    assert last.remaining is not None
    voucher = pair.gateway.get("source", last.source_id, secrets=True)
    assert voucher.code is not None
    money = Money.from_minor(1, last.remaining.currency)
    pair.gateway.redeem("source", voucher.code, money, voucher.pin, reference="a-till-last")
    return last.source_id


def test_a_pilot_that_is_smaller_than_the_list_reads_its_vouchers_only(pair: VendorPair) -> None:
    pair.plan()
    pair.run(limit=1)
    spend_from_rest(pair)
    since = len(pair.source.requests)
    with open_plan(pair.path) as plan:
        context = MigrationContext(pair.gateway, plan.id, plan.header)
        state = MigrationState.of(pair.gateway, plan.summary)
        listing = attrs.evolve(context.source_can.listing, page_size=2)
        context.source_can = attrs.evolve(context.source_can, listing=listing)
        assert list(exclude_changed_vouchers(context, state, limit=1)) == []
        assert len(pair.source.requests) == since
        assert len(list(exclude_changed_vouchers(context, state, limit=1000))) == 1


def test_a_run_of_the_last_vouchers_of_a_long_list_reads_these_only(pair: VendorPair) -> None:
    pair.plan()
    carried = sum(1 for planned in read_vouchers(pair.path) if planned.action is Action.CARRY)
    pair.run(limit=carried - 1)
    spent = spend_from_rest(pair)
    since = len(pair.source.requests)
    with open_plan(pair.path) as plan:
        context = MigrationContext(pair.gateway, plan.id, plan.header)
        listing = attrs.evolve(context.source_can.listing, page_size=2)
        context.source_can = attrs.evolve(context.source_can, listing=listing)
        assert list(exclude_changed_vouchers(context, MigrationState.of(pair.gateway, plan.summary))) == []
        assert list(exclude_changed_vouchers(context, MigrationState.of(pair.gateway, plan.summary), limit=20)) == []
    assert len(pair.source.requests) == since
    report = pair.run()
    assert [noted.source_id for noted in report.noted if noted.state is RowState.CHANGED] == [spent]
    assert writes_to(pair, [spent], since) == []


def test_a_broken_list_is_continued_where_it_was(pair: VendorPair) -> None:
    pair.plan()
    (spent,) = spend_from(pair, 1)
    pair.source.inject("error-before", "GET */vouchers", times=2, after=1)
    report = pair.run()
    assert [noted.source_id for noted in report.noted if noted.state is RowState.CHANGED] == [spent]
    assert report.left == 0


def test_a_source_that_is_down_ends_the_run_before_anything_is_changed(pair: VendorPair) -> None:
    pair.plan()
    pair.source.inject("error-before", "GET */vouchers", times=0, after=1)  # the first asks whether it answers
    changes = pair.changes()
    report = pair.run()
    assert report.stopped == "error"
    assert report.counts == {}
    assert pair.changes() == changes
    pair.source.clear_faults()
    assert pair.run().left == 0


def test_a_voucher_that_another_process_has_claimed_is_left_to_it(
    pair: VendorPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair.plan()
    pair.run(limit=1)
    spent = spend_from_rest(pair)
    with open_plan(pair.path) as plan:
        context = MigrationContext(pair.gateway, plan.id, plan.header)
        state = MigrationState.of(pair.gateway, plan.summary)
        read = context.gateway.get

        def claim_first(account: str, id: str, **options: Any) -> Voucher:
            assert state.claim(1000).rows  # another process is faster
            return read(account, id, **options)

        monkeypatch.setattr(context.gateway, "get", claim_first)
        assert list(exclude_changed_vouchers(context, state)) == []
        state.release(list(state.claimed.values()))
    monkeypatch.undo()
    assert status_of(pair.gateway, pair.path).count(RowState.CHANGED) == 0
    report = pair.run()
    assert [noted.source_id for noted in report.noted if noted.state is RowState.CHANGED] == [spent]


def test_a_run_with_nothing_left_to_move_asks_neither_vendor(pair: VendorPair) -> None:
    pair.plan()
    assert pair.run().left == 0
    before = len(pair.source.requests), len(pair.target.requests)
    assert pair.run().left == 0
    assert (len(pair.source.requests), len(pair.target.requests)) == before
