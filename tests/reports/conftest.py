"""A vendor in memory with a gateway, and snapshots in each kind of database."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.reports.shelf import Shelf
from voucher_gateway import Gateway
from voucher_gateway.reports import Snapshots


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def gateway(shelf: Shelf) -> Gateway:
    """A gateway with the account ``shop`` on the shelf, and no journal."""
    return Gateway({"shop": shelf})


@pytest.fixture
def snapshots(sqlite_url: str) -> Iterator[Snapshots]:
    with Snapshots(sqlite_url) as kept:
        yield kept


@pytest.fixture
def either_snapshots(either_url: str) -> Iterator[Snapshots]:
    with Snapshots(either_url) as kept:
        yield kept
