"""Payments and sales that are over are removed with their operations, and say so."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from tests.support.shop import Shop
from voucher_gateway import Money, NewVoucher, ReferencePruned
from voucher_gateway.instants import now
from voucher_gateway.upkeep.prune import PruneSummary, plan_prune, prune


def eur(amount: str) -> Money:
    return Money(amount, "EUR")


@pytest.fixture
def shop(make_shop: Callable[..., Shop], either_url: str) -> Shop:
    return make_shop(either_url)


def prune_all(shop: Shop) -> PruneSummary:
    return prune(shop.journal, now() + timedelta(days=2))


def pay(shop: Shop, order: str) -> None:
    _, code = shop.voucher()
    payment = shop.gateway.payment(order, total=eur("30"))
    payment.add(code, account="shop")
    payment.authorize()
    payment.capture()


def test_a_payment_that_is_over_goes_with_its_operations(shop: Shop) -> None:
    pay(shop, "1001")
    assert plan_prune(shop.journal, now() + timedelta(days=2)).payments == 1
    summary = prune_all(shop)
    assert (summary.payments, summary.operations, summary.kept) == (1, 2, 0)
    assert list(shop.gateway.payments()) == []


def test_the_order_of_a_pruned_payment_is_never_paid_again(shop: Shop) -> None:
    pay(shop, "1001")
    prune_all(shop)
    for renew in (False, True):
        with pytest.raises(ReferencePruned, match=r"order '1001' had a payment, .* ended as captured"):
            shop.gateway.payment("1001", total=eur("30"), renew=renew)
    with pytest.raises(ReferencePruned):
        shop.gateway.find_payment("1001")
    assert shop.gateway.find_payment("1002") is None


def test_the_operations_of_an_order_stay_as_long_as_its_payment(shop: Shop) -> None:
    _, code = shop.voucher()
    payment = shop.gateway.payment("1001", total=eur("30"))
    payment.add(code, account="shop")
    shop.redeem(code, reference="beside", order="1001")
    summary = prune_all(shop)
    assert (summary.payments, summary.operations, summary.kept) == (0, 0, 1)


def test_a_delivered_sale_goes_and_its_name_is_never_sold_again(shop: Shop) -> None:
    sale = shop.gateway.sale("1002-1", "shop", NewVoucher(initial=eur("20")))
    sale.fulfil()
    assert prune_all(shop).sales == 0, "its code was not delivered yet"
    sale.delivered()
    summary = prune_all(shop)
    assert (summary.sales, summary.operations, summary.kept) == (1, 2, 0)
    sent = shop.changes()
    with pytest.raises(ReferencePruned, match=r"a sale '1002-1', .* ended as delivered"):
        shop.gateway.sale("1002-1", "shop", NewVoucher(initial=eur("20")))
    with pytest.raises(ReferencePruned):
        shop.gateway.find_sale("1002-1")
    assert shop.changes() == sent
