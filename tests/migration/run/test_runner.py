"""Carrying a plan out: every planned voucher is afterwards spendable once, at the target, to the cent."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import pytest

from tests.migration.run.scene import ANYTHING, Scene, Side, Truth, entry, gateway_of
from voucher_gateway import Gateway
from voucher_gateway.gateway.account import Account
from voucher_gateway.migration import (
    Action,
    PlanState,
    Progress,
    Recode,
    Retire,
    RowState,
    pause_plan,
    read_vouchers,
    rollback_plan,
    run_plan,
    status_of,
    verify_plan,
)
from voucher_gateway.migration.rate_limit import Rates
from voucher_gateway.migration.schema import ids_of_moved_vouchers
from voucher_gateway.provider_api import ConfigurationError, InvalidRequest, Money, NewVoucher, OperationInProgress


def carried(scene: Scene) -> dict[str, Money]:
    """Return the carried value by source id."""
    return {
        one.source_id: one.destination.value
        for one in read_vouchers(scene.path)
        if one.action is Action.CARRY and one.destination is not None
    }


def test_what_is_carried_can_be_spent_once_and_only_at_the_target(either_scene: Scene) -> None:
    before = either_scene.move()
    after, moved = Truth.of(either_scene), carried(either_scene)
    by_id = {one["id"]: one["code"] for one in either_scene.source.ledger()}
    assert moved
    for source_id, value in moved.items():
        code = str(by_id[source_id])
        assert after.target[code] == (value.amount, value.currency)
        assert code not in after.source
    assert after.all == before.all
    assert after.sums() == before.sums()
    assert verify_plan(either_scene.gateway, either_scene.path).proved


def test_a_second_run_sends_nothing(either_scene: Scene) -> None:
    either_scene.move()
    sent = either_scene.changes()
    report = either_scene.run()
    assert (report.counts, report.left) == ({}, 0)
    assert either_scene.changes() == sent
    assert status_of(either_scene.gateway, either_scene.path).state is PlanState.DONE


def test_a_pilot_moves_so_many_and_the_next_run_goes_on(scene: Scene) -> None:
    scene.plan()
    before, planned = Truth.of(scene), len(carried(scene))
    pilot = scene.run(limit=3)
    assert pilot.counts == {RowState.MOVED: 3}
    assert (pilot.stopped, pilot.left) == ("limit", planned - 3)
    assert Truth.of(scene).all == before.all
    rest = scene.run()
    assert rest.counts == {RowState.MOVED: planned - 3}
    assert Truth.of(scene).all == before.all


def test_what_was_spent_since_stays_and_is_listed(scene: Scene) -> None:
    scene.plan()
    source_id, value = max(carried(scene).items(), key=lambda one: one[1].amount)
    code = next(str(one["code"]) for one in scene.source.ledger() if one["id"] == source_id)
    pin = scene.gateway.get("source", source_id, secrets=True).pin
    scene.gateway.redeem("source", code, Money("0.01", value.currency), pin, reference="a-purchase")
    before = Truth.of(scene)
    report = scene.run()
    (noted,) = report.noted
    assert (noted.source_id, noted.state) == (source_id, RowState.CHANGED)
    assert "left, not" in noted.reason
    assert report.counts[RowState.CHANGED] == 1
    after = Truth.of(scene)
    assert after.all == before.all
    assert after.source[code] == (value.amount - Decimal("0.01"), value.currency)  # spendable where it was


def test_a_changed_voucher_is_planned_anew_after_the_plan(scene: Scene, tmp_path: Path) -> None:
    scene.plan()
    source_id, value = max(carried(scene).items(), key=lambda one: one[1].amount)
    code = next(str(one["code"]) for one in scene.source.ledger() if one["id"] == source_id)
    pin = scene.gateway.get("source", source_id, secrets=True).pin
    scene.gateway.redeem("source", code, Money("0.01", value.currency), pin, reference="a-purchase")
    scene.run()
    first, scene.path = scene.path, tmp_path / "second.jsonl"
    scene.plan(after=first)
    assert carried(scene) == {source_id: value - Money("0.01", value.currency)}
    assert scene.run().counts == {RowState.MOVED: 1}
    journal = scene.gateway.journal
    assert journal is not None
    assert list(ids_of_moved_vouchers(journal.database, status_of(scene.gateway, scene.path).plan_id)) == [source_id]


def test_a_pilot_that_was_rolled_back_is_moved_by_a_new_plan(either_scene: Scene, tmp_path: Path) -> None:
    scene = either_scene
    scene.plan()
    sums, wanted = Truth.of(scene).sums(), carried(scene)
    scene.run(limit=3)
    assert rollback_plan(scene.gateway, scene.path).undone == 3
    scene.path = tmp_path / "second.jsonl"
    # a vendor that cannot delete keeps the emptied vouchers, and with them their codes
    scene.plan(attrs.evolve(ANYTHING, code_taken=Recode.NEW_CODE))
    assert carried(scene) == wanted
    recoded = [one for one in read_vouchers(scene.path) if one.destination is not None and one.destination.new_code]
    assert len(recoded) == (3 if scene.target.announcement["provider"] == "ticketing" else 0)
    assert scene.run().counts == {RowState.MOVED: len(wanted)}
    assert Truth.of(scene).sums() == sums
    assert verify_plan(scene.gateway, scene.path).proved


def test_a_code_that_is_taken_meanwhile_is_refused_and_the_source_thawed(scene: Scene) -> None:
    scene.plan()
    source_id, value = min(carried(scene).items())
    code = next(str(one["code"]) for one in scene.source.ledger() if one["id"] == source_id)
    scene.gateway.issue("target", NewVoucher(initial=Money(1, "EUR"), code=code), reference="another")
    report = scene.run()
    (noted,) = [one for one in report.noted if one.state is RowState.REFUSED]
    assert noted.source_id == source_id
    assert noted.reason.startswith("the target has a voucher with its code already")
    assert Truth.of(scene).source[code] == (value.amount, value.currency)
    assert scene.gateway.find_moved("source", source_id) is None
    assert scene.run().counts == {}  # it stays refused


def test_a_held_voucher_is_left_alone(scene: Scene) -> None:
    scene.plan()
    source_id, value = max(carried(scene).items(), key=lambda one: one[1].amount)
    seen = scene.gateway.get("source", source_id, secrets=True)
    assert seen.code is not None
    held = scene.gateway.reserve("source", seen.code, Money("0.01", value.currency), seen.pin, reference="checkout")
    report = scene.run()
    (noted,) = report.noted
    assert (noted.source_id, noted.state) == (source_id, RowState.CHANGED)
    assert noted.reason.startswith("a reservation of ours is held on it")
    assert scene.gateway.capture("source", held, reference="checkout").money == Money("0.01", value.currency)


def test_a_voucher_is_moved_by_one_plan_only(scene: Scene, tmp_path: Path) -> None:
    """Two plans of the same estate: what one has moved, the other does not touch."""
    scene.plan()
    first, scene.path = scene.path, tmp_path / "second.jsonl"
    scene.plan(attrs.evolve(ANYTHING, unreadable=Action.SKIP))
    before = Truth.of(scene)
    run_plan(scene.gateway, first)
    sent = scene.changes()
    report = scene.run()
    assert report.counts == {RowState.REFUSED: len(carried(scene))}
    assert report.left == 0
    states = status_of(scene.gateway, scene.path)
    assert states.count(RowState.REFUSED) == len(carried(scene))
    assert "moves it, or has moved it" in states.noted[0].reason
    assert scene.changes() == sent
    assert Truth.of(scene).all == before.all


def test_an_edited_plan_is_refused(scene: Scene) -> None:
    scene.plan()
    lines = scene.path.read_text().splitlines()
    voucher = json.loads(next(line for line in lines if '"carry"' in line and "source_id" in line))
    scene.path.write_text("\n".join(lines).replace(voucher["source_id"], "another", 1) + "\n")
    with pytest.raises(ConfigurationError, match="changed after it was made"):
        scene.run()


def test_a_plan_of_another_vendor_is_refused(scene: Scene, make_scene: Callable[..., Scene], sqlite_url: str) -> None:
    scene.plan()
    elsewhere = make_scene(url=f"{sqlite_url}-other")
    sides = (Side("source", elsewhere.source.announcement), Side("target", scene.target.announcement))
    with gateway_of(sides, scene.url) as gateway, pytest.raises(ConfigurationError, match="make a new plan"):
        run_plan(gateway, scene.path)
    assert scene.changes() == 0


def test_without_a_journal_nothing_is_moved(scene: Scene) -> None:
    scene.plan()
    accounts = [Account(name=one.account, provider=one.provider()) for one in scene.sides]
    with Gateway(accounts) as gateway, pytest.raises(ConfigurationError, match="needs a journal"):
        run_plan(gateway, scene.path)


def test_money_that_is_spendable_twice_must_be_accepted(make_scene: Callable[..., Scene]) -> None:
    scene = make_scene("ticketing", "ticketing")
    scene.plan(attrs.evolve(ANYTHING, accept=frozenset()))
    before = Truth.of(scene)
    with pytest.raises(InvalidRequest, match="spendable-twice"):
        scene.run()
    assert scene.changes() == 0
    report = scene.run(accept=["spendable-twice"])
    assert set(report.counts) == {RowState.MOVED}
    assert Truth.of(scene).all == before.all


def test_vouchers_can_be_emptied_at_the_source(make_scene: Callable[..., Scene]) -> None:
    scene = make_scene("jtl", "jtl", 30)
    before = scene.move(attrs.evolve(ANYTHING, retire=Retire.EMPTY))
    assert Truth.of(scene).all == before.all
    assert not set(carried(scene)) & {one["id"] for one in scene.source.ledger() if float(str(one["remaining"]))}
    assert verify_plan(scene.gateway, scene.path).proved


def test_a_pause_stops_everybody_and_the_next_run_goes_on(make_scene: Callable[..., Scene]) -> None:
    scene = make_scene(vouchers=200, latency_ms=10)
    scene.plan()
    before, planned = Truth.of(scene), len(carried(scene))

    def pause_soon() -> None:
        while status_of(scene.gateway, scene.path).count(RowState.WORKING) == 0:
            time.sleep(0.01)
        pause_plan(scene.gateway, scene.path)

    pausing = threading.Thread(target=pause_soon)
    pausing.start()
    report = scene.run(workers=2)
    pausing.join()
    assert report.stopped == "paused"
    assert 0 < report.left < planned
    seen = status_of(scene.gateway, scene.path)
    assert (seen.state, seen.workers, seen.count(RowState.WORKING)) == (PlanState.PAUSED, {}, 0)
    assert Truth.of(scene).all == before.all
    scene.run()
    assert status_of(scene.gateway, scene.path).count(RowState.MOVED) == planned
    assert Truth.of(scene).all == before.all


def test_nothing_can_be_paused_that_does_not_run(scene: Scene) -> None:
    scene.plan()
    with pytest.raises(ConfigurationError, match="nothing to pause"):
        pause_plan(scene.gateway, scene.path)


def test_a_vendor_that_asks_for_patience_gets_it(either_scene: Scene) -> None:
    either_scene.plan()
    before = Truth.of(either_scene)
    for simulator in (either_scene.source, either_scene.target):
        simulator.inject("rate-limit", times=10, retry_after_s=1)
    assert set(either_scene.run().counts) == {RowState.MOVED}
    assert Truth.of(either_scene).all == before.all


def test_a_vendor_that_is_away_breaks_the_run_off_and_the_next_one_goes_on(either_scene: Scene) -> None:
    either_scene.plan()
    before, planned = Truth.of(either_scene), len(carried(either_scene))
    either_scene.target.inject("error-before", "POST */vouchers", times=0)
    report = either_scene.run(workers=2)
    assert report.moved == {}
    after = Truth.of(either_scene)
    assert all(after.all.get(code, (0,))[0] <= value for code, (value, _) in before.all.items())  # never more
    either_scene.target.clear_faults()
    either_scene.run()
    done = status_of(either_scene.gateway, either_scene.path)
    assert done.count(RowState.MOVED) + done.count(RowState.IN_DOUBT) == planned
    if either_scene.target.announcement["provider"] == "jtl":  # by the id of our choice nothing stays open
        assert done.count(RowState.IN_DOUBT) == 0
        assert Truth.of(either_scene).all == before.all


def test_calls_keep_to_the_rate_of_each_account() -> None:
    rates = Rates({"slow": 50.0}, threading.Event())
    began = time.monotonic()
    for _ in range(11):
        rates.wait("slow")
    assert time.monotonic() - began >= 0.2
    began = time.monotonic()
    for _ in range(1000):
        rates.wait("free")
    assert time.monotonic() - began < 0.2


def test_a_planned_rate_holds_for_all_requests_of_the_account(scene: Scene) -> None:
    scene.plan(rates={"target": 40.0})
    began, count = time.monotonic(), len(scene.target.requests)
    scene.run(limit=8)
    sent = len(scene.target.requests) - count
    assert sent >= 16
    assert time.monotonic() - began >= (sent - 1) / 40.0


def test_progress_tells_money_count_and_time(scene: Scene) -> None:
    scene.plan()
    told: list[Progress] = []
    report = scene.run(on_progress=told.append)
    last = told[-1]
    assert (last.finished, last.total) == (len(carried(scene)), len(carried(scene)))
    assert last.moved == report.moved
    assert last.eta_s == 0


def test_an_expiry_is_carried_and_never_shortened(either_scene: Scene) -> None:
    either_scene.move()
    codes = {one["id"]: str(one["code"]) for one in either_scene.source.ledger()}
    for planned in read_vouchers(either_scene.path):
        if planned.action is Action.CARRY and planned.valid_until is not None:
            until = entry(either_scene.target, code=codes[planned.source_id])["valid_until"]
            assert until is not None
            assert until >= planned.valid_until.strftime("%Y-%m-%dT%H:%M:%S")


def test_what_was_spent_between_reading_and_retiring_is_noticed_and_undone(
    scene_back: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ticketing vendor cannot freeze: a checkout may come in between, and is seen when the voucher is retired."""
    scene_back.plan()
    source_id, value = max(carried(scene_back).items(), key=lambda one: one[1].amount)
    code = next(str(one["code"]) for one in scene_back.source.ledger() if one["id"] == source_id)
    simulator: Any = scene_back.source.simulator
    update = Gateway.update

    def a_checkout_first(gateway: Gateway, account: str, id: str, *rest: Any, **named: Any) -> Any:
        if id == source_id and named["reference"].endswith("-retire"):
            simulator.redeem_at_checkout(code, "0.01")
        return update(gateway, account, id, *rest, **named)

    monkeypatch.setattr(Gateway, "update", a_checkout_first)
    report = scene_back.run()
    (noted,) = report.noted
    assert (noted.source_id, noted.state) == (source_id, RowState.CHANGED)
    assert "it was used during the move" in noted.reason
    after = Truth.of(scene_back)
    assert after.source[code] == (value.amount - Decimal("0.01"), value.currency)
    assert code not in after.target


def test_a_voucher_may_get_a_new_code(make_scene: Callable[..., Scene]) -> None:
    scene = make_scene(vouchers=0)
    new = NewVoucher(initial=Money("7.50", "EUR"), code="semi;colon;code", active=True)
    made = scene.gateway.issue("source", new, reference="sale")
    scene.plan(attrs.evolve(ANYTHING, code_unfit=Recode.NEW_CODE))
    assert scene.run().counts == {RowState.MOVED: 1}
    there = scene.gateway.find_moved("source", made.id)
    assert there is not None
    (found,) = [one for one in scene.target.ledger() if one["id"] == there.to_voucher_id]
    assert (found["remaining"], ";" in str(found["code"])) == ("7.50", False)
    assert verify_plan(scene.gateway, scene.path).proved


def test_an_inactive_voucher_arrives_inactive(make_scene: Callable[..., Scene]) -> None:
    scene = make_scene("jtl", "jtl", 0)
    new = NewVoucher(initial=Money("7.50", "EUR"), code="NOT-SOLD-YET-1", active=False)
    scene.gateway.issue("source", new, reference="made")
    scene.plan(attrs.evolve(ANYTHING, inactive=Action.CARRY))
    assert scene.run().counts == {RowState.MOVED: 1}
    assert entry(scene.target, code="NOT-SOLD-YET-1")["status"] == "inactive"
    assert verify_plan(scene.gateway, scene.path).proved


def test_where_vouchers_are_spendable_twice_one_process_works_alone(make_scene: Callable[..., Scene]) -> None:
    scene = make_scene("ticketing", "ticketing")
    summary = scene.plan()
    other = scene.another_gateway()
    assert other.journal is not None
    lock = other.journal.database.locks.hold(f"migration-window\0{summary.id}", wait_s=1)
    with lock, pytest.raises(OperationInProgress, match="another process runs this plan"):
        run_plan(scene.gateway, scene.path)
    assert scene.changes() == 0


def test_no_code_shows_anywhere(either_scene: Scene, canary: Any) -> None:
    for one in either_scene.source.ledger():
        if len(str(one["code"])) >= 12 and str(one["code"]).isascii():
            canary.plant(str(one["code"]))
    either_scene.plan()
    either_scene.target.inject("error-after-commit", "POST */vouchers")
    report = either_scene.run()
    canary.note("the report", repr(report))
    canary.note("the status", repr(status_of(either_scene.gateway, either_scene.path)))
    either_scene.run()
    canary.note("the verification", repr(verify_plan(either_scene.gateway, either_scene.path)))
    canary.note("the rollback", repr(rollback_plan(either_scene.gateway, either_scene.path)))
    canary.note("the plan", either_scene.path.read_text())
    database = Path(either_scene.url.removeprefix("sqlite:///"))
    for file in database.parent.glob(f"{database.name}*"):
        canary.note(file.name, file.read_bytes().decode("latin-1"))
