"""The legs of a payment prepare their requests in turns, and none can hold up another."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest
import sqlalchemy as sa

from voucher_gateway.journal.fence import check_fences
from voucher_gateway.payments.rows.turns import Turns


def record_request(connection: sa.Connection) -> None:
    """Do what the journal does when it records a request."""
    check_fences(connection)


@pytest.fixture
def connection() -> sa.Connection:
    return sa.create_engine("sqlite://").connect()


def run_beside(work: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_the_second_leg_begins_when_the_request_of_the_first_is_recorded(
    connection: sa.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voucher_gateway.payments.rows.turns._MAX_WAIT_S", 30)  # however slow this machine is
    turns, order, waits = Turns(), list[str](), threading.Event()

    def second() -> None:
        with turns.take():
            order.append("the second begins")
        waits.set()

    with turns.take():
        thread = run_beside(second)
        assert not waits.wait(0.005)
        order.append("the first records")
        record_request(connection)
        assert waits.wait(5)  # while the first one waits for the vendor
        order.append("the first ends")
    thread.join()
    assert order == ["the first records", "the second begins", "the first ends"]


def test_a_leg_that_never_sends_holds_another_up_for_a_moment_only() -> None:
    turns, waits, start = Turns(), threading.Event(), time.monotonic()

    def second() -> None:
        with turns.take():
            waits.set()

    with turns.take():
        thread = run_beside(second)
        assert waits.wait(5)
    thread.join()
    assert time.monotonic() - start < 5


@pytest.mark.parametrize("records", [True, False])
def test_a_turn_ends_with_its_block_whatever_happens_in_it(connection: sa.Connection, records: bool) -> None:
    turns = Turns()

    def fail() -> None:
        with turns.take():
            if records:
                record_request(connection)
                record_request(connection)  # a second try of the same leg
            raise ZeroDivisionError

    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            fail()
    with turns.take():
        assert not turns._lock.acquire(blocking=False)  # this turn got it: the others had given it back


def test_outside_of_a_turn_nothing_is_left_of_it(connection: sa.Connection) -> None:
    with Turns().take():
        pass
    record_request(connection)
