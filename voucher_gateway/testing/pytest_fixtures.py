"""Fixtures for a shop's own tests: simulated vendors, and a gateway wired to them.

Nothing of the library is imported before a fixture is used, so that a project which only has it installed pays
nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

if TYPE_CHECKING:
    from voucher_gateway.gateway.gateway import Gateway
    from voucher_gateway.testing.simulated_vendor import SimulatedVendor


class MakeGateway(Protocol):
    """What the fixture `voucher_gateway` gives."""

    def __call__(self, *, journal: str | None = ..., **accounts: SimulatedVendor | dict[str, Any]) -> Gateway:
        """Return a gateway with these accounts; see the fixture."""


@pytest.fixture
def voucher_simulator() -> Iterator[Callable[..., SimulatedVendor]]:
    """Start simulated vendors.

    Give it the name of any installed simulator, and that simulator's options, as in
    ``vendor = voucher_simulator("jtl", vouchers=10)``. The vendor is a
    `voucher_gateway.testing.simulated_vendor.SimulatedVendor`. It stops with the test. The test fails if the simulator
    itself made a mistake.
    """
    from voucher_gateway.testing.simulated_vendor import start_vendor

    started: list[SimulatedVendor] = []

    def begin(name: str, /, **options: Any) -> SimulatedVendor:
        started.append(start_vendor(name, **options))
        return started[-1]

    try:
        yield begin
    finally:
        for vendor in reversed(started):
            vendor.close()


@pytest.fixture
def voucher_gateway(tmp_path: Path) -> Iterator[MakeGateway]:
    """Make gateways.

    Each keyword is an account, as in ``gateway = voucher_gateway(shop=vendor)``: a simulated vendor,
    ``vendor.account(accept_risks=[...])``, or any table of a configuration. All gateways of one test share a journal,
    a new SQLite file, unless ``journal`` gives the URL of another or None for none; a second gateway is what the shop
    is after a restart. They are closed after the test.
    """
    from voucher_gateway.gateway.gateway import Gateway

    opened: list[Gateway] = []
    usual = f"sqlite:///{tmp_path / 'voucher-gateway-journal.db'}"

    def make(*, journal: str | None = usual, **accounts: SimulatedVendor | dict[str, Any]) -> Gateway:
        tables = {name: count if isinstance(count, dict) else count.account() for name, count in accounts.items()}
        config = {"accounts": tables} if journal is None else {"accounts": tables, "journal": journal}
        opened.append(Gateway.from_config(config))
        return opened[-1]

    try:
        yield make
    finally:
        for gateway in reversed(opened):
            gateway.close()
