"""Verification reads both sides again, and finds everything that is not as it should be."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import attrs
import pytest
import sqlalchemy as sa

from tests.migration.run.scene import ANYTHING, Scene, Truth, entry
from voucher_gateway.migration import (
    Action,
    DifferenceKind,
    PlannedVoucher,
    Retire,
    RowState,
    read_vouchers,
    rollback_plan,
    run_plan,
    status_of,
    verify_plan,
)
from voucher_gateway.migration.schema import vouchers
from voucher_gateway.provider_api import ConfigurationError, Money, VoucherChanges


def first_carried(scene: Scene, least: str = "5.00") -> PlannedVoucher:
    return next(
        one
        for one in read_vouchers(scene.path)
        if one.action is Action.CARRY and one.remaining is not None and one.remaining.amount > Decimal(least)
    )


def kinds(scene: Scene) -> list[DifferenceKind]:
    return [one.kind for one in verify_plan(scene.gateway, scene.path).differences]


def code_of(scene: Scene, planned: PlannedVoucher) -> str:
    return next(str(one["code"]) for one in scene.source.ledger() if one["id"] == planned.source_id)


def at_target(scene: Scene, planned: PlannedVoucher) -> str:
    there = scene.gateway.find_moved("source", planned.source_id)
    assert there is not None
    assert there.to_voucher_id is not None
    return there.to_voucher_id


def redeem_there(scene: Scene, planned: PlannedVoucher, amount: str) -> None:
    seen = scene.gateway.get("target", at_target(scene, planned), secrets=True)
    assert seen.code is not None
    scene.gateway.redeem("target", seen.code, Money(amount, "EUR"), seen.pin, reference=f"purchase-{amount}")


def test_a_finished_migration_is_proved_to_the_cent(either_scene: Scene) -> None:
    either_scene.move()
    found = verify_plan(either_scene.gateway, either_scene.path)
    assert found.proved
    assert found.as_expected == found.vouchers > 0
    for total in found.totals.values():
        assert total.before == total.at_target == total.left
        assert not total.at_source
        assert not total.used


def test_the_runs_own_records_are_not_asked(either_scene: Scene) -> None:
    either_scene.move()
    journal = either_scene.gateway.journal
    assert journal is not None
    with journal.database.write() as connection:
        connection.execute(sa.delete(vouchers))
    assert verify_plan(either_scene.gateway, either_scene.path).proved


def test_before_the_run_everything_is_named_as_not_moved(scene: Scene) -> None:
    scene.plan()
    found = verify_plan(scene.gateway, scene.path)
    assert found.as_expected == 0
    assert {one.kind for one in found.differences} == {DifferenceKind.NOT_MOVED, DifferenceKind.TOTAL}


def test_a_pilot_shows_what_is_still_to_come(scene: Scene) -> None:
    scene.plan()
    scene.run(limit=2)
    found = verify_plan(scene.gateway, scene.path)
    assert found.as_expected == 2


def test_what_was_spent_at_the_target_since_is_explained(either_scene: Scene) -> None:
    either_scene.move()
    redeem_there(either_scene, first_carried(either_scene), "1.25")
    found = verify_plan(either_scene.gateway, either_scene.path)
    assert found.proved
    total = found.totals["EUR"]
    assert total.used == Money("-1.25", "EUR")
    assert total.left == total.before - Money("1.25", "EUR")


def test_what_was_spent_in_a_checkout_of_the_vendor_is_explained_by_its_history(scene: Scene) -> None:
    scene.move()
    simulator: Any = scene.target.simulator
    simulator.redeem_at_checkout(code_of(scene, first_carried(scene)), "2.00")
    found = verify_plan(scene.gateway, scene.path)
    assert found.proved
    assert found.totals["EUR"].used == Money("-2.00", "EUR")


def test_a_value_that_no_record_explains_is_a_difference(scene: Scene) -> None:
    scene.move()
    planned = first_carried(scene)
    provider = scene.gateway.provider("target")
    stored = provider.read_value(id=at_target(scene, planned))
    by_hand = provider.intent("update", reference="by-hand")  # type: ignore[arg-type]  # what a colleague does
    provider.write_value(stored, stored.value - Money("1.00", "EUR"), intent=by_hand)
    assert kinds(scene) == [DifferenceKind.VALUE, DifferenceKind.TOTAL]


def test_a_source_that_can_be_spent_again_is_a_difference(either_scene: Scene) -> None:
    either_scene.move()
    planned = first_carried(either_scene)
    vendor = either_scene.gateway.provider("source")  # by hand at the vendor: the gateway would refuse
    if either_scene.source.announcement["provider"] == "jtl":
        vendor.activate(planned.source_id, reference="by-hand")
    else:
        vendor.update(planned.source_id, VoucherChanges(valid_until=None), reference="by-hand")
    assert kinds(either_scene) == [DifferenceKind.SPENDABLE_TWICE, DifferenceKind.TOTAL]


def test_a_voucher_that_is_nowhere_is_lost(make_scene: Callable[..., Scene]) -> None:
    scene = make_scene("jtl", "jtl")
    scene.move()
    planned = first_carried(scene)
    there = at_target(scene, planned)
    scene.gateway.deactivate("target", there, reference="by-hand")
    scene.gateway.delete("target", there, "by hand", reference="by-hand")
    assert kinds(scene) == [DifferenceKind.LOST, DifferenceKind.TOTAL]


def test_an_inactive_voucher_at_the_target_is_a_difference(scene_back: Scene) -> None:
    scene_back.move()
    scene_back.gateway.deactivate("target", at_target(scene_back, first_carried(scene_back)), reference="by-hand")
    assert kinds(scene_back) == [DifferenceKind.STATUS, DifferenceKind.TOTAL]


@pytest.mark.parametrize("days", [-1, 1, 9000], ids=["too early", "too late", "far too late"])
def test_another_end_is_a_difference(scene: Scene, days: int) -> None:
    scene.move()
    planned = next(one for one in read_vouchers(scene.path) if one.action is Action.CARRY and one.valid_until)
    assert planned.valid_until is not None
    other = planned.valid_until + timedelta(days=days)
    scene.gateway.update("target", at_target(scene, planned), VoucherChanges(valid_until=other), reference="by-hand")
    assert kinds(scene) == [DifferenceKind.EXPIRY]


def test_a_voucher_that_is_there_twice_is_a_difference(make_scene: Callable[..., Scene]) -> None:
    scene = make_scene("ticketing", "ticketing")
    scene.move()
    simulator: Any = scene.target.simulator
    one = next(iter(simulator._vouchers.with_code(code_of(scene, first_carried(scene)))))
    simulator._vouchers.put(attrs.evolve(one, id="f" * 24))
    found = verify_plan(scene.gateway, scene.path)
    assert [one.kind for one in found.differences] == [DifferenceKind.DOUBLED, DifferenceKind.TOTAL]
    assert "f" * 24 in found.differences[0].explanation


def test_verification_changes_nothing(either_scene: Scene) -> None:
    either_scene.move()
    sent = either_scene.changes()
    verify_plan(either_scene.gateway, either_scene.path)
    assert either_scene.changes() == sent


# --- rollback ---


def test_a_rollback_brings_everything_back(either_scene: Scene) -> None:
    before = either_scene.move()
    report = rollback_plan(either_scene.gateway, either_scene.path)
    assert (report.not_undone, report.kept, report.in_doubt) == (0, (), 0)
    assert report.undone == status_of(either_scene.gateway, either_scene.path).count(RowState.UNDONE)
    after = Truth.of(either_scene)
    assert (after.source, after.target) == (before.source, before.target)
    found = verify_plan(either_scene.gateway, either_scene.path)
    assert found.rolled_back
    assert found.proved


def test_emptied_vouchers_are_refilled(make_scene: Callable[..., Scene]) -> None:
    scene = make_scene("jtl", "jtl", 30)
    before = scene.move(attrs.evolve(ANYTHING, retire=Retire.EMPTY))
    report = rollback_plan(scene.gateway, scene.path)
    assert report.not_undone == 0
    assert Truth.of(scene).source == before.source
    assert verify_plan(scene.gateway, scene.path).proved


def test_what_was_spent_since_stays_at_the_target_and_is_named(either_scene: Scene) -> None:
    before = either_scene.move()
    planned = first_carried(either_scene)
    redeem_there(either_scene, planned, "1.25")
    report = rollback_plan(either_scene.gateway, either_scene.path)
    (kept,) = report.kept
    assert (kept.source_id, kept.state) == (planned.source_id, RowState.KEPT)
    assert "it was used there" in kept.reason
    after = Truth.of(either_scene)
    code = code_of(either_scene, planned)
    assert code not in after.source
    assert after.target[code][0] == before.source[code][0] - Decimal("1.25")
    assert either_scene.gateway.find_moved("source", planned.source_id) is not None  # a refund still finds it


def test_deleted_vouchers_cannot_be_brought_back_and_nothing_is_touched(make_scene: Callable[..., Scene]) -> None:
    scene = make_scene("jtl", "jtl", 40)
    scene.plan(attrs.evolve(ANYTHING, retire=Retire.DELETE))
    run = scene.run()
    undeletable = {one.source_id for one in run.noted if "stays frozen at the source" in one.reason}
    moved = Truth.of(scene)
    report = rollback_plan(scene.gateway, scene.path)
    assert report.undone == len(undeletable)
    assert report.not_undone == len(report.kept) > 0
    assert all("it was deleted at the source" in one.reason for one in report.kept)
    assert Truth.of(scene).all == moved.all


def test_a_second_rollback_does_nothing_more(either_scene: Scene) -> None:
    either_scene.move()
    rollback_plan(either_scene.gateway, either_scene.path)
    sent = either_scene.changes()
    assert rollback_plan(either_scene.gateway, either_scene.path).undone == 0
    assert either_scene.changes() == sent


def test_a_plan_that_was_rolled_back_is_not_run_again(scene: Scene) -> None:
    scene.move()
    rollback_plan(scene.gateway, scene.path)
    with pytest.raises(ConfigurationError, match="rolled back"):
        run_plan(scene.gateway, scene.path)


def test_a_plan_that_was_never_run_has_nothing_to_roll_back(scene: Scene) -> None:
    scene.plan()
    assert rollback_plan(scene.gateway, scene.path).undone == 0
    assert scene.changes() == 0


def test_a_pilot_can_be_rolled_back_and_planned_anew(scene: Scene) -> None:
    scene.plan()
    before = Truth.of(scene)
    scene.run(limit=3)
    assert rollback_plan(scene.gateway, scene.path).undone == 3
    assert Truth.of(scene).all == before.all
    assert entry(scene.source, code=code_of(scene, first_carried(scene)))["status"] == "active"
