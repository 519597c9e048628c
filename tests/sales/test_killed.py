"""A process dies while it sells a voucher, and others complete what was decided. `make test-crash` tries everything."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.sales.crashes import crash_points, kill_at
from tests.sales.shops import SellingShop

_EVERY = 6


@pytest.mark.parametrize("step", ["fulfil", "revoke"])
@pytest.mark.parametrize("vendor", ["jtl", "ticketing"])
def test_a_process_killed_at_some_points_sells_once(
    vendor: str, step: str, open_shop: Callable[..., SellingShop]
) -> None:
    shop = open_shop(vendor)
    points = list(enumerate(crash_points(step, shop)))[1::_EVERY]
    assert len(points) > 1
    for at, label in points:
        kill_at(step, shop, at, label)
