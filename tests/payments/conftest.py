"""A shop with accounts at a simulated JTL and a simulated ticketing vendor, over real HTTP, with a journal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.payments.cards import FakeCard
from tests.support.audit import require_clean
from tests.support.simulators import BY_UPDATE, SimulatorAccount, make_gateway
from voucher_gateway import Gateway, Money
from voucher_gateway.payments.payment import Payment
from voucher_gateway.testing import SimulatedVendor
from voucher_gateway_jtl import JtlProvider
from voucher_gateway_ticketing import TicketingProvider

RESERVE = "POST /v1/reservations"
CHARGE = "POST /v1/reservations/*/charge"


class PayingShop:
    """The shop. A JTL voucher can be reserved, a ticketing voucher only redeemed.

    Attributes:
        jtl: the vendor of the account ``shop``.
        ticketing: the vendor of the account ``events``.
        url: where the journal is.
        gateway: a gateway of this process.
        card: the other means.
    """

    def __init__(
        self, jtl: SimulatedVendor, ticketing: SimulatedVendor, url: str, folder: Path, stack: ExitStack
    ) -> None:
        self.jtl = jtl
        self.ticketing = ticketing
        self.url = url
        self._folder = folder
        self._stack = stack
        self._shops = 0
        self.card = FakeCard()
        self.gateway = self.another_gateway()

    def another_gateway(self, **settings: Any) -> Gateway:
        """Return a gateway on the same journal, as another process would make it."""
        return self._stack.enter_context(make_gateway(self._accounts, self.url, **{"tries": 1, **settings}))

    def another_shop(self) -> Gateway:
        """Return the gateway of another shop at the same vendors, with a journal that knows nothing of ours."""
        self._shops += 1
        return make_gateway(self._accounts, f"sqlite:///{self._folder / f'other-{self._shops}.db'}")

    @property
    def _accounts(self) -> tuple[SimulatorAccount, ...]:
        return (
            SimulatorAccount("shop", self.jtl.announcement),
            SimulatorAccount("events", self.ticketing.announcement, risks=BY_UPDATE),
        )

    def jtl_code(self, amount: str = "50.00", **fields: Any) -> str:
        """Return the code of a new JTL voucher."""
        code = self.jtl.voucher(amount, **fields).code
        assert code is not None
        return code.reveal()

    def ticketing_code(self, amount: str = "50.00", **fields: Any) -> str:
        """Return the code of a new ticketing voucher."""
        code = self.ticketing.voucher(amount, **fields).code
        assert code is not None
        return code.reveal()

    def payment(self, total: str = "60.00", order: str = "1001", **options: Any) -> Payment:
        return self.gateway.payment(order, total=Money(total, "EUR"), **options)

    def again(self, order: str = "1001", **options: Any) -> Payment:
        """Return the payment as another process finds it."""
        payment = self.another_gateway().find_payment(order, **options)
        assert payment is not None
        return payment

    def mixed(self, total: str = "60.00", jtl: str = "20.00", ticketing: str = "10.00", **options: Any) -> MixedPayment:
        """Return a payment with a JTL leg, a ticketing leg and an amount that is due."""
        return MixedPayment(self, total, jtl, ticketing, **options)


class MixedPayment:
    """A payment with a JTL leg (1) and a ticketing leg (2)."""

    def __init__(self, shop: PayingShop, total: str, jtl: str, ticketing: str, **options: Any) -> None:
        self._shop = shop
        self.jtl_code = shop.jtl_code(jtl)
        self.ticketing_code = shop.ticketing_code(ticketing)
        self.payment = shop.payment(total, **options)
        self.payment.add(self.jtl_code, account="shop")
        self.payment.add(self.ticketing_code, account="events")

    @property
    def left(self) -> tuple[str, str]:
        """What is truly left on the two vouchers."""
        shop = self._shop
        left = shop.jtl.remaining(self.jtl_code), shop.ticketing.remaining(self.ticketing_code)
        return f"{left[0].amount}", f"{left[1].amount}"


@pytest.fixture
def make_paying_shop(tmp_path: Path) -> Iterator[Callable[[str], PayingShop]]:
    with ExitStack() as stack:

        def make(url: str) -> PayingShop:
            jtl = stack.enter_context(SimulatedVendor(JtlProvider))
            ticketing = stack.enter_context(SimulatedVendor(TicketingProvider))
            shop = PayingShop(jtl, ticketing, url, tmp_path, stack)
            stack.callback(require_clean, url)
            return shop

        yield make


@pytest.fixture
def paying(make_paying_shop: Callable[[str], PayingShop], sqlite_url: str) -> PayingShop:
    """A shop with a journal in SQLite."""
    return make_paying_shop(sqlite_url)


@pytest.fixture
def either_paying(make_paying_shop: Callable[[str], PayingShop], either_url: str) -> PayingShop:
    """A shop with a journal in SQLite, and one with a journal in PostgreSQL."""
    return make_paying_shop(either_url)
