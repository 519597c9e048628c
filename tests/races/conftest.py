"""A voucher at each vendor that everybody wants to spend."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import attrs
import pytest

from tests.races.site import FACE, KEYS, SETTINGS, Site
from voucher_gateway import Gateway
from voucher_gateway.journal.journal import open_journal
from voucher_gateway.provider_api import NewVoucher
from voucher_gateway.simulator import RunningSimulator, start


@attrs.frozen
class Till:
    """An account at a simulated vendor, with one voucher of 50 euros.

    Attributes:
        running: the vendor.
        site: the account.
        gateway: a gateway of this process.
        id: the voucher.
        code: its code.
    """

    running: RunningSimulator
    site: Site
    gateway: Gateway
    id: str
    code: str

    def remaining(self) -> str:
        """What is truly left."""
        return next(str(one["remaining"]) for one in self.running.ledger() if one["id"] == self.id)

    def charges(self) -> int:
        """How many requests arrived that take money at JTL."""
        return sum(one.path.endswith("/charge") for one in self.running.requests)


@pytest.fixture
def make_till() -> Iterator[Callable[[str, str], Till]]:
    """Makes tills at a vendor, with a journal at a URL."""
    with ExitStack() as stack:

        def make(vendor: str, url: str) -> Till:
            running = stack.enter_context(start(vendor))
            site = Site(vendor, dict(running.announcement), url, "shop", {**SETTINGS, "workers": 64})
            gateway = stack.enter_context(site.gateway(open_journal(url, KEYS)))
            made = gateway.issue("shop", NewVoucher(initial=FACE), reference="before")
            if vendor == "jtl":
                gateway.activate("shop", made.id, reference="before")
            assert made.code is not None
            stack.callback(lambda: _sound(running))
            return Till(running, site, gateway, made.id, made.code.reveal())

        yield make


def _sound(running: RunningSimulator) -> None:
    assert running.crashes == []
