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

from tests.migration.run.vendor_pair import ANYTHING, SpendableValues, VendorPair
from tests.support.examples import choose_size
from tests.support.ledger import Ledger
from tests.support.simulators import SimulatorAccount, make_gateway
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


def carried(pair: VendorPair) -> dict[str, Money]:
    """Return the carried value by source id."""
    return {
        one.source_id: one.destination.value
        for one in read_vouchers(pair.path)
        if one.action is Action.CARRY and one.destination is not None
    }


def test_what_is_carried_can_be_spent_once_and_only_at_the_target(either_pair: VendorPair) -> None:
    before = either_pair.move()
    after, moved = SpendableValues.of(either_pair), carried(either_pair)
    by_id = Ledger(either_pair.source).codes()
    assert moved
    for source_id, value in moved.items():
        code = str(by_id[source_id])
        assert after.target[code] == (value.amount, value.currency)
        assert code not in after.source
    assert after.all == before.all
    assert after.sums() == before.sums()
    assert verify_plan(either_pair.gateway, either_pair.path).proved


def test_a_second_run_sends_nothing(either_pair: VendorPair) -> None:
    either_pair.move()
    sent = either_pair.changes()
    report = either_pair.run()
    assert (report.counts, report.left) == ({}, 0)
    assert either_pair.changes() == sent
    assert status_of(either_pair.gateway, either_pair.path).state is PlanState.DONE


def test_a_pilot_moves_so_many_and_the_next_run_goes_on(pair: VendorPair) -> None:
    pair.plan()
    before, planned = SpendableValues.of(pair), len(carried(pair))
    pilot = pair.run(limit=3)
    assert pilot.counts == {RowState.MOVED: 3}
    assert (pilot.stopped, pilot.left) == ("limit", planned - 3)
    assert SpendableValues.of(pair).all == before.all
    rest = pair.run()
    assert rest.counts == {RowState.MOVED: planned - 3}
    assert SpendableValues.of(pair).all == before.all


def test_what_was_spent_since_stays_and_is_listed(pair: VendorPair) -> None:
    pair.plan()
    source_id, value = max(carried(pair).items(), key=lambda one: one[1].amount)
    code = Ledger(pair.source).codes()[source_id]
    pin = pair.gateway.get("source", source_id, secrets=True).pin
    pair.gateway.redeem("source", code, Money("0.01", value.currency), pin, reference="a-purchase")
    before = SpendableValues.of(pair)
    report = pair.run()
    (noted,) = report.noted
    assert (noted.source_id, noted.state) == (source_id, RowState.CHANGED)
    assert "left, not" in noted.reason
    assert report.counts[RowState.CHANGED] == 1
    after = SpendableValues.of(pair)
    assert after.all == before.all
    assert after.source[code] == (value.amount - Decimal("0.01"), value.currency)  # spendable where it was


def test_a_voucher_that_changed_is_not_frozen_so_that_its_validity_does_not_begin_again(pair: VendorPair) -> None:
    pair.plan()
    source_id, value = max(carried(pair).items(), key=lambda one: one[1].amount)
    code = Ledger(pair.source).codes()[source_id]
    voucher = pair.gateway.get("source", source_id, secrets=True)
    pair.gateway.redeem("source", code, Money("0.01", value.currency), voucher.pin, reference="a-purchase")
    before = len(pair.source.requests)
    (noted,) = pair.run().noted
    assert (noted.source_id, noted.state) == (source_id, RowState.CHANGED)
    assert "0.01" not in noted.reason
    changes = [one for one in pair.source.requests[before:] if one.method != "GET" and one.path.endswith(source_id)]
    assert changes == []
    assert pair.gateway.get("source", source_id).valid_until == voucher.valid_until


def test_a_changed_voucher_is_planned_again_after_the_plan(pair: VendorPair, tmp_path: Path) -> None:
    pair.plan()
    source_id, value = max(carried(pair).items(), key=lambda one: one[1].amount)
    code = Ledger(pair.source).codes()[source_id]
    pin = pair.gateway.get("source", source_id, secrets=True).pin
    pair.gateway.redeem("source", code, Money("0.01", value.currency), pin, reference="a-purchase")
    pair.run()
    first, pair.path = pair.path, tmp_path / "second.jsonl"
    pair.plan(after=first)
    assert carried(pair) == {source_id: value - Money("0.01", value.currency)}
    assert pair.run().counts == {RowState.MOVED: 1}
    journal = pair.gateway.journal
    assert journal is not None
    assert list(ids_of_moved_vouchers(journal.database, status_of(pair.gateway, pair.path).plan_id)) == [source_id]


def test_a_pilot_that_was_rolled_back_is_moved_by_a_new_plan(either_pair: VendorPair, tmp_path: Path) -> None:
    pair = either_pair
    pair.plan()
    sums, wanted = SpendableValues.of(pair).sums(), carried(pair)
    pair.run(limit=3)
    assert rollback_plan(pair.gateway, pair.path).undone == 3
    pair.path = tmp_path / "second.jsonl"
    # a vendor that cannot delete keeps the emptied vouchers, and with them their codes
    pair.plan(attrs.evolve(ANYTHING, code_taken=Recode.NEW_CODE))
    assert carried(pair) == wanted
    recoded = [one for one in read_vouchers(pair.path) if one.destination is not None and one.destination.new_code]
    assert len(recoded) == (3 if pair.target.announcement["provider"] == "ticketing" else 0)
    assert pair.run().counts == {RowState.MOVED: len(wanted)}
    assert SpendableValues.of(pair).sums() == sums
    assert verify_plan(pair.gateway, pair.path).proved


def test_a_code_that_is_taken_meanwhile_is_refused_and_the_source_thawed(pair: VendorPair) -> None:
    pair.plan()
    source_id, value = min(carried(pair).items())
    code = Ledger(pair.source).codes()[source_id]
    pair.gateway.issue("target", NewVoucher(initial=Money(1, "EUR"), code=code), reference="another")
    report = pair.run()
    (noted,) = [one for one in report.noted if one.state is RowState.REFUSED]
    assert noted.source_id == source_id
    assert noted.reason.startswith("the target already has a voucher with its code")
    assert SpendableValues.of(pair).source[code] == (value.amount, value.currency)
    assert pair.gateway.find_moved("source", source_id) is None
    assert pair.run().counts == {}  # it stays refused


def test_a_held_voucher_is_left_alone(pair: VendorPair) -> None:
    pair.plan()
    source_id, value = max(carried(pair).items(), key=lambda one: one[1].amount)
    seen = pair.gateway.get("source", source_id, secrets=True)
    assert seen.code is not None
    held = pair.gateway.reserve("source", seen.code, Money("0.01", value.currency), seen.pin, reference="checkout")
    report = pair.run()
    (noted,) = report.noted
    assert (noted.source_id, noted.state) == (source_id, RowState.CHANGED)
    assert noted.reason.startswith("the journal has a reservation on it")
    assert pair.gateway.capture("source", held, reference="checkout").money == Money("0.01", value.currency)


def test_a_voucher_is_moved_by_one_plan_only(pair: VendorPair, tmp_path: Path) -> None:
    """Two plans of the same estate: what one has moved, the other does not touch."""
    pair.plan()
    first, pair.path = pair.path, tmp_path / "second.jsonl"
    pair.plan(attrs.evolve(ANYTHING, unreadable=Action.SKIP))
    before = SpendableValues.of(pair)
    run_plan(pair.gateway, first)
    sent = pair.changes()
    report = pair.run()
    assert report.counts == {RowState.REFUSED: len(carried(pair))}
    assert report.left == 0
    states = status_of(pair.gateway, pair.path)
    assert states.count(RowState.REFUSED) == len(carried(pair))
    assert "moves it, or has moved it" in states.noted[0].reason
    assert pair.changes() == sent
    assert SpendableValues.of(pair).all == before.all


def test_an_edited_plan_is_refused(pair: VendorPair) -> None:
    pair.plan()
    lines = pair.path.read_text().splitlines()
    voucher = json.loads(next(line for line in lines if '"carry"' in line and "source_id" in line))
    pair.path.write_text("\n".join(lines).replace(voucher["source_id"], "another", 1) + "\n")
    with pytest.raises(ConfigurationError, match="changed after it was made"):
        pair.run()


def test_a_plan_of_another_vendor_is_refused(
    pair: VendorPair, make_pair: Callable[..., VendorPair], sqlite_url: str
) -> None:
    pair.plan()
    elsewhere = make_pair(url=f"{sqlite_url}-other")
    accounts = (
        SimulatorAccount("source", elsewhere.source.announcement),
        SimulatorAccount("target", pair.target.announcement),
    )
    with make_gateway(accounts, pair.url) as gateway, pytest.raises(ConfigurationError, match="make a new plan"):
        run_plan(gateway, pair.path)
    assert pair.changes() == 0


def test_without_a_journal_nothing_is_moved(pair: VendorPair) -> None:
    pair.plan()
    accounts = [Account(name=account.name, provider=account.provider()) for account in pair.accounts]
    with Gateway(accounts) as gateway, pytest.raises(ConfigurationError, match="needs a journal"):
        run_plan(gateway, pair.path)


def test_money_that_is_spendable_twice_must_be_accepted(make_pair: Callable[..., VendorPair]) -> None:
    pair = make_pair("ticketing", "ticketing")
    pair.plan(attrs.evolve(ANYTHING, accept=frozenset()))
    before = SpendableValues.of(pair)
    with pytest.raises(InvalidRequest, match="spendable-twice"):
        pair.run()
    assert pair.changes() == 0
    report = pair.run(accept=["spendable-twice"])
    assert set(report.counts) == {RowState.MOVED}
    assert SpendableValues.of(pair).all == before.all


def test_vouchers_can_be_emptied_at_the_source(make_pair: Callable[..., VendorPair]) -> None:
    pair = make_pair("jtl", "jtl", 30)
    before = pair.move(attrs.evolve(ANYTHING, retire=Retire.EMPTY))
    assert SpendableValues.of(pair).all == before.all
    assert not set(carried(pair)) & {one["id"] for one in pair.source.ledger() if float(str(one["remaining"]))}
    assert verify_plan(pair.gateway, pair.path).proved


def test_a_pause_stops_everybody_and_the_next_run_goes_on(make_pair: Callable[..., VendorPair]) -> None:
    pair = make_pair(vouchers=200, latency_ms=10)
    pair.plan()
    before, planned = SpendableValues.of(pair), len(carried(pair))

    def pause_soon() -> None:
        while status_of(pair.gateway, pair.path).count(RowState.WORKING) == 0:
            time.sleep(0.01)
        pause_plan(pair.gateway, pair.path)

    pausing = threading.Thread(target=pause_soon)
    pausing.start()
    report = pair.run(workers=2)
    pausing.join()
    assert report.stopped == "paused"
    assert 0 < report.left < planned
    seen = status_of(pair.gateway, pair.path)
    assert (seen.state, seen.workers, seen.count(RowState.WORKING)) == (PlanState.PAUSED, {}, 0)
    assert SpendableValues.of(pair).all == before.all
    pair.run()
    assert status_of(pair.gateway, pair.path).count(RowState.MOVED) == planned
    assert SpendableValues.of(pair).all == before.all


def test_nothing_can_be_paused_that_does_not_run(pair: VendorPair) -> None:
    pair.plan()
    with pytest.raises(ConfigurationError, match="nothing to pause"):
        pause_plan(pair.gateway, pair.path)


def test_a_vendor_that_asks_for_patience_gets_it(either_pair: VendorPair) -> None:
    either_pair.plan()
    before = SpendableValues.of(either_pair)
    for simulator in (either_pair.source, either_pair.target):
        simulator.inject("rate-limit", times=choose_size(quick=3, thorough=10), retry_after_s=1)
    assert set(either_pair.run().counts) == {RowState.MOVED}
    assert SpendableValues.of(either_pair).all == before.all


def test_a_vendor_that_is_away_breaks_the_run_off_and_the_next_one_goes_on(either_pair: VendorPair) -> None:
    either_pair.plan()
    before, planned = SpendableValues.of(either_pair), len(carried(either_pair))
    either_pair.target.inject("error-before", "POST */vouchers", times=0)
    report = either_pair.run(workers=2)
    assert report.moved == {}
    after = SpendableValues.of(either_pair)
    assert all(after.all.get(code, (0,))[0] <= value for code, (value, _) in before.all.items())  # never more
    either_pair.target.clear_faults()
    either_pair.run()
    done = status_of(either_pair.gateway, either_pair.path)
    assert done.count(RowState.MOVED) + done.count(RowState.IN_DOUBT) == planned
    if either_pair.target.announcement["provider"] == "jtl":  # by the id of our choice nothing stays open
        assert done.count(RowState.IN_DOUBT) == 0
        assert SpendableValues.of(either_pair).all == before.all


def test_calls_keep_to_the_rate_of_each_account() -> None:
    rates = Rates({"slow": 50.0}, threading.Event())
    began = time.monotonic()
    for _ in range(11):
        rates.wait("slow")
    assert time.monotonic() - began >= 0.2
    began = time.monotonic()
    for _ in range(1000):
        rates.wait("free")
    assert time.monotonic() - began < 10  # at the rate of the other it would be 20 seconds


def test_a_planned_rate_holds_for_all_requests_of_the_account(make_pair: Callable[..., VendorPair]) -> None:
    pair = make_pair(vouchers=60)
    pair.plan(rates={"target": 40.0})
    began, count = time.monotonic(), len(pair.target.requests)
    pair.run(limit=8)
    sent = len(pair.target.requests) - count
    assert sent >= 16
    assert time.monotonic() - began >= (sent - 1) / 40.0


def test_progress_tells_money_count_and_time(pair: VendorPair) -> None:
    pair.plan()
    told: list[Progress] = []
    report = pair.run(on_progress=told.append)
    last = told[-1]
    assert (last.finished, last.total) == (len(carried(pair)), len(carried(pair)))
    assert last.moved == report.moved
    assert last.eta_s == 0


def test_an_expiry_is_carried_and_never_shortened(either_pair: VendorPair) -> None:
    either_pair.move()
    codes = Ledger(either_pair.source).codes()
    for planned in read_vouchers(either_pair.path):
        if planned.action is Action.CARRY and planned.valid_until is not None:
            until = Ledger(either_pair.target).entry(code=codes[planned.source_id])["valid_until"]
            assert until is not None
            assert until >= planned.valid_until.strftime("%Y-%m-%dT%H:%M:%S")


def test_what_was_spent_between_reading_and_retiring_is_noticed_and_undone(
    reverse_pair: VendorPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ticketing vendor cannot freeze: a checkout may come in between, and is seen when the voucher is retired."""
    reverse_pair.plan()
    source_id, value = max(carried(reverse_pair).items(), key=lambda one: one[1].amount)
    code = Ledger(reverse_pair.source).codes()[source_id]
    simulator: Any = reverse_pair.source.simulator
    update = Gateway.update

    def a_checkout_first(gateway: Gateway, account: str, id: str, *rest: Any, **named: Any) -> Any:
        if id == source_id and named["reference"].endswith("-retire"):
            simulator.redeem_at_checkout(code, "0.01")
        return update(gateway, account, id, *rest, **named)

    monkeypatch.setattr(Gateway, "update", a_checkout_first)
    report = reverse_pair.run()
    (noted,) = report.noted
    assert (noted.source_id, noted.state) == (source_id, RowState.CHANGED)
    assert "it was used during the move" in noted.reason
    after = SpendableValues.of(reverse_pair)
    assert after.source[code] == (value.amount - Decimal("0.01"), value.currency)
    assert code not in after.target


def test_a_voucher_may_get_a_new_code(make_pair: Callable[..., VendorPair]) -> None:
    pair = make_pair(vouchers=0)
    new = NewVoucher(initial=Money("7.50", "EUR"), code="semi;colon;code", active=True)
    made = pair.gateway.issue("source", new, reference="sale")
    pair.plan(attrs.evolve(ANYTHING, code_unfit=Recode.NEW_CODE))
    assert pair.run().counts == {RowState.MOVED: 1}
    there = pair.gateway.find_moved("source", made.id)
    assert there is not None
    (found,) = [one for one in pair.target.ledger() if one["id"] == there.to_voucher_id]
    assert (found["remaining"], ";" in str(found["code"])) == ("7.50", False)
    assert verify_plan(pair.gateway, pair.path).proved


def test_an_inactive_voucher_arrives_inactive(make_pair: Callable[..., VendorPair]) -> None:
    pair = make_pair("jtl", "jtl", 0)
    new = NewVoucher(initial=Money("7.50", "EUR"), code="NOT-SOLD-YET-1", active=False)
    pair.gateway.issue("source", new, reference="made")
    pair.plan(attrs.evolve(ANYTHING, inactive=Action.CARRY))
    assert pair.run().counts == {RowState.MOVED: 1}
    assert Ledger(pair.target).entry(code="NOT-SOLD-YET-1")["status"] == "inactive"
    assert verify_plan(pair.gateway, pair.path).proved


def test_where_vouchers_are_spendable_twice_one_process_works_alone(make_pair: Callable[..., VendorPair]) -> None:
    pair = make_pair("ticketing", "ticketing")
    summary = pair.plan()
    other = pair.another_gateway()
    assert other.journal is not None
    lock = other.journal.database.locks.hold(f"migration-window\0{summary.id}", wait_s=1)
    with lock, pytest.raises(OperationInProgress, match="another process runs this plan"):
        run_plan(pair.gateway, pair.path)
    assert pair.changes() == 0


def test_no_code_shows_anywhere(either_pair: VendorPair, canary: Any) -> None:
    for one in either_pair.source.ledger():
        if len(str(one["code"])) >= 12 and str(one["code"]).isascii():
            canary.plant(str(one["code"]))
    either_pair.plan()
    either_pair.target.inject("error-after-commit", "POST */vouchers")
    report = either_pair.run()
    canary.note("the report", repr(report))
    canary.note("the status", repr(status_of(either_pair.gateway, either_pair.path)))
    either_pair.run()
    canary.note("the verification", repr(verify_plan(either_pair.gateway, either_pair.path)))
    canary.note("the rollback", repr(rollback_plan(either_pair.gateway, either_pair.path)))
    canary.note("the plan", either_pair.path.read_text())
    database = Path(either_pair.url.removeprefix("sqlite:///"))
    for file in database.parent.glob(f"{database.name}*"):
        canary.note(file.name, file.read_bytes().decode("latin-1"))
