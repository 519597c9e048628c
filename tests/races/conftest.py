"""A voucher at each vendor that many workers spend at the same time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import attrs
import pytest

from tests.races.workers import RedeemTask
from tests.support.ledger import Ledger
from tests.support.simulators import SimulatorAccount, changing_requests, make_gateway
from voucher_gateway import Gateway
from voucher_gateway.provider_api import Money, NewVoucher
from voucher_gateway.simulator import RunningSimulator


@attrs.frozen
class SharedVoucher:
    """An account at a simulated vendor, with one voucher of 50 EUR.

    Attributes:
        running: the vendor.
        account: the account.
        journal: the URL of the journal.
        gateway: a gateway of this process.
        id: the voucher's id.
        code: its code.
    """

    running: RunningSimulator
    account: SimulatorAccount
    journal: str
    gateway: Gateway
    id: str
    code: str

    def another_gateway(self) -> Gateway:
        """Return a new gateway on the same journal."""
        return make_gateway((self.account,), self.journal)

    def task(self, amount: str, reference: str) -> RedeemTask:
        """Return a redemption of this voucher for a worker."""
        return RedeemTask(self.account, self.journal, self.code, amount, reference)

    def remaining(self) -> str:
        """Return what is truly left."""
        return Ledger(self.running).remaining(self.id)

    def charges(self) -> int:
        """Return how many requests arrived that take money at JTL."""
        return sum(request.endswith("/charge") for request in changing_requests(self.running))


@pytest.fixture
def share_voucher(start_vendor: Callable[..., RunningSimulator]) -> Iterator[Callable[[str, str], SharedVoucher]]:
    """Issue a voucher at a vendor of its own, with a journal at a URL."""
    with ExitStack() as stack:

        def share(vendor: str, url: str) -> SharedVoucher:
            running = start_vendor(vendor)
            account = SimulatorAccount("shop", dict(running.announcement), settings={"workers": 64})
            gateway = stack.enter_context(make_gateway((account,), url))
            voucher = gateway.issue("shop", NewVoucher(initial=Money("50.00", "EUR")), reference="before")
            if vendor == "jtl":
                gateway.activate("shop", voucher.id, reference="before")
            assert voucher.code is not None
            return SharedVoucher(running, account, url, gateway, voucher.id, voucher.code.reveal())

        yield share
