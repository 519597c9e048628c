"""Other workers go on while a journal is pruned, and each reference still moves money once."""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from tests.support.shop import Shop
from voucher_gateway import Gateway, Money, OperationInProgress, ReferencePruned
from voucher_gateway.errors import AlreadyRefunded, Declined
from voucher_gateway.instants import now
from voucher_gateway.upkeep.prune import prune

REFERENCES = [f"order-{number}" for number in range(12)]


def eur(amount: str) -> Money:
    return Money(amount, "EUR")


def run_beside_prunes(shop: Shop, work: Callable[[Gateway, random.Random], None]) -> int:
    """Run something in four threads on two gateways while the journal is pruned, and return how much was removed."""
    gateways = [shop.gateway, shop.another_gateway()]
    with ThreadPoolExecutor(4) as pool:
        tasks = [pool.submit(work, gateways[number % 2], random.Random(number)) for number in range(4)]
        removed = 0
        while not all(task.done() for task in tasks):
            removed += prune(shop.journal, now() + timedelta(days=2)).operations
        for task in tasks:
            task.result()
    return removed


def test_a_reference_that_is_removed_while_others_call_it_is_sent_once(
    make_shop: Callable[..., Shop], either_url: str
) -> None:
    shop = make_shop(either_url)
    vouchers = {reference: shop.voucher("10.00") for reference in REFERENCES}
    refused = []

    def call_all(gateway: Gateway, order: random.Random) -> None:
        for reference in order.sample(REFERENCES, len(REFERENCES)) * 2:
            try:
                gateway.redeem("shop", vouchers[reference][1], eur("1"), reference=reference, wait=20)
            except ReferencePruned:
                refused.append(reference)

    removed = run_beside_prunes(shop, call_all)
    assert {shop.remaining(voucher_id) for voucher_id, _ in vouchers.values()} == {"9.00"}
    assert shop.charges() == len(REFERENCES)
    assert removed > 0
    assert refused


def test_refunds_stay_limited_while_redemptions_and_refunds_are_removed(
    make_shop: Callable[..., Shop], either_url: str
) -> None:
    shop = make_shop(either_url)
    voucher_id, code = shop.voucher("100.00")
    redemption = shop.redeem(code, "10.00", reference="taken")
    outcomes = []

    def give_back(gateway: Gateway, order: random.Random) -> None:
        for number in range(4):
            try:
                gateway.refund("shop", redemption, eur("3"), reference=f"back-{number}-{order.random()}", wait=20)
            except (AlreadyRefunded, OperationInProgress) as error:
                outcomes.append(type(error).__name__)

    run_beside_prunes(shop, give_back)
    assert shop.remaining(voucher_id) == "99.00", "three of 3 EUR were given back"
    assert shop.gateway.refundable(redemption) == eur("1")
    with pytest.raises(Declined):
        shop.gateway.refund("shop", redemption, eur("3"), reference="one-more")
    assert "AlreadyRefunded" in outcomes
