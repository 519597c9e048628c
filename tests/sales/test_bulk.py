"""Batches of vouchers: the same codes and no more vouchers, however often a batch is broken off."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import pytest

from tests.sales.shops import ISSUES_INACTIVE, NEW, SellingShop
from voucher_gateway import InvalidRequest, ReferenceConflict, SaleState, UnsupportedOperation
from voucher_gateway.testing.harness.child_process import outcome_name, run_with_signal
from voucher_gateway.testing.harness.vendor import ACCOUNT

BATCH, COUNT = "spring-2030", 5


def _sell(gateway: Any, **options: Any) -> list[str]:
    arguments = {"new": NEW, "count": COUNT, "fulfil": True, **options}
    return [sale.code.reveal() for sale in gateway.sell_many(BATCH, ACCOUNT, **arguments)]


def test_a_batch_makes_as_many_vouchers_as_it_was_asked_for(shop: SellingShop) -> None:
    codes = _sell(shop.gateway)
    assert len(set(codes)) == COUNT
    assert sorted(codes) == sorted(entry["code"] for entry in shop.sold())
    assert shop.spendable() == COUNT * NEW.initial.amount
    assert _sell(shop.gateway) == codes
    assert len(shop.sold()) == COUNT


def test_a_batch_for_a_printer_cannot_be_spent_before_it_is_fulfilled(shop: SellingShop) -> None:
    if shop.name not in ISSUES_INACTIVE:
        with pytest.raises(UnsupportedOperation, match="no inactive vouchers"):
            _sell(shop.gateway, fulfil=False)
        assert not list(shop.gateway.sales())
        return
    codes = _sell(shop.gateway, fulfil=False)
    assert shop.spendable() == 0
    assert len(shop.sold()) == COUNT
    records = shop.gateway.sales(batch=BATCH, states=[SaleState.PREPARED])
    assert sorted(record.name for record in records) == [f"{BATCH}/{number:06d}" for number in range(1, COUNT + 1)]
    assert _sell(shop.gateway) == codes
    assert shop.spendable() == COUNT * NEW.initial.amount


@pytest.mark.parametrize("at", [30, 60])
def test_a_batch_that_is_killed_goes_on_with_the_same_codes(at: int, open_shop: Callable[..., SellingShop]) -> None:
    shop = open_shop("jtl")
    with run_with_signal(shop.vendor, shop.url, lambda client: _sell(client._gateway, workers=2), at) as child:
        assert "reached" in child.next_message()
        child.wait_killed()
    made = {entry["code"] for entry in shop.sold()}
    codes = _sell(shop.gateway, wait=10.0)
    assert made < set(codes)
    assert sorted(codes) == sorted(entry["code"] for entry in shop.sold())


def test_a_batch_that_meets_a_fault_says_so_and_goes_on_later(open_shop: Callable[..., SellingShop]) -> None:
    shop = open_shop("jtl")
    shop.vendor.inject_fault("commit-then-drop", 5)
    assert outcome_name(_sell, shop.gateway, workers=1) != "succeeded"
    assert len(set(_sell(shop.gateway))) == len(shop.sold()) == COUNT


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"count": COUNT + 1}, ReferenceConflict),
        ({"new": attrs.evolve(NEW, sku="other")}, ReferenceConflict),
        ({"order": "other"}, ReferenceConflict),
        ({"new": attrs.evolve(NEW, code="SAME-FOR-ALL")}, InvalidRequest),
        ({"new": attrs.evolve(NEW, pin="1234")}, InvalidRequest),
        ({"count": 0}, InvalidRequest),
        ({"workers": 0}, InvalidRequest),
    ],
)
def test_another_batch_under_the_same_name_is_refused_before_anything_is_sent(
    options: dict[str, Any], error: type[Exception], open_shop: Callable[..., SellingShop]
) -> None:
    shop = open_shop("jtl")
    _sell(shop.gateway, fulfil=False)
    before = len(shop.vendor.request_lines)
    with pytest.raises(error):
        _sell(shop.gateway, **options)
    assert len(shop.vendor.request_lines) == before


def test_a_voucher_of_a_batch_that_was_revoked_stays_revoked(open_shop: Callable[..., SellingShop]) -> None:
    shop = open_shop("local")
    _sell(shop.gateway)
    sale = shop.gateway.find_sale(f"{BATCH}/000002")
    assert sale is not None
    sale.revoke("misprint")
    assert len(_sell(shop.gateway)) == COUNT
    assert shop.spendable() == (COUNT - 1) * NEW.initial.amount
