"""Shops that sell vouchers of each vendor that can issue, with a journal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.sales.shops import VENDORS, SellingShop
from tests.support.audit import require_clean
from voucher_gateway.testing.harness.child_process import KEYS


@pytest.fixture
def open_shop(sqlite_url: str) -> Iterator[Callable[..., SellingShop]]:
    """Start vendors by name, each with a shop on the journal, and close them at the end."""
    with ExitStack() as stack:

        def open_one(vendor: str, **options: Any) -> SellingShop:
            shop = SellingShop.start(vendor, options.pop("url", sqlite_url), **options)
            stack.callback(shop.close)
            stack.callback(require_clean, shop.url, KEYS)
            return shop

        yield open_one


@pytest.fixture(params=sorted(VENDORS))
def shop(request: pytest.FixtureRequest, open_shop: Callable[..., SellingShop]) -> SellingShop:
    """A shop of each vendor in turn, which accepts every risk."""
    return open_shop(request.param)
