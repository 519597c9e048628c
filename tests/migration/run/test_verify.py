"""Verification reads both sides again, and finds everything that is not as it should be."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import attrs
import pytest
import sqlalchemy as sa

from tests.migration.run.test_crash_points import prepared
from tests.migration.run.vendor_pair import ANYTHING, SpendableValues, VendorPair
from tests.support.ledger import Ledger
from tests.support.long import first
from voucher_gateway.instants import now
from voucher_gateway.migration import (
    Action,
    DifferenceKind,
    PlannedVoucher,
    Retire,
    RowState,
    Verdict,
    VerificationProgress,
    make_certificate,
    read_vouchers,
    rollback_plan,
    run_plan,
    status_of,
    verify_plan,
)
from voucher_gateway.migration.run import context
from voucher_gateway.migration.schema import vouchers
from voucher_gateway.provider_api import ConfigurationError, Money, VoucherChanges


def first_carried(pair: VendorPair, least: str = "5.00") -> PlannedVoucher:
    return next(
        one
        for one in read_vouchers(pair.path)
        if one.action is Action.CARRY and one.remaining is not None and one.remaining.amount > Decimal(least)
    )


def kinds(pair: VendorPair) -> list[DifferenceKind]:
    return [one.kind for one in verify_plan(pair.gateway, pair.path).differences]


def code_of(pair: VendorPair, planned: PlannedVoucher) -> str:
    return Ledger(pair.source).codes()[planned.source_id]


def at_target(pair: VendorPair, planned: PlannedVoucher) -> str:
    there = pair.gateway.find_moved("source", planned.source_id)
    assert there is not None
    assert there.to_voucher_id is not None
    return there.to_voucher_id


def redeem_there(pair: VendorPair, planned: PlannedVoucher, amount: str) -> None:
    seen = pair.gateway.get("target", at_target(pair, planned), secrets=True)
    assert seen.code is not None
    pair.gateway.redeem("target", seen.code, Money(amount, "EUR"), seen.pin, reference=f"purchase-{amount}")


def test_a_finished_migration_is_proved_to_the_cent(either_pair: VendorPair) -> None:
    either_pair.move()
    found = verify_plan(either_pair.gateway, either_pair.path)
    assert found.proved
    assert found.as_expected == found.vouchers > 0
    for total in found.totals.values():
        assert total.before == total.at_target == total.left
        assert not total.at_source
        assert not total.used


def test_the_runs_own_records_are_not_asked(either_pair: VendorPair) -> None:
    either_pair.move()
    journal = either_pair.gateway.journal
    assert journal is not None
    with journal.database.write() as connection:
        connection.execute(sa.delete(vouchers))
    assert verify_plan(either_pair.gateway, either_pair.path).proved


def test_before_the_run_everything_is_named_as_not_moved(pair: VendorPair) -> None:
    pair.plan()
    found = verify_plan(pair.gateway, pair.path)
    assert found.as_expected == 0
    assert {one.kind for one in found.differences} == {DifferenceKind.NOT_MOVED, DifferenceKind.TOTAL}


def test_a_pilot_shows_what_is_still_to_come(pair: VendorPair) -> None:
    pair.plan()
    pair.run(limit=2)
    found = verify_plan(pair.gateway, pair.path)
    assert found.as_expected == 2


def test_what_was_spent_at_the_target_since_is_explained(either_pair: VendorPair) -> None:
    either_pair.move()
    redeem_there(either_pair, first_carried(either_pair), "1.25")
    found = verify_plan(either_pair.gateway, either_pair.path)
    assert found.proved
    total = found.totals["EUR"]
    assert total.used == Money("-1.25", "EUR")
    assert total.left == total.before - Money("1.25", "EUR")


def test_what_was_spent_in_a_checkout_of_the_vendor_is_explained_by_its_history(pair: VendorPair) -> None:
    pair.move()
    simulator: Any = pair.target.simulator
    simulator.redeem_at_checkout(code_of(pair, first_carried(pair)), "2.00")
    found = verify_plan(pair.gateway, pair.path)
    assert found.proved
    assert found.totals["EUR"].used == Money("-2.00", "EUR")


def test_what_was_spent_by_the_shop_and_in_a_checkout_of_the_vendor_is_explained_by_both(pair: VendorPair) -> None:
    pair.move()
    planned = first_carried(pair)
    simulator: Any = pair.target.simulator
    simulator.redeem_at_checkout(code_of(pair, planned), "2.00")
    redeem_there(pair, planned, "1.25")
    found = verify_plan(pair.gateway, pair.path)
    assert found.differences == ()
    assert found.totals["EUR"].used == Money("-3.25", "EUR")
    provider = pair.gateway.provider("target")
    stored = provider.read_value(id=at_target(pair, planned))
    by_hand = provider.intent("update", reference="by-hand")  # type: ignore[arg-type]  # what a colleague does
    provider.write_value(stored, stored.value - Money("1.00", "EUR"), intent=by_hand)
    assert kinds(pair) == [DifferenceKind.VALUE, DifferenceKind.TOTAL]


def test_a_value_that_no_record_explains_is_a_difference(pair: VendorPair) -> None:
    pair.move()
    planned = first_carried(pair)
    provider = pair.gateway.provider("target")
    stored = provider.read_value(id=at_target(pair, planned))
    by_hand = provider.intent("update", reference="by-hand")  # type: ignore[arg-type]  # what a colleague does
    provider.write_value(stored, stored.value - Money("1.00", "EUR"), intent=by_hand)
    assert kinds(pair) == [DifferenceKind.VALUE, DifferenceKind.TOTAL]


def test_a_source_that_can_be_spent_again_is_a_difference(either_pair: VendorPair) -> None:
    either_pair.move()
    planned = first_carried(either_pair)
    vendor = either_pair.gateway.provider("source")  # by hand at the vendor: the gateway would refuse
    if either_pair.source.announcement["provider"] == "jtl":
        vendor.activate(planned.source_id, reference="by-hand")
    else:
        vendor.update(planned.source_id, VoucherChanges(valid_until=None), reference="by-hand")
    assert kinds(either_pair) == [DifferenceKind.SPENDABLE_TWICE, DifferenceKind.TOTAL]


def test_a_voucher_that_is_nowhere_is_lost(make_pair: Callable[..., VendorPair]) -> None:
    pair = make_pair("jtl", "jtl")
    pair.move()
    planned = first_carried(pair)
    there = at_target(pair, planned)
    pair.gateway.deactivate("target", there, reference="by-hand")
    pair.gateway.delete("target", there, "by hand", reference="by-hand")
    assert kinds(pair) == [DifferenceKind.LOST, DifferenceKind.TOTAL]


def test_an_inactive_voucher_at_the_target_is_a_difference(reverse_pair: VendorPair) -> None:
    reverse_pair.move()
    reverse_pair.gateway.deactivate("target", at_target(reverse_pair, first_carried(reverse_pair)), reference="by-hand")
    assert kinds(reverse_pair) == [DifferenceKind.STATUS, DifferenceKind.TOTAL]


@pytest.mark.parametrize("days", first([1, -1, 9000]), ids=["too late", "too early", "far too late"])
def test_another_end_is_a_difference(pair: VendorPair, days: int) -> None:
    pair.move()
    planned = next(one for one in read_vouchers(pair.path) if one.action is Action.CARRY and one.valid_until)
    assert planned.valid_until is not None
    other = planned.valid_until + timedelta(days=days)
    pair.gateway.update("target", at_target(pair, planned), VoucherChanges(valid_until=other), reference="by-hand")
    assert kinds(pair) == [DifferenceKind.EXPIRY]


def test_a_voucher_that_is_there_twice_is_a_difference(make_pair: Callable[..., VendorPair]) -> None:
    pair = make_pair("ticketing", "ticketing")
    pair.move()
    simulator: Any = pair.target.simulator
    one = next(iter(simulator._vouchers.with_code(code_of(pair, first_carried(pair)))))
    simulator._vouchers.put(attrs.evolve(one, id="f" * 24))
    found = verify_plan(pair.gateway, pair.path)
    assert [one.kind for one in found.differences] == [DifferenceKind.DOUBLED, DifferenceKind.TOTAL]
    assert "f" * 24 in found.differences[0].explanation


@pytest.mark.parametrize("corrected", [False, True])
def test_a_target_whose_clock_is_days_behind_has_what_was_moved(
    make_pair: Callable[..., VendorPair], *, corrected: bool
) -> None:
    """The vendor filters its list by its own clock."""
    pair = make_pair("ticketing", "jtl", 12, start=now() - timedelta(days=3))
    pair.source.clock.move_to(now())
    pair.move()
    if corrected:
        pair.target.clock.move_to(now())
    assert verify_plan(pair.gateway, pair.path).differences == ()


def test_verification_changes_nothing(either_pair: VendorPair) -> None:
    either_pair.move()
    sent = either_pair.changes()
    verify_plan(either_pair.gateway, either_pair.path)
    assert either_pair.changes() == sent


# --- rollback ---


def test_a_rollback_brings_everything_back(either_pair: VendorPair) -> None:
    before = either_pair.move()
    report = rollback_plan(either_pair.gateway, either_pair.path)
    assert (report.not_undone, report.kept, report.in_doubt) == (0, (), 0)
    assert report.undone == status_of(either_pair.gateway, either_pair.path).count(RowState.UNDONE)
    after = SpendableValues.of(either_pair)
    assert (after.source, after.target) == (before.source, before.target)
    found = verify_plan(either_pair.gateway, either_pair.path)
    assert found.rolled_back
    assert found.proved


def test_emptied_vouchers_are_refilled(make_pair: Callable[..., VendorPair]) -> None:
    pair = make_pair("jtl", "jtl", 30)
    before = pair.move(attrs.evolve(ANYTHING, retire=Retire.EMPTY))
    report = rollback_plan(pair.gateway, pair.path)
    assert report.not_undone == 0
    assert SpendableValues.of(pair).source == before.source
    assert verify_plan(pair.gateway, pair.path).proved


def test_what_was_spent_since_stays_at_the_target_and_is_named(either_pair: VendorPair) -> None:
    before = either_pair.move()
    planned = first_carried(either_pair)
    redeem_there(either_pair, planned, "1.25")
    report = rollback_plan(either_pair.gateway, either_pair.path)
    (kept,) = report.kept
    assert (kept.source_id, kept.state) == (planned.source_id, RowState.KEPT)
    assert "it was used there" in kept.reason
    after = SpendableValues.of(either_pair)
    code = code_of(either_pair, planned)
    assert code not in after.source
    assert after.target[code][0] == before.source[code][0] - Decimal("1.25")
    assert either_pair.gateway.find_moved("source", planned.source_id) is not None  # a refund still finds it


def test_what_was_spent_whole_at_the_target_is_not_back_and_not_only_inactive(
    make_pair: Callable[..., VendorPair],
) -> None:
    pair = prepared(make_pair, "jtl", "ticketing", None)
    pair.run()
    simulator: Any = pair.target.simulator
    simulator.redeem_at_checkout("CODE-OF-THE-FIRST", "10.53")
    assert rollback_plan(pair.gateway, pair.path).undone == 1
    first, *others = verify_plan(pair.gateway, pair.path).differences
    assert first.kind is DifferenceKind.NOT_BACK
    assert first.explanation == "it is not at the source again, and has 0.00 EUR at the target"
    assert {difference.kind for difference in others} == {DifferenceKind.TOTAL}


def test_a_voucher_that_its_owner_has_spent_whole_at_a_source_that_is_emptied_is_not_lost(
    make_pair: Callable[..., VendorPair],
) -> None:
    pair = prepared(make_pair, "pretix", "ticketing", "empty")
    till = pair.gateway.provider("source")
    till.redeem("CODE-OF-THE-FIRST", Money("10.53", "EUR"), reference="a-till")
    assert pair.run().counts == {RowState.CHANGED: 1, RowState.MOVED: 1}
    assert set(kinds(pair)) == {DifferenceKind.NOT_MOVED, DifferenceKind.TOTAL}
    assert make_certificate(pair.gateway, pair.path).verdict is Verdict.PARTIAL
    moved = at_target(pair, list(read_vouchers(pair.path))[1])
    simulator: Any = pair.target.simulator
    simulator._vouchers.remove(moved)
    assert DifferenceKind.LOST in kinds(pair)


def test_deleted_vouchers_cannot_be_brought_back_and_nothing_is_touched(make_pair: Callable[..., VendorPair]) -> None:
    pair = make_pair("jtl", "jtl", 40)
    pair.plan(attrs.evolve(ANYTHING, retire=Retire.DELETE))
    run = pair.run()
    undeletable = {one.source_id for one in run.noted if "stays frozen at the source" in one.reason}
    moved = SpendableValues.of(pair)
    report = rollback_plan(pair.gateway, pair.path)
    assert report.undone == len(undeletable)
    assert report.not_undone == len(report.kept) > 0
    assert all("it was deleted at the source" in one.reason for one in report.kept)
    assert SpendableValues.of(pair).all == moved.all


def test_a_second_rollback_does_nothing_more(either_pair: VendorPair) -> None:
    either_pair.move()
    rollback_plan(either_pair.gateway, either_pair.path)
    sent = either_pair.changes()
    assert rollback_plan(either_pair.gateway, either_pair.path).undone == 0
    assert either_pair.changes() == sent


def test_a_plan_that_was_rolled_back_is_not_run_again(pair: VendorPair) -> None:
    pair.move()
    rollback_plan(pair.gateway, pair.path)
    with pytest.raises(ConfigurationError, match="rolled back"):
        run_plan(pair.gateway, pair.path)


def test_a_plan_that_was_never_run_has_nothing_to_roll_back(pair: VendorPair) -> None:
    pair.plan()
    with pytest.raises(ConfigurationError, match="this journal knows no run of the plan"):
        rollback_plan(pair.gateway, pair.path)
    assert pair.changes() == 0


def test_a_pilot_can_be_rolled_back_and_planned_again(pair: VendorPair) -> None:
    pair.plan()
    before = SpendableValues.of(pair)
    pair.run(limit=3)
    assert rollback_plan(pair.gateway, pair.path).undone == 3
    assert SpendableValues.of(pair).all == before.all
    assert Ledger(pair.source).entry(code=code_of(pair, first_carried(pair)))["status"] == "active"


def test_a_verification_tells_how_far_it_is(make_pair: Callable[..., VendorPair]) -> None:
    pair = make_pair("jtl", "ticketing", 150)
    pair.move()
    told: list[VerificationProgress] = []
    verification = verify_plan(pair.gateway, pair.path, on_progress=told.append)
    last = {progress.work: (progress.count, progress.total) for progress in told}
    carried_count = verification.vouchers
    assert last["read at source"] == (150, 150)
    assert last["compared"] == (carried_count, carried_count)
    assert list(last) == ["read at target", "read at source", "compared"]


def test_a_voucher_whose_move_was_undone_is_not_moved_and_not_spendable_twice(
    make_pair: Callable[..., VendorPair], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ticketing vendor deletes no voucher: what was created there is stopped, and stays."""
    monkeypatch.setattr(context, "_PAUSES_S", (0.01,))
    pair = prepared(make_pair, "jtl", "ticketing", None)
    pair.target.inject("error-before", "GET */vouchers/*", times=0)
    pair.run(workers=1)
    pair.target.clear_faults()
    changed = next(read_vouchers(pair.path)).source_id
    pair.gateway.provider("source").activate(changed, reference="by-hand")
    report = pair.run(workers=1)
    assert report.counts == {RowState.CHANGED: 1, RowState.MOVED: 1}
    for _ in range(2):
        verification = verify_plan(pair.gateway, pair.path)
        assert {difference.kind for difference in verification.differences} == {
            DifferenceKind.NOT_MOVED,
            DifferenceKind.TOTAL,
        }
        assert make_certificate(pair.gateway, pair.path).verdict is Verdict.PARTIAL
        if verification.differences[0].explanation.startswith("it is still at the source;"):
            pair.gateway.redeem("source", "CODE-OF-THE-FIRST", Money("10.53", "EUR"), reference="till")
    assert "with 0.00 EUR and not 10.53 EUR" in verification.differences[0].explanation


def test_a_voucher_that_was_spent_at_the_target_and_is_spendable_at_the_source_is_spendable_twice(
    make_pair: Callable[..., VendorPair],
) -> None:
    pair = prepared(make_pair, "jtl", "ticketing", None)
    pair.run(workers=1)
    pair.gateway.redeem("target", "CODE-OF-THE-FIRST", Money("10.53", "EUR"), reference="till")
    pair.gateway.provider("source").activate(next(read_vouchers(pair.path)).source_id, reference="by-hand")
    kinds = {difference.kind for difference in verify_plan(pair.gateway, pair.path).differences}
    assert DifferenceKind.SPENDABLE_TWICE in kinds
