"""A vendor that hangs costs the threads of a shop one time-out, and then none."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.shop import Shop
from voucher_gateway import Gateway, Money, ProviderUnavailable

THREADS = 60
TOTAL_S = 1.0
TEN = Money("10.00", "EUR")


def seconds_of(call: Callable[[int], object], number: int) -> float:
    """Make a call that must be refused, and return how long it took."""
    began = time.monotonic()
    with pytest.raises(ProviderUnavailable):
        call(number)
    return time.monotonic() - began


def wave(call: Callable[[int], object]) -> list[float]:
    """Make the calls of all threads at the same time, and return how long each took, the longest last."""
    with ThreadPoolExecutor(THREADS) as pool:
        return sorted(pool.map(lambda number: seconds_of(call, number), range(THREADS)))


@pytest.mark.parametrize(("verb", "has_token"), [("balance", True), ("redeem", True), ("balance", False)])
def test_the_first_wave_ends_in_time_and_the_second_one_in_milliseconds(shop: Shop, verb: str, has_token: bool) -> None:
    gateway: Gateway = shop.another_gateway(read_timeout_s=TOTAL_S, total_timeout_s=TOTAL_S, breaker_pause_s=60.0)
    codes = [shop.voucher()[1] for _ in range(THREADS)]
    if has_token:
        gateway.balance("shop", codes[0])
    shop.running.inject("hang", "* *", times=0)

    def call(number: int) -> object:
        if verb == "balance":
            return gateway.balance("shop", codes[number])
        return gateway.redeem("shop", codes[number], TEN, reference=f"{number}-a")

    first = wave(call)
    assert first[-1] < TOTAL_S + 2.0  # the threads share the processor with the simulator
    sent = len(shop.running.requests)
    second = wave(call)
    # Milliseconds where the 60 threads have a core to themselves. None of them waited for the vendor: nothing was sent.
    assert second[-1] < TOTAL_S
    assert len(shop.running.requests) == sent
    assert not shop.charges()
