from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta, timezone

import pytest

from voucher_gateway.simulator import VirtualClock

NOON = datetime(2026, 11, 20, 12, 0, 0, tzinfo=UTC)
A_MOMENT = timedelta(seconds=5)


def test_it_starts_at_the_real_time_unless_told_otherwise() -> None:
    assert abs(VirtualClock().now() - datetime.now(UTC)) < A_MOMENT


def test_it_runs_from_the_instant_that_it_is_given_and_shows_utc() -> None:
    clock = VirtualClock(NOON.astimezone(timezone(timedelta(hours=9))))
    first, second = clock.now(), clock.now()
    assert NOON <= first < second < NOON + A_MOMENT
    assert first.tzinfo is UTC


def test_it_refuses_a_naive_start() -> None:
    with pytest.raises(ValueError, match="aware"):
        VirtualClock(NOON.replace(tzinfo=None))


def test_advancing_adds_up() -> None:
    clock = VirtualClock(NOON)
    clock.advance(1800)
    shown = clock.advance(0.5)
    assert timedelta(0) <= shown - NOON - timedelta(seconds=1800.5) < A_MOMENT


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf"), 1e12])
def test_it_never_goes_backwards_nor_over_the_edge(seconds: float) -> None:
    clock = VirtualClock(NOON)
    with pytest.raises(ValueError, match="forward"):
        clock.advance(seconds)
    assert clock.now() < NOON + A_MOMENT


def test_no_step_is_lost_between_threads() -> None:
    clock = VirtualClock(NOON)
    threads = [threading.Thread(target=lambda: [clock.advance(1) for _ in range(500)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert timedelta(0) <= clock.now() - NOON - timedelta(seconds=2000) < A_MOMENT


def test_it_moves_to_a_later_instant_but_not_to_an_earlier_one() -> None:
    clock = VirtualClock(NOON)
    clock.move_to(NOON + timedelta(days=1))
    clock.move_to(NOON)
    assert NOON + timedelta(days=1) <= clock.now() < NOON + timedelta(days=1) + A_MOMENT


def test_the_date_header_is_in_gmt_and_can_be_wrong_on_purpose() -> None:
    clock = VirtualClock(NOON)
    assert clock.http_date() == "Fri, 20 Nov 2026 12:00:00 GMT"
    assert clock.http_date(-3600) == "Fri, 20 Nov 2026 11:00:00 GMT"
