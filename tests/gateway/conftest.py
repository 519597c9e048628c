"""Gateways over simulated vendors, made from configurations as a shop would write them; no journal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from voucher_gateway import Gateway, Money, NewVoucher, Voucher
from voucher_gateway.simulator import RunningSimulator


@pytest.fixture
def jtl(start_vendor: Callable[..., RunningSimulator]) -> RunningSimulator:
    """JTL, without vouchers."""
    return start_vendor("jtl")


@pytest.fixture
def ticketing(start_vendor: Callable[..., RunningSimulator]) -> RunningSimulator:
    """The ticketing vendor, without vouchers."""
    return start_vendor("ticketing")


@pytest.fixture
def open_gateway() -> Iterator[Callable[..., Gateway]]:
    """Make gateways from the tables of their accounts, and close them at the end."""
    with ExitStack() as stack:
        yield lambda **accounts: stack.enter_context(Gateway.from_config({"accounts": accounts}))


@pytest.fixture
def gateway(
    jtl: RunningSimulator, account_at: Callable[..., dict[str, Any]], open_gateway: Callable[..., Gateway]
) -> Gateway:
    """A gateway with one account at JTL, `shop`."""
    return open_gateway(shop=account_at(jtl))


@pytest.fixture
def voucher(gateway: Gateway) -> Voucher:
    """A voucher of 50 EUR that can be spent, with its code."""
    return gateway.issue("shop", NewVoucher(initial=Money("50.00", "EUR"), active=True), reference="the-voucher")


@pytest.fixture
def true_value(jtl: RunningSimulator) -> Callable[[str], tuple[str, str]]:
    """Tells what JTL itself has of a voucher: what remains and what of that is reserved."""

    def tell(id: str) -> tuple[str, str]:
        (entry,) = [entry for entry in jtl.ledger() if entry["id"] == id]
        return str(entry["remaining"]), str(entry["reserved"])

    return tell
