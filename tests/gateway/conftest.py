"""Gateways over simulated vendors, made from configurations as a shop would write them; no journal."""

from __future__ import annotations

import os
import signal
import threading
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
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
    """Makes gateways from the tables of their accounts, and closes them at the end."""
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


@pytest.fixture
def side_by_side() -> Callable[[int, Callable[[int], object]], list[object]]:
    """Makes one call with each number, all at the same moment on threads of their own; errors are results here."""

    def run(threads: int, call: Callable[[int], object]) -> list[object]:
        together = threading.Barrier(threads)

        def one(number: int) -> object:
            together.wait(10)
            try:
                return call(number)
            except Exception as error:  # noqa: BLE001 - whatever it is, the test looks at it
                return error

        with ThreadPoolExecutor(threads) as pool:
            return list(pool.map(one, range(threads)))

    return run


@pytest.fixture
def in_a_child() -> Callable[[Callable[[], object]], str]:
    """Makes a call in a forked child, and tells what came of it there; a child that hangs is killed."""

    def run(call: Callable[[], object]) -> str:
        reading, writing = os.pipe()
        with warnings.catch_warnings():
            # Python 3.12 warns of a fork beside other threads, which is just what is tried here.
            warnings.simplefilter("ignore", DeprecationWarning)
            child = os.fork()
        if child == 0:
            try:
                said = repr(call())
            except BaseException as error:  # noqa: BLE001 - nothing may get out of the child, which would go on testing
                said = repr(error)
            os.write(writing, said.encode())
            os._exit(0)
        os.close(writing)
        killer = threading.Timer(20, os.kill, (child, signal.SIGKILL))
        killer.start()
        with open(reading, "rb") as pipe:
            said = pipe.read().decode()
        killer.cancel()
        os.waitpid(child, 0)
        return said or "the child hung"

    return run
