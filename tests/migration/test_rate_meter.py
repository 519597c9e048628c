"""How fast work goes on."""

from __future__ import annotations

from voucher_gateway.migration.rate_meter import RateMeter


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_no_rate_is_known_before_a_second_or_before_the_first_result() -> None:
    clock = Clock()
    meter = RateMeter(clock=clock)
    clock.now += 0.4
    meter.note(3)
    assert (meter.per_second, meter.seconds_for(10)) == (None, None)
    clock.now += 60
    late = RateMeter(clock=clock)
    clock.now += 60
    late.note(0)
    assert (late.per_second, late.seconds_for(10)) == (None, None)
    assert late.seconds_for(0) == 0


def test_a_rate_tells_how_long_the_rest_takes() -> None:
    clock = Clock()
    meter = RateMeter(clock=clock)
    for second in range(1, 11):
        clock.now += 1
        meter.note(5 * second)
    assert meter.per_second == 5
    assert meter.seconds_for(100) == 20


def test_only_the_last_half_minute_counts() -> None:
    clock = Clock()
    meter = RateMeter(clock=clock)
    for second in range(1, 121):
        clock.now += 1
        meter.note(second if second <= 60 else 60 + 10 * (second - 60))
    assert meter.per_second == 10


def test_work_that_stands_still_has_a_rate_that_falls() -> None:
    clock = Clock()
    meter = RateMeter(clock=clock)
    clock.now += 1
    meter.note(100)
    clock.now += 19
    meter.note(100)
    assert meter.per_second == 5


def test_what_was_done_before_the_measurement_does_not_count() -> None:
    clock = Clock()
    meter = RateMeter(100, clock)
    clock.now += 2
    meter.note(110)
    assert meter.per_second == 5
