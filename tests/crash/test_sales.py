"""A process dies at every point of selling a voucher, and every fault meets every request of it."""

from __future__ import annotations

from contextlib import closing
from typing import Final

import pytest

from tests.sales.crashes import STEPS, can_take, crash_points, kill_and_revoke, kill_at, request_count, try_fault
from tests.sales.shops import VENDORS, SellingShop
from voucher_gateway.http import retry
from voucher_gateway.simulator import FAULTS

CASES: Final = [(vendor, step) for vendor in sorted(VENDORS) for step in STEPS if can_take(step, vendor)]

_WITHOUT_MEANING: Final = frozenset({"insert-while-paging", "rewrite-reference"})
"""Faults that make vouchers of other sellers, or change what no sale reads."""


def _faults_of(shop: SellingShop) -> list[str]:
    if shop.name == "local":
        return sorted(shop.vendor.faults)
    meaningless = shop.vendor.simulator.faults_without_meaning  # type: ignore[attr-defined]
    return sorted(set(FAULTS) - meaningless - _WITHOUT_MEANING)


@pytest.mark.slow
@pytest.mark.parametrize(("vendor", "step"), CASES)
def test_a_process_killed_at_any_point_sells_once(
    vendor: str, step: str, either_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(SellingShop.start(vendor, either_url)) as shop:
        points = crash_points(step, shop)
        for at, label in enumerate(points):
            kill_at(step, shop, at, label)
    with capsys.disabled():
        database = either_url.partition(":")[0]
        print(f"\n{vendor} {step} on {database}: killed at {len(points)} points", end="")  # noqa: T201 - for readers


@pytest.mark.slow
@pytest.mark.parametrize(("vendor", "step"), [case for case in CASES if case[1] in ("fulfil", "restore")])
def test_a_sale_is_revoked_after_a_process_was_killed_at_any_point(vendor: str, step: str, either_url: str) -> None:
    with closing(SellingShop.start(vendor, either_url)) as shop:
        for at, label in enumerate(crash_points(step, shop)):
            kill_and_revoke(step, shop, at, label)


@pytest.mark.slow
@pytest.mark.parametrize(("vendor", "step"), CASES)
def test_every_fault_at_every_request_of_a_sale_is_named_or_does_no_harm(
    vendor: str, step: str, sqlite_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(retry, "FIRST_WAIT_S", 0.001)
    with closing(SellingShop.start(vendor, sqlite_url)) as shop:
        cases = [(fault, at) for at in range(request_count(step, shop)) for fault in _faults_of(shop)]
        for fault, at in cases:
            try_fault(step, shop, fault, at)
    with capsys.disabled():
        print(f"\n{vendor} {step}: {len(cases)} faults", end="")  # noqa: T201 - for readers
