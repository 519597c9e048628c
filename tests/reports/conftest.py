"""A vendor in memory with a gateway, and snapshots in each kind of database."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.reports.memory_vendor import MemoryVendor
from voucher_gateway import Gateway
from voucher_gateway.reports import Snapshots


@pytest.fixture
def vendor() -> MemoryVendor:
    return MemoryVendor()


@pytest.fixture
def gateway(vendor: MemoryVendor) -> Gateway:
    """A gateway with the account ``shop`` at the vendor in memory, and no journal."""
    return Gateway({"shop": vendor})


@pytest.fixture
def snapshots(sqlite_url: str) -> Iterator[Snapshots]:
    with Snapshots(sqlite_url) as kept:
        yield kept


@pytest.fixture
def either_snapshots(either_url: str) -> Iterator[Snapshots]:
    with Snapshots(either_url) as kept:
        yield kept
