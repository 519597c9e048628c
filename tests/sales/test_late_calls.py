"""Calls that were lost on their way and arrive late: a revoked voucher stays revoked, or is named."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.sales.shops import NEW, SellingShop
from voucher_gateway import OutcomeUnknown, SaleState
from voucher_gateway.sales import sale as sale_module
from voucher_gateway.testing.harness.vendor import ACCOUNT


def _lose_the_activation(shop: SellingShop) -> Any:
    sale = shop.sale().prepare()
    vendor: Any = shop.vendor
    vendor.inject("deliver-late", "PATCH *", after_requests=3)
    with pytest.raises(OutcomeUnknown):
        sale.fulfil()
    assert sale.state is SaleState.FULFILLING
    return sale


def test_an_activation_that_arrives_after_the_revocation_is_undone_by_recover(
    open_shop: Callable[..., SellingShop],
) -> None:
    shop = open_shop("jtl")
    sale = _lose_the_activation(shop)
    sale.revoke("chargeback")
    assert shop.spendable() == 0
    assert "may still make the voucher spendable" in (sale.attention or "")
    for number in range(3):  # other changes, after which the lost one arrives
        shop.gateway.issue(ACCOUNT, NEW, reference=f"other-{number}")
    assert _status(shop, sale) == "active"
    shop.gateway.recover()
    assert _status(shop, sale) == "inactive"
    assert sale.refresh().state is SaleState.REVOKED


def test_a_revoked_voucher_is_watched_for_an_hour(
    open_shop: Callable[..., SellingShop], monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = open_shop("jtl")
    sale = _lose_the_activation(shop)
    sale.revoke("chargeback")
    shop.gateway.recover()
    assert sale.refresh().attention is not None
    later = datetime.now(UTC) + timedelta(minutes=61)
    monkeypatch.setattr(sale_module, "now", lambda: later)
    shop.gateway.recover()
    assert sale.refresh().attention is None
    before = len(shop.vendor.request_lines)
    shop.gateway.recover()
    assert len(shop.vendor.request_lines) == before


def _status(shop: SellingShop, sale: Any) -> str:
    (entry,) = [entry for entry in shop.sold() if entry["id"] == sale.voucher_id]
    return str(entry["status"])
