"""Several processes of one run: they share the work, and whichever is killed, nothing is moved twice or lost."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import attrs
import pytest

from tests.migration.run.run_process import INTERRUPTED, run_in_fresh_process, running_process
from tests.migration.run.test_killed import check_never_more, check_settled, check_verified, finish, wait_until_free
from tests.migration.run.test_runner import carried
from tests.migration.run.vendor_pair import ANYTHING, SpendableValues, VendorPair
from voucher_gateway.errors import InvalidRequest
from voucher_gateway.migration import (
    PlanState,
    Recode,
    RowState,
    RunReport,
    pause_plan,
    rollback_plan,
    status_of,
    verify_plan,
)


def children_of(pid: int | None) -> list[int]:
    """Return the ids of the processes that a process has forked."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_alive(pid: int) -> bool:
    """Return whether a process runs. A zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_for(condition: Callable[[], object], seconds: float = 30) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def run_report(pair: VendorPair, **options: Any) -> RunReport:
    """Run the plan in a separate process, which has one thread, and return the report."""
    report: RunReport = run_in_fresh_process(pair.accounts, pair.url, pair.path, **options)
    return report


def test_two_processes_share_a_run_and_make_one_report(make_pair: Callable[..., VendorPair]) -> None:
    pair = make_pair("jtl", "ticketing", 60, latency_ms=2)
    pair.plan()
    before, wanted = SpendableValues.of(pair), carried(pair)
    report = run_report(pair, processes=2, workers=2)
    assert report.counts == {RowState.MOVED: len(wanted)}
    assert (report.left, report.error, report.lost_processes) == (0, None, ())
    assert sum(money.amount for money in report.moved.values()) == sum(money.amount for money in wanted.values())
    assert SpendableValues.of(pair).all == before.all
    assert status_of(pair.gateway, pair.path).state is PlanState.DONE
    assert verify_plan(pair.gateway, pair.path).proved


@pytest.mark.long
def test_both_processes_move_vouchers_at_the_same_time(make_pair: Callable[..., VendorPair]) -> None:
    pair = make_pair("jtl", "ticketing", 200, latency_ms=20)
    pair.plan()
    owners: set[str] = set()
    with running_process(pair.accounts, pair.url, pair.path, processes=2, workers=2) as process:
        while len(owners) < 2:
            assert process.is_alive()
            owners |= set(status_of(pair.gateway, pair.path).workers)
        assert len(children_of(process.pid)) == 2


def test_one_process_forks_nothing_so_a_program_with_threads_can_run_a_plan(
    make_pair: Callable[..., VendorPair], monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = make_pair("jtl", "ticketing", 30)
    pair.plan()
    monkeypatch.setattr(os, "fork", _refuse_fork)
    pair.run(limit=1, processes=4)  # one voucher is for one process
    assert pair.run(processes=1).left == 0
    pair.run(processes=4)  # nothing is left
    assert rollback_plan(pair.gateway, pair.path, processes=1).not_undone == 0
    pair.path = pair.path.with_name("several.jsonl")
    pair.plan(attrs.evolve(ANYTHING, code_taken=Recode.NEW_CODE))
    with pytest.raises(AssertionError, match="a process was forked"):
        pair.run(processes=2)


def _refuse_fork() -> int:
    raise AssertionError("a process was forked")


def test_a_limit_holds_for_all_processes_together(make_pair: Callable[..., VendorPair]) -> None:
    pair = make_pair("jtl", "ticketing", 150)
    pair.plan()
    report = run_report(pair, processes=3, limit=8)
    assert (report.counts, report.stopped) == ({RowState.MOVED: 8}, "limit")
    assert report.left == len(carried(pair)) - 8
    assert report.rest_s is not None
    assert run_report(pair, processes=3, limit=1).counts == {RowState.MOVED: 1}


@pytest.mark.long
def test_a_rate_holds_for_all_processes_together(make_pair: Callable[..., VendorPair]) -> None:
    pair = make_pair(vouchers=150)
    pair.plan(rates={"target": 40.0})
    began, count = time.monotonic(), len(pair.target.requests)
    run_report(pair, processes=2, limit=16)
    sent = len(pair.target.requests) - count
    assert sent >= 32
    assert time.monotonic() - began >= (sent - 3) / 40.0


def test_a_killed_process_is_named_and_its_vouchers_are_taken_over(make_pair: Callable[..., VendorPair]) -> None:
    pair = make_pair("jtl", "jtl", 80, latency_ms=10)
    pair.plan()
    before, wanted = SpendableValues.of(pair), carried(pair)

    def kill_one(pid: int) -> None:
        wait_for(lambda: status_of(pair.gateway, pair.path).count(RowState.MOVED))
        os.kill(children_of(pid)[0], signal.SIGKILL)

    report = run_in_fresh_process(pair.accounts, pair.url, pair.path, act=kill_one, processes=2, workers=2)
    assert report.counts == {RowState.MOVED: len(wanted)}
    assert (report.left, report.error) == (0, None)
    (lost,) = report.lost_processes
    assert lost.endswith("was ended by SIGKILL")
    assert SpendableValues.of(pair).all == before.all
    assert verify_plan(pair.gateway, pair.path).proved


def test_when_the_parent_is_killed_the_children_complete_what_has_begun_and_end(
    make_pair: Callable[..., VendorPair],
) -> None:
    pair = make_pair("jtl", "ticketing", 300, latency_ms=10)
    pair.plan()
    before = SpendableValues.of(pair)
    with running_process(pair.accounts, pair.url, pair.path, processes=2, workers=2) as process:
        wait_for(lambda: status_of(pair.gateway, pair.path).count(RowState.MOVED))
        children = children_of(process.pid)
        process.kill()
        wait_for(lambda: not any(map(is_alive, children)), 10)
    seen = status_of(pair.gateway, pair.path)
    assert (seen.count(RowState.WORKING), seen.left_behind, seen.workers) == (0, 0, {})
    assert seen.count(RowState.PLANNED) > 0
    assert SpendableValues.of(pair).all == before.all


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.long)])
def test_a_signal_to_the_parent_ends_all_processes_after_the_moves_that_have_begun(
    make_pair: Callable[..., VendorPair], number: signal.Signals
) -> None:
    pair = make_pair("jtl", "ticketing", 300, latency_ms=10)
    pair.plan()
    before = SpendableValues.of(pair)
    with running_process(pair.accounts, pair.url, pair.path, processes=2, workers=2) as process:
        wait_for(lambda: status_of(pair.gateway, pair.path).count(RowState.MOVED))
        assert process.pid is not None
        children = children_of(process.pid)
        for pid in (process.pid, *(children if number is signal.SIGINT else ())):  # a terminal sends it to all
            os.kill(pid, number)
        process.join(30)
        assert process.exitcode == INTERRUPTED
        assert not any(map(is_alive, children))
    seen = status_of(pair.gateway, pair.path)
    assert (seen.count(RowState.WORKING), seen.left_behind, seen.workers) == (0, 0, {})
    assert seen.count(RowState.PLANNED) > 0
    assert SpendableValues.of(pair).all == before.all


@pytest.mark.long
def test_a_pause_stops_all_processes(make_pair: Callable[..., VendorPair]) -> None:
    pair = make_pair("jtl", "ticketing", 200, latency_ms=10)
    pair.plan()

    def pause(_: int) -> None:
        wait_for(lambda: status_of(pair.gateway, pair.path).count(RowState.MOVED))
        pause_plan(pair.gateway, pair.path)

    report = run_in_fresh_process(pair.accounts, pair.url, pair.path, act=pause, processes=2, workers=2)
    assert report.stopped == "paused"
    assert report.left > 0
    seen = status_of(pair.gateway, pair.path)
    assert (seen.state, seen.count(RowState.WORKING), seen.workers) == (PlanState.PAUSED, 0, {})


@pytest.mark.long
def test_an_error_of_one_process_stops_all_and_is_reported(make_pair: Callable[..., VendorPair]) -> None:
    pair = make_pair("jtl", "ticketing", 200, latency_ms=10)
    pair.plan()
    before = SpendableValues.of(pair)
    pair.target.inject("unauthorized", "POST */vouchers", times=0, after=4)
    report = run_report(pair, processes=2, workers=2)
    assert report.error is not None
    assert (type(report.error).__name__, report.stopped) == ("AuthenticationFailed", "error")
    assert any("met it, and all processes have stopped" in note for note in report.error.__notes__)
    assert report.left > 0
    assert SpendableValues.of(pair).all == before.all


def test_two_processes_roll_back_and_make_one_report(make_pair: Callable[..., VendorPair]) -> None:
    pair = make_pair("jtl", "ticketing", 60, latency_ms=2)
    pair.plan()
    before, wanted = SpendableValues.of(pair), carried(pair)
    pair.run()
    report = run_in_fresh_process(pair.accounts, pair.url, pair.path, rollback=True, processes=2)
    assert (report.undone, report.not_undone, report.in_doubt) == (len(wanted), 0, 0)
    assert (report.error, report.lost_processes) == (None, ())
    assert SpendableValues.of(pair).all == before.all
    assert verify_plan(pair.gateway, pair.path).proved


@pytest.mark.long
@pytest.mark.parametrize("source", ["jtl", "ticketing"])
def test_a_killed_process_of_a_rollback_is_named_and_its_part_is_taken_over(
    make_pair: Callable[..., VendorPair], either_url: str, source: str
) -> None:
    target = {"jtl": "ticketing", "ticketing": "jtl"}[source]
    pair = make_pair(source, target, 200, latency_ms=30, url=either_url)
    pair.plan()
    before, wanted = SpendableValues.of(pair), carried(pair)
    pair.run()

    def kill_one(pid: int) -> None:
        wait_for(lambda: status_of(pair.gateway, pair.path).count(RowState.UNDONE))
        os.kill(children_of(pid)[-1], signal.SIGKILL)

    report = run_in_fresh_process(pair.accounts, pair.url, pair.path, rollback=True, act=kill_one, processes=2)
    assert (report.undone, report.not_undone, report.error) == (len(wanted), 0, None)
    assert len(report.lost_processes) == 1
    assert SpendableValues.of(pair).all == before.all
    assert verify_plan(pair.gateway, pair.path).proved


@pytest.mark.long
def test_when_the_parent_of_a_rollback_is_killed_its_children_end_and_the_next_one_goes_on(
    make_pair: Callable[..., VendorPair],
) -> None:
    pair = make_pair("jtl", "ticketing", 300, latency_ms=50)
    pair.plan()
    before = SpendableValues.of(pair)
    pair.run()
    children: list[int] = []

    def kill_parent(pid: int) -> None:
        wait_for(lambda: status_of(pair.gateway, pair.path).count(RowState.UNDONE))
        children.extend(children_of(pid))
        os.kill(pid, signal.SIGKILL)

    with pytest.raises(EOFError):
        run_in_fresh_process(pair.accounts, pair.url, pair.path, rollback=True, act=kill_parent, processes=2)
    wait_for(lambda: not any(map(is_alive, children)), 10)
    check_never_more(pair, before)
    assert status_of(pair.gateway, pair.path).count(RowState.MOVED) > 0
    rollback_plan(pair.gateway, pair.path)
    assert SpendableValues.of(pair).all == before.all


def test_a_plan_whose_vouchers_may_be_spendable_twice_is_run_by_one_process(
    make_pair: Callable[..., VendorPair],
) -> None:
    pair = make_pair("ticketing", "ticketing")
    pair.plan()
    with pytest.raises(InvalidRequest, match="one process runs it"):
        pair.run(processes=2)
    assert pair.changes() == 0


def kill_any(make_pair: Callable[..., VendorPair], url: str, seed: int, *, kills: int, vouchers: int) -> None:
    """Kill a child, the parent or all of them at random moments, and run to the end. Then the same with a rollback."""
    draw = random.Random(seed)
    source, target = draw.choice((("jtl", "ticketing"), ("ticketing", "jtl"), ("jtl", "jtl")))
    pair = make_pair(source, target, vouchers, url=url, latency_ms=3)
    pair.plan()
    before = SpendableValues.of(pair)
    for _ in range(kills):
        kill_one_way(pair, draw)
        check_never_more(pair, before)
    seen = finish(pair)
    check_settled(pair, before, seen)
    assert (seen.count(RowState.REFUSED), seen.count(RowState.CHANGED)) == (0, 0)
    check_verified(pair, seen)
    for _ in range(kills):
        kill_one_way(pair, draw, rollback=True)
        check_never_more(pair, before)
    doubts = rollback_plan(pair.gateway, pair.path).in_doubt
    after = check_never_more(pair, before)
    assert sum(after.all.get(code) != value for code, value in before.all.items()) <= doubts


def kill_one_way(pair: VendorPair, draw: random.Random, *, rollback: bool = False) -> None:
    """Start a run or a rollback in two processes, and kill a child, the parent or all of them at a random moment."""
    with running_process(pair.accounts, pair.url, pair.path, processes=2, workers=2, rollback=rollback) as process:
        time.sleep(draw.uniform(0.05, 0.7))
        children = children_of(process.pid) if process.is_alive() else []
        assert process.pid is not None
        victims = draw.choice((children[:1], children, [process.pid], [*children, process.pid]))
        for victim in victims:
            with suppress(ProcessLookupError):  # it has just ended
                os.kill(victim, signal.SIGKILL)
        if process.pid not in victims:
            process.join(300)
            assert process.exitcode == 0
    wait_for(lambda: not any(map(is_alive, children)))
    wait_until_free(pair)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(6))
def test_whichever_process_is_killed_nothing_is_doubled_or_lost(
    make_pair: Callable[..., VendorPair], either_url: str, seed: int
) -> None:
    kill_any(make_pair, either_url, seed, kills=4, vouchers=120)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(100, 130))
def test_processes_killed_many_times_double_and_lose_nothing(
    make_pair: Callable[..., VendorPair], either_url: str, seed: int
) -> None:
    kill_any(make_pair, either_url, seed, kills=8, vouchers=300)
