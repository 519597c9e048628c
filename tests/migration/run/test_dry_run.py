"""A dry run says what the next run does, after a break as well, and changes nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

import pytest
import sqlalchemy as sa

from tests.migration.run.mover_process import points_of
from tests.migration.run.scene import Scene
from tests.migration.run.test_crash_points import prepared
from tests.migration.run.test_killed import wait_until_free
from tests.migration.run.test_runner import carried
from tests.migration.run.test_verify import first_carried, redeem_there
from voucher_gateway.journal.records import OperationState
from voucher_gateway.journal.schema import moved
from voucher_gateway.migration import PlanState, RowState, read_vouchers, status_of
from voucher_gateway.migration.run import context
from voucher_gateway.migration.schema import plans, vouchers
from voucher_gateway.provider_api import Money, NewVoucher


def test_a_dry_run_changes_nothing_and_tells_what_a_run_does(either_scene: Scene) -> None:
    either_scene.plan()
    sent = either_scene.changes()
    told = either_scene.run(dry_run=True)
    assert either_scene.changes() == sent
    assert status_of(either_scene.gateway, either_scene.path).state is None
    done = either_scene.run()
    assert told.dry_run
    assert (told.counts, told.moved) == (done.counts, done.moved)


def test_a_dry_run_tells_what_has_changed_and_which_codes_are_taken(scene: Scene) -> None:
    scene.plan()
    first, second = list(read_vouchers(scene.path))[:1], sorted(carried(scene))[:2]
    assert first
    codes = {one["id"]: str(one["code"]) for one in scene.source.ledger()}
    scene.gateway.deactivate("source", second[0], reference="by-hand")
    scene.gateway.issue("target", NewVoucher(initial=Money(1, "EUR"), code=codes[second[1]]), reference="other")
    noted = {one.source_id: (one.state, one.reason) for one in scene.run(dry_run=True).noted}
    assert noted[second[0]] == (RowState.CHANGED, "it is inactive, not active")
    assert noted[second[1]][0] is RowState.REFUSED
    assert noted[second[1]][1].startswith("the target has a voucher with its code already")


def broken_off(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> Mapping[RowState, int]:
    """Run while the target lets nobody issue: everything is frozen, and nothing is moved."""
    monkeypatch.setattr(context, "_PAUSES_S", (0.01,))
    scene.target.inject("rate-limit", "POST /*", times=0)
    counts: Mapping[RowState, int] = scene.run(workers=8).counts
    scene.target.clear_faults()
    return counts


def killed(make_scene: Callable[..., Scene], way: tuple[str, str, str | None], at: int) -> Scene:
    """Return a scene whose run was killed at a point."""
    scene = prepared(make_scene, *way)
    assert points_of(scene.sides, scene.url, scene.path, at=at) is None
    wait_until_free(scene)
    return scene


def test_what_we_have_frozen_ourselves_has_not_changed(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    scene.plan()
    assert set(broken_off(scene, monkeypatch)) == {RowState.PLANNED}
    sent = scene.changes()
    told = scene.run(dry_run=True)
    assert scene.changes() == sent
    done = scene.run()
    assert (told.counts, told.moved) == (done.counts, done.moved)
    assert set(told.counts) == {RowState.MOVED}


def test_what_somebody_has_thawed_since_has_changed(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    scene.plan()
    broken_off(scene, monkeypatch)
    planned = first_carried(scene)
    scene.gateway.provider("source").activate(planned.source_id, reference="by-hand")
    (noted,) = scene.run(dry_run=True).noted
    assert (noted.source_id, noted.state) == (planned.source_id, RowState.CHANGED)
    assert noted.reason.startswith("it was frozen, and has been activated by hand since")


@pytest.mark.parametrize("at", range(5, 60, 11))
@pytest.mark.parametrize("way", [("jtl", "ticketing", None), ("ticketing", "jtl", None)], ids=str)
def test_what_dead_processes_left_behind_is_told_too(
    make_scene: Callable[..., Scene], way: tuple[str, str, str | None], at: int
) -> None:
    scene = killed(make_scene, way, at)
    before, sent = status_of(scene.gateway, scene.path), scene.changes()
    told = scene.run(dry_run=True)
    assert scene.changes() == sent
    assert status_of(scene.gateway, scene.path) == before
    # Only what the journal does not know yet may come out in another way than in doubt.
    done = scene.run().counts
    told_of = Counter(told.counts)
    assert sum(told_of.values()) == sum(done.values())
    assert told_of[RowState.MOVED] <= done.get(RowState.MOVED, 0)
    assert set(told_of) <= {RowState.MOVED, RowState.IN_DOUBT}


def test_what_is_in_doubt_is_told_and_named(make_scene: Callable[..., Scene]) -> None:
    scene = prepared(make_scene, "jtl", "ticketing", None)
    scene.target.inject("drop-before", "POST /*", times=0)
    scene.run()
    scene.target.clear_faults()
    doubtful = status_of(scene.gateway, scene.path).count(RowState.IN_DOUBT)
    assert doubtful
    told = scene.run(dry_run=True)
    assert told.counts[RowState.IN_DOUBT] == doubtful
    assert "the outcome of its issue at target is unknown" in told.noted[0].reason


def test_a_doubt_that_was_decided_is_none_any_more(make_scene: Callable[..., Scene]) -> None:
    scene = prepared(make_scene, "jtl", "ticketing", None)
    scene.target.inject("drop-before", "POST /*", times=0)
    scene.run()
    scene.target.clear_faults()
    journal = scene.gateway.journal
    assert journal is not None
    for one in journal.operations(states=[OperationState.UNKNOWN], account="target"):
        scene.gateway.decide(one.key, succeeded=False, by="somebody", reason="it is not there")
    told = scene.run(dry_run=True)
    done = scene.run()
    assert told.counts == done.counts == {RowState.MOVED: 2}


def test_what_was_used_at_the_target_before_the_break_was_over_is_told(make_scene: Callable[..., Scene]) -> None:
    scene = prepared(make_scene, "jtl", "jtl", None)
    scene.run()
    redeem_there(scene, first_carried(scene), "1.00")
    journal = scene.gateway.journal
    assert journal is not None
    with journal.database.write() as connection:  # as a process leaves it that dies before it writes down what it did
        connection.execute(sa.update(plans).values(state=PlanState.RUNNING.value))
        connection.execute(sa.update(vouchers).values(state=RowState.WORKING.value, owner="dead", target_id=None))
        connection.execute(sa.update(moved).values(to_account=None, to_voucher_id=None))
    told = scene.run(dry_run=True)
    assert told.counts == scene.run().counts == {RowState.MOVED: 2}
    (noted,) = told.noted
    assert noted.reason == "it was used at the target before the move was complete"
