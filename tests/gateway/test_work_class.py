"""Work without a customer waits longer for a vendor than a checkout does."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.support.shop import Shop
from voucher_gateway import Gateway, Money, NewVoucher, ProviderUnavailable, VoucherGatewayError
from voucher_gateway.gateway.diagnosis import diagnose_accounts
from voucher_gateway.iteration import ordered_map
from voucher_gateway.limits.work_class import WorkClass, current_work_class, use_work_class
from voucher_gateway.migration.transfer import export_vouchers
from voucher_gateway.provider_api import Listing, Page
from voucher_gateway.reconciliation.reconcile import reconcile
from voucher_gateway.reports import read_liability

HASTY: dict[str, Any] = {"read_timeout_s": 0.2, "total_timeout_s": 0.2, "batch_timeout_s": 20.0}
SLOW_S = 0.4
"""How long the vendor takes for each answer: too long for a checkout, and short for a report."""


@pytest.fixture
def gateway(shop: Shop) -> Gateway:
    gateway = shop.another_gateway(**HASTY)
    _, code = shop.voucher()
    gateway.redeem("shop", code, Money(10, "EUR"), reference="1001-a")
    shop.running.inject("slow", "* *", times=0, delay_s=SLOW_S)
    with pytest.raises(ProviderUnavailable):
        gateway.balance("shop", code)
    return gateway


def test_a_list_a_report_and_a_diagnosis_wait_for_a_slow_vendor(gateway: Gateway) -> None:
    assert list(gateway.vouchers("shop"))
    assert read_liability(gateway, ["shop"]).total("EUR").vouchers
    assert diagnose_accounts(gateway)[0].error is None


def test_a_reconciliation_waits_for_a_slow_vendor(gateway: Gateway) -> None:
    assert not reconcile(gateway, "shop").unchecked


def test_a_recovery_waits_for_a_slow_vendor(shop: Shop, gateway: Gateway) -> None:
    shop.running.clear_faults()
    _, code = shop.voucher()
    shop.running.inject("commit-then-drop", "POST */charge")
    shop.running.inject("hang", "GET *", times=0)
    with suppress(VoucherGatewayError):
        gateway.redeem("shop", code, Money(10, "EUR"), reference="1002-a")
    shop.running.clear_faults()
    shop.running.inject("slow", "* *", times=0, delay_s=SLOW_S)
    assert [resolution.state for resolution in gateway.recover(everything=True)] == ["succeeded"]


def test_an_export_waits_for_a_slow_vendor(gateway: Gateway, tmp_path: Path) -> None:
    export_vouchers(gateway, "shop", tmp_path / "vouchers.jsonl", reveal=True)
    assert (tmp_path / "vouchers.jsonl").stat().st_size


def test_a_batch_of_sales_waits_for_a_slow_vendor(gateway: Gateway) -> None:
    new = NewVoucher(initial=Money(50, "EUR"))
    assert len(list(gateway.sell_many("spring", "shop", new, 2, workers=2))) == 2


def test_work_inside_of_less_urgent_work_stays_less_urgent() -> None:
    with use_work_class(WorkClass.MIGRATE), use_work_class(WorkClass.RECOVER):
        assert current_work_class() is WorkClass.MIGRATE
    assert current_work_class() is WorkClass.CHECKOUT


def test_threads_that_map_items_work_for_the_class_of_their_caller() -> None:
    with use_work_class(WorkClass.RECONCILE):
        classes = list(ordered_map(lambda _: current_work_class(), range(4), 2))
    assert classes == [WorkClass.RECONCILE] * 4


@pytest.mark.parametrize("workers", [1, 3])
def test_the_pages_of_a_listing_are_read_for_the_work_that_asked_for_it(workers: int) -> None:
    classes: list[WorkClass] = []

    def fetch(index: int) -> Page[int]:
        classes.append(current_work_class())
        return Page(items=[2 * index, 2 * index + 1], total=10, size=2)

    with use_work_class(WorkClass.RECONCILE):
        listing = Listing(fetch, key=str, workers=workers)
    assert len(list(listing)) == 10
    assert set(classes) == {WorkClass.RECONCILE}
