"""A verification says which ends of validity are not as before: how many, how much money, and by how long."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from datetime import timedelta
from typing import Final

import attrs
import pytest

from tests.migration.run.test_changed_vouchers import spend_from_rest
from tests.migration.run.vendor_pair import ANYTHING, VendorPair
from tests.support.ledger import Ledger
from voucher_gateway.migration import (
    Action,
    RowState,
    Shift,
    ShiftedEnd,
    ShiftedEnds,
    load_policy,
    read_vouchers,
    rollback_plan,
    verify_plan,
)
from voucher_gateway.money import Money
from voucher_gateway.provider_api import Interval, NewVoucher, Validity


def verified(pair: VendorPair) -> tuple[tuple[ShiftedEnds, ...], list[ShiftedEnd]]:
    shifted: list[ShiftedEnd] = []
    verification = verify_plan(pair.gateway, pair.path, on_shifted_end=shifted.append)
    return verification.shifted_ends, shifted


def require_groups_fit_vouchers(groups: tuple[ShiftedEnds, ...], shifted: list[ShiftedEnd]) -> None:
    """Check the sums, the median and the longest shift of each group against its vouchers."""
    assert sum(group.count for group in groups) == len(shifted)
    for group in groups:
        members = [
            one
            for one in shifted
            if (one.account, one.shift, one.value.currency) == (group.account, group.shift, group.money.currency)
        ]
        assert group.count == len(members)
        assert group.money == sum((one.value for one in members), start=Money.zero(group.money.currency))
        lengths = [one.seconds for one in members if one.seconds is not None]
        if lengths:
            assert (group.median_s, group.most_s) == (statistics.median_low(lengths), max(lengths))
        else:
            assert (group.median_s, group.most_s) == (None, None)


def test_ends_that_a_target_keeps_are_in_no_table(pair: VendorPair) -> None:
    pair.move()
    assert verified(pair) == ((), [])


def test_ends_at_a_target_of_whole_days_are_tabled(reverse_pair: VendorPair) -> None:
    pair = reverse_pair
    pair.move()
    groups, shifted = verified(pair)
    assert {group.shift for group in groups} <= {Shift.LATER, Shift.NEW_END}
    assert {one.account for one in shifted} == {"target"}
    require_groups_fit_vouchers(groups, shifted)
    before = {one.source_id: one.valid_until for one in read_vouchers(pair.path)}
    for one in shifted:
        assert one.before == before[one.source_id]
        if one.before is not None and one.now is not None:
            assert (one.now - one.before) // timedelta(seconds=1) == one.seconds


def test_after_a_rollback_the_ends_that_begin_again_are_tabled_to_the_second(pair: VendorPair) -> None:
    pair.plan()
    ends = Ledger(pair.source).vouchers()
    pair.run()
    rollback_plan(pair.gateway, pair.path)
    groups, shifted = verified(pair)
    ids = {code: id for id, code in Ledger(pair.source).codes().items()}
    true_shifts = {
        ids[code]: held.valid_until - until
        for code, held in Ledger(pair.source).vouchers().items()
        if held.valid_until is not None and (until := ends[code].valid_until) is not None and held.valid_until != until
    }
    assert true_shifts
    assert {one.source_id: one.seconds for one in shifted} == {
        id: length // timedelta(seconds=1) for id, length in true_shifts.items()
    }
    assert {one.account for one in shifted} == {"source"}
    require_groups_fit_vouchers(groups, shifted)


def test_a_changed_voucher_that_was_not_frozen_has_its_old_end(pair: VendorPair) -> None:
    pair.plan()
    pair.run(limit=1)
    spend_from_rest(pair)
    report = pair.run()
    assert report.counts[RowState.CHANGED] == 1
    assert verified(pair) == ((), [])


@pytest.mark.parametrize("target", ["jtl"])
def test_a_voucher_without_an_end_that_gets_one_is_counted_without_a_length(
    make_pair: Callable[..., VendorPair], target: str
) -> None:
    pair = make_pair("ticketing", target)
    endless = sum(
        one.action is Action.CARRY and one.valid_until is None and "no-end" in one.losses
        for one in (pair.plan(attrs.evolve(ANYTHING)), read_vouchers(pair.path))[1]
    )
    assert endless
    pair.run()
    groups, _ = verified(pair)
    new = [group for group in groups if group.shift is Shift.NEW_END]
    assert sum(group.count for group in new) == endless
    assert {(group.median_s, group.most_s) for group in new} == {(None, None)}


EXPIRED_TOO: Final = load_policy({**ANYTHING.to_json(), "vouchers": {"expired": "carry"}})


def issue_for_a_day(pair: VendorPair) -> str:
    """Issue an active voucher at JTL that ends in a day, and return its id."""
    new = NewVoucher(initial=Money(10, "EUR"), code="ENDS-IN-A-DAY", validity=Validity(1, Interval.DAYS))
    id = pair.gateway.issue("source", new, reference="sale").id
    return pair.gateway.activate("source", id, reference="sale").id


def test_a_rollback_does_not_let_an_expired_voucher_begin_again(make_pair: Callable[..., VendorPair]) -> None:
    pair = make_pair("jtl", "ticketing", 0)
    id = issue_for_a_day(pair)
    pair.source.clock.advance(2 * 86_400)
    before = Ledger(pair.source).entry(id=id)["valid_until"]
    summary = pair.plan(EXPIRED_TOO)
    assert summary.totals.validity_restarts.count == 0
    assert pair.run().counts == {RowState.MOVED: 1}
    assert verify_plan(pair.gateway, pair.path).proved
    assert rollback_plan(pair.gateway, pair.path).undone == 1
    assert Ledger(pair.source).spendable() == {}
    assert Ledger(pair.source).entry(id=id)["valid_until"] == before
    assert verify_plan(pair.gateway, pair.path).proved


def test_a_voucher_that_expires_after_the_plan_is_not_frozen(make_pair: Callable[..., VendorPair]) -> None:
    pair = make_pair("jtl", "ticketing", 0)
    issue_for_a_day(pair)
    pair.plan()
    pair.source.clock.advance(2 * 86_400)
    (noted,) = pair.run().noted
    assert (noted.state, noted.reason) == (RowState.CHANGED, "it has expired since it was planned")
    assert Ledger(pair.source).spendable() == {}
