"""Migrations between two simulated vendors over real HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.migration.run.vendor_pair import VendorPair
from tests.support.examples import choose_size
from tests.support.long import first
from voucher_gateway.migration.run import changed_vouchers, context, vendor_check
from voucher_gateway.simulator import RunningSimulator


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a call be repeated after milliseconds, as often as in real runs. Processes of their own keep real pauses."""
    for module in (context, changed_vouchers, vendor_check):
        pauses = [pause / 50 for pause in vars(module)["_PAUSES_S"]]
        monkeypatch.setattr(module, "_PAUSES_S", tuple(pauses))


@pytest.fixture
def make_pair(
    start_vendor: Callable[..., RunningSimulator], sqlite_url: str, tmp_path: Path
) -> Iterator[Callable[..., VendorPair]]:
    """Make migrations between two simulators of their own."""
    with ExitStack() as stack:

        def make(
            source: str = "jtl",
            target: str = "ticketing",
            vouchers: int | None = None,
            url: str = sqlite_url,
            **options: Any,
        ) -> VendorPair:
            count = choose_size(quick=30, thorough=60) if vouchers is None else vouchers
            first = start_vendor(source, vouchers=count, seed=11, **options)
            second = start_vendor(target, vouchers=20, seed=12, **options)
            return VendorPair(first, second, url, tmp_path, stack)

        yield make


@pytest.fixture
def pair(make_pair: Callable[..., VendorPair]) -> VendorPair:
    """From JTL to the ticketing vendor."""
    return make_pair()


@pytest.fixture
def reverse_pair(make_pair: Callable[..., VendorPair]) -> VendorPair:
    """From the ticketing vendor to JTL."""
    return make_pair("ticketing", "jtl")


@pytest.fixture(params=first(["there", "back"]))
def either_pair(request: pytest.FixtureRequest) -> VendorPair:
    """Both directions, in turn."""
    pair: VendorPair = request.getfixturevalue("pair" if request.param == "there" else "reverse_pair")
    return pair
