"""How long a plan takes."""

from __future__ import annotations

from datetime import timedelta

import attrs
import pytest

from voucher_gateway.emulation.registry import with_emulations
from voucher_gateway.migration import Retire, Step
from voucher_gateway.migration.plan.estimate import AccountLoad, Estimate, own_time, requests_of
from voucher_gateway.migration.plan.route import choose_route
from voucher_gateway.migration.plan.text import length_of
from voucher_gateway.provider_api import Capabilities
from voucher_gateway_jtl import JtlProvider
from voucher_gateway_ticketing import TicketingProvider

JTL = with_emulations(JtlProvider.declared, ())
TICKETING = with_emulations(TicketingProvider.declared, {"redeem-by-update"})


def estimate(vouchers: int = 1000, workers: int = 10, rate: float | None = None) -> Estimate:
    return Estimate(
        vouchers=vouchers,
        workers=workers,
        source=AccountLoad(account="a", requests=3, latency=timedelta(milliseconds=20), rate=rate),
        target=AccountLoad(account="b", requests=2, latency=timedelta(milliseconds=50)),
    )


def test_latency_alone_is_the_least_that_it_takes() -> None:
    assert estimate().least == 100 * timedelta(milliseconds=160)
    assert estimate(vouchers=1001).least == 101 * timedelta(milliseconds=160)


def test_a_limit_of_requests_a_second_can_be_slower_than_latency() -> None:
    assert estimate(rate=5.0).least == timedelta(seconds=600)


def test_an_allowance_comes_on_top_and_decides_whether_it_fits() -> None:
    assert estimate().likely == estimate().least * 1.2
    assert estimate().fits(timedelta(seconds=20))
    assert not estimate().fits(timedelta(seconds=19))


def test_our_own_work_is_done_for_one_voucher_after_the_other() -> None:
    slow = attrs.evolve(estimate(), own=timedelta(milliseconds=30))
    assert slow.least == timedelta(seconds=30)
    assert attrs.evolve(slow, workers=1000).likely == timedelta(seconds=36)
    # with few workers each of them waits for the vendors and for our own work in turn
    few = attrs.evolve(slow, workers=2)
    assert few.likely == 500 * timedelta(milliseconds=190) * 1.2


def test_our_own_work_is_the_processor_and_the_commits_of_changes() -> None:
    load = AccountLoad(account="a", requests=3, latency=timedelta(), processor=timedelta(milliseconds=1))
    steps = (Step.FREEZE, Step.REREAD, Step.CREATE, Step.CONFIRM)
    assert own_time(steps, load, load, timedelta(milliseconds=2)) == timedelta(milliseconds=10.8 + 8)


def test_nothing_to_carry_takes_no_time() -> None:
    assert estimate(vouchers=0).likely == timedelta()


@pytest.mark.parametrize(
    ("source", "target", "retire", "expected"),
    [
        (JTL, TICKETING, None, (4, 2)),
        (TICKETING, JTL, None, (8, 4)),
        (TICKETING, JTL, Retire.EMPTY, (8, 4)),
        (JTL, TICKETING, Retire.EMPTY, (4, 2)),
        (JTL, TICKETING, Retire.DELETE, (5, 2)),
    ],
    ids=["freeze", "expire, which reads first", "emptied by overwriting", "reserve and capture", "freeze, delete"],
)
def test_emulations_and_secrets_cost_their_requests(
    source: Capabilities, target: Capabilities, retire: Retire | None, expected: tuple[int, int]
) -> None:
    way = choose_route(source, target, retire=retire)
    assert requests_of(way.steps, way.retire, source, target) == expected


def test_steps_without_requests_cost_nothing() -> None:
    assert requests_of((), Retire.LEAVE, JTL, TICKETING) == (0, 0)
    assert requests_of((Step.CREATE,), Retire.LEAVE, JTL, TICKETING) == (0, 1)


@pytest.mark.parametrize(
    ("length", "text"),
    [
        (timedelta(), "0 s"),
        (timedelta(microseconds=1), "1 s"),
        (timedelta(seconds=59.2), "1 min"),
        (timedelta(hours=3, minutes=20, seconds=4), "3 h 20 min"),
        (timedelta(days=1, seconds=1), "1 d 1 s"),
    ],
)
def test_lengths_of_time_are_told_in_two_units(length: timedelta, text: str) -> None:
    assert length_of(length) == text
