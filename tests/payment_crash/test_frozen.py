"""A worker freezes in the middle of a payment, others take over where they can, and the frozen one resumes."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from typing import Final

import psycopg
import pytest

from tests.payment_crash.findings import Findings
from tests.payment_crash.processes import points_of, prepare, run_step, spread
from tests.payment_crash.steps import ABORT, CAPTURE, REPEAT, STEPS, WAYS, check_books, settle
from tests.payment_crash.world import PaymentWorld
from tests.support.long import first
from voucher_gateway.errors import OperationInProgress
from voucher_gateway.testing.harness.child_process import BEFORE_COMMIT

SAMPLE: Final = {"capture": ABORT, "cancel-captured": REPEAT}
"""How the shop goes on in the sample."""


def _sessions(url: str) -> set[int]:
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        return {pid for (pid,) in rows}


def _end_sessions(url: str, sessions: set[int]) -> None:
    """End sessions, as a failed network or an administrator does; their locks end with them."""
    with psycopg.connect(url, autocommit=True) as connection:
        for pid in sessions:
            connection.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))


def _freeze_and_cut_off(world: PaymentWorld, name: str, at: int, way: str, seen: Counter[str]) -> None:
    """Freeze a worker, end its sessions, let another complete the payment, and let the frozen one go on."""
    step = STEPS[name]
    order = prepare(world, step)
    known = _sessions(world.url)
    with run_step(world, order, step, at, signal.SIGSTOP) as child:
        if "reached" not in child.next_message():
            seen["lived"] += 1
            return
        child.wait_frozen()
        _end_sessions(world.url, _sessions(world.url) - known)
        settle(world, order, step, way, with_person=False)
        child.resume()
        seen[f"the frozen one: {child.next_message()['outcome']}"] += 1
    seen["decided by a person"] += settle(world, order, step, way)
    check_books(world, order, step, way)


def _cut_off_living(world: PaymentWorld, name: str, at: int, way: str, seen: Counter[str]) -> None:
    """End the sessions of a worker that lives on and knows nothing of it."""
    step = STEPS[name]
    order = prepare(world, step)
    known = _sessions(world.url)
    with run_step(world, order, step, at, signal.SIGSTOP) as child:
        if "reached" not in child.next_message():
            seen["lived"] += 1
            return
        child.wait_frozen()
        _end_sessions(world.url, _sessions(world.url) - known)
        child.resume()
        seen[f"the living one: {child.next_message()['outcome']}"] += 1
    seen["decided by a person"] += settle(world, order, step, way)
    check_books(world, order, step, way)


@pytest.mark.parametrize("name", first(list(SAMPLE)))
def test_a_frozen_worker_that_lost_its_session_takes_nothing_twice(
    name: str, make_world: Callable[[str], PaymentWorld], postgres_url: str
) -> None:
    world, way = make_world(postgres_url), SAMPLE[name]
    findings = Findings()
    for at in spread(range(len(points_of(world, STEPS[name]))), 2):
        with findings.case(f"{name}, frozen at point {at} and cut off, then {way}"):
            _freeze_and_cut_off(world, name, at, way, findings.seen)
    findings.check(least=2)


def test_a_frozen_worker_keeps_its_payment_on_sqlite(
    make_world: Callable[[str], PaymentWorld], sqlite_url: str
) -> None:
    world, step = make_world(sqlite_url), STEPS["capture"]
    # A process that is frozen within a commit holds the database: then nobody can write, and nothing is lost.
    points = [at for at, label in enumerate(points_of(world, step)) if label != BEFORE_COMMIT]
    for at in spread(points, 2):
        order = prepare(world, step)
        with run_step(world, order, step, at, signal.SIGSTOP) as child:
            assert "reached" in child.next_message()
            child.wait_frozen()
            with closing(world.gateway()) as gateway:
                card = world.card(order)
                payment = gateway.find_payment(order.number, other=card)
                assert payment is not None
                with pytest.raises(OperationInProgress):
                    payment.cancel()
                gateway.recover(everything=True, other=card)
            child.resume()
            assert child.next_message()["outcome"] == "succeeded"
        settle(world, order, step, CAPTURE)
        check_books(world, order, step, CAPTURE)


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", STEPS)
def test_a_worker_frozen_at_any_point_takes_nothing_twice(
    name: str,
    way: str,
    make_world: Callable[[str], PaymentWorld],
    postgres_url: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    world = make_world(postgres_url)
    findings = Findings()
    for at, label in enumerate(points_of(world, STEPS[name])):
        with findings.case(f"{name}, frozen {label} (point {at}) and cut off, then {way}"):
            _freeze_and_cut_off(world, name, at, way, findings.seen)
    with capsys.disabled():
        print(f"\n{name}, frozen, then {way}: {findings}", end="")  # noqa: T201 - for readers
    findings.check()


@pytest.mark.slow
@pytest.mark.parametrize("name", STEPS)
def test_a_living_worker_whose_sessions_end_takes_nothing_twice(
    name: str, make_world: Callable[[str], PaymentWorld], postgres_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    world = make_world(postgres_url)
    findings = Findings()
    for at, label in enumerate(points_of(world, STEPS[name])):
        way = WAYS[at % len(WAYS)]
        with findings.case(f"{name}, cut off {label} (point {at}), then {way}"):
            _cut_off_living(world, name, at, way, findings.seen)
    with capsys.disabled():
        print(f"\n{name}, cut off: {findings}", end="")  # noqa: T201 - for readers
    findings.check()
