"""One voucher that cannot be read stops neither a plan, nor a run, nor a verification: it is named."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from tests.migration.run.vendor_pair import ANYTHING, SpendableValues, VendorPair
from tests.support.ledger import Ledger
from tests.support.unreadable import make_unreadable
from voucher_gateway.migration import (
    Action,
    DifferenceKind,
    Kind,
    PlannedVoucher,
    RowState,
    changes_since_plan,
    read_vouchers,
    rollback_plan,
    verify_plan,
)
from voucher_gateway.migration.plan.plan_file import open_plan
from voucher_gateway.migration.plan.text import listing_sentences


def planned_of(pair: VendorPair, id: str) -> PlannedVoucher:
    return next(planned for planned in read_vouchers(pair.path) if planned.source_id == id)


def carried_ids(pair: VendorPair) -> list[str]:
    return [planned.source_id for planned in read_vouchers(pair.path) if planned.action is Action.CARRY]


@pytest.mark.parametrize("action", [Action.SKIP, Action.REFUSE])
def test_a_plan_names_it_and_carries_the_others(pair: VendorPair, action: Action) -> None:
    count = pair.plan().totals.all.count
    unreadable = carried_ids(pair)[1]
    make_unreadable(pair.source, unreadable)
    summary = pair.plan(attrs.evolve(ANYTHING, unreadable=action))
    planned = planned_of(pair, unreadable)
    assert (planned.kind, planned.action, planned.remaining) == (Kind.UNREADABLE, action, None)
    assert planned.reasons[0].startswith("it cannot be read: currency: ")
    totals = summary.totals
    assert (totals.all.count, totals.listing.unreadable, totals.listing.consistent) == (count, 1, True)
    sentence = listing_sentences(totals.listing)[0]
    assert f"{count - 1} listed vouchers and 1 that cannot be read, as many as the vendor counts" in sentence
    before = SpendableValues.of(pair)
    report = pair.run()
    assert set(report.counts) == {RowState.MOVED}
    assert SpendableValues.of(pair).all == before.all
    verification = verify_plan(pair.gateway, pair.path)
    assert verification.proved, verification.differences
    assert [(voucher.account, voucher.name) for voucher in verification.unreadable] == [("source", unreadable)]


def test_one_that_cannot_be_read_any_more_is_not_moved_and_stays_spendable(pair: VendorPair) -> None:
    pair.plan()
    unreadable = carried_ids(pair)[0]
    make_unreadable(pair.source, unreadable)
    code = Ledger(pair.source).codes()[unreadable]
    report = pair.run()
    (noted,) = (noted for noted in report.noted if noted.source_id == unreadable)
    assert noted.state is RowState.REFUSED
    assert "currency" in noted.reason
    assert Ledger(pair.source).vouchers()[code].spendable
    with open_plan(pair.path) as plan:
        changes = {change.source_id: change.explanation for change in changes_since_plan(pair.gateway, plan)}
    assert changes[unreadable].startswith("it cannot be read: currency")


def test_a_verification_says_which_moved_voucher_cannot_be_read_at_the_source(pair: VendorPair) -> None:
    pair.move()
    unreadable = carried_ids(pair)[0]
    make_unreadable(pair.source, unreadable)
    verification = verify_plan(pair.gateway, pair.path)
    assert [(one.kind, one.source_id) for one in verification.differences] == [(DifferenceKind.UNREADABLE, unreadable)]
    assert verification.as_expected == verification.vouchers - 1


def test_a_verification_says_which_voucher_cannot_be_read_at_the_target(reverse_pair: VendorPair) -> None:
    pair = reverse_pair
    pair.move()
    planned = next(planned for planned in read_vouchers(pair.path) if planned.action is Action.CARRY)
    moved = pair.gateway.find_moved("source", planned.source_id)
    assert moved is not None
    assert moved.to_voucher_id is not None
    make_unreadable(pair.target, moved.to_voucher_id)
    kinds = [one.kind for one in verify_plan(pair.gateway, pair.path).differences if one.number == planned.number]
    assert kinds == [DifferenceKind.UNREADABLE]


def test_one_that_a_rollback_cannot_bring_back_is_said_to_be_unreadable_at_the_target(reverse_pair: VendorPair) -> None:
    pair = reverse_pair
    before = pair.move()
    planned = next(planned for planned in read_vouchers(pair.path) if planned.action is Action.CARRY)
    moved = pair.gateway.find_moved("source", planned.source_id)
    assert moved is not None
    assert moved.to_voucher_id is not None
    state: dict[str, Any] = pair.target.simulator.dump()
    make_unreadable(pair.target, moved.to_voucher_id)
    assert rollback_plan(pair.gateway, pair.path).not_undone == 1
    differences = [one for one in verify_plan(pair.gateway, pair.path).differences if one.number == planned.number]
    assert [one.kind for one in differences] == [DifferenceKind.UNREADABLE, DifferenceKind.SOURCE]
    assert differences[0].explanation.startswith("at the target it cannot be read: currency")
    kept = next(voucher for voucher in state["vouchers"] if voucher["id"] == moved.to_voucher_id)
    now: dict[str, Any] = pair.target.simulator.dump()
    now["vouchers"] = [kept if voucher["id"] == kept["id"] else voucher for voucher in now["vouchers"]]
    pair.target.simulator.load(now)
    assert rollback_plan(pair.gateway, pair.path).undone == 1
    assert SpendableValues.of(pair).all == before.all
    assert verify_plan(pair.gateway, pair.path).proved


def test_after_a_rollback_too(pair: VendorPair) -> None:
    pair.move()
    rollback_plan(pair.gateway, pair.path)
    unreadable = carried_ids(pair)[0]
    make_unreadable(pair.source, unreadable)
    kinds = [one.kind for one in verify_plan(pair.gateway, pair.path).differences if one.source_id == unreadable]
    assert kinds == [DifferenceKind.UNREADABLE]
