"""A shop that sells the vouchers of a vendor, and what is truly at that vendor."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from decimal import Decimal
from typing import Any, Final, Self

import attrs

from tests.providers.local.vendor import LocalVendor
from tests.support.ledger import NOT_SPENDABLE
from voucher_gateway import Gateway, Money, NewVoucher, Sale
from voucher_gateway.emulation.registry import RISKS
from voucher_gateway.gateway.account import Account
from voucher_gateway.instants import parse_instant
from voucher_gateway.journal.journal import open_journal
from voucher_gateway.testing import SimulatedVendor
from voucher_gateway.testing.harness.child_process import KEYS
from voucher_gateway.testing.harness.vendor import ACCOUNT, VendorUnderTest
from voucher_gateway_jtl import JtlProvider
from voucher_gateway_pretix import PretixProvider
from voucher_gateway_square import SquareProvider
from voucher_gateway_ticketing import TicketingProvider

VENDORS: Final[Mapping[str, Callable[[], VendorUnderTest]]] = {
    "jtl": lambda: SimulatedVendor(JtlProvider, vouchers=2),
    "local": lambda: LocalVendor(2),
    "pretix": lambda: SimulatedVendor(PretixProvider, vouchers=2),
    "square": lambda: SimulatedVendor(SquareProvider, vouchers=2),
    "ticketing": lambda: SimulatedVendor(TicketingProvider, vouchers=2),
}
"""The vendors that can issue vouchers which can be spent."""

ISSUES_INACTIVE: Final = frozenset({"jtl", "local"})
"""The vendors whose new vouchers can be inactive."""

FIFTY: Final = Money("50.00", "EUR")
NEW: Final = NewVoucher(initial=FIFTY)


@attrs.frozen
class SellingShop:
    """A shop on a journal, with one account at a vendor.

    Attributes:
        name: the vendor's name.
        vendor: the vendor.
        url: the URL of the journal.
        gateway: the shop's gateway.
        risks: the risks that the account accepts.
        known: the ids of the vouchers that the vendor had at first.
    """

    name: str
    vendor: VendorUnderTest
    url: str
    gateway: Gateway
    risks: frozenset[str]
    known: frozenset[str]

    @classmethod
    def start(cls, name: str, url: str, *, risks: Collection[str] = RISKS) -> Self:
        """Start a vendor, and open a shop there."""
        vendor = VENDORS[name]()
        known = frozenset(str(entry["id"]) for entry in vendor.ledger())
        return cls(name, vendor, url, open_gateway(vendor, url, risks), frozenset(risks), known)

    def close(self) -> None:
        """Close the gateway and the vendor."""
        self.gateway.close()
        self.vendor.close()

    def other_process(self) -> Gateway:
        """Return another gateway on the same journal, as another process has it. The caller closes it."""
        return open_gateway(self.vendor, self.url, self.risks)

    def sale(self, name: str = "1002-1", new: NewVoucher = NEW, **options: Any) -> Sale:
        """Open a sale at the account."""
        return self.gateway.sale(name, ACCOUNT, new, **options)

    # --- the truth ---

    def sold(self) -> list[Mapping[str, Any]]:
        """Return the vouchers that were issued since the start, from the vendor's ledger."""
        return [entry for entry in self.vendor.ledger() if str(entry["id"]) not in self.known]

    def spendable(self) -> Decimal:
        """Return what can be spent now of the vouchers that were issued since the start."""
        return sum((self._value_of(entry) for entry in self.sold()), Decimal(0))

    def _value_of(self, entry: Mapping[str, Any]) -> Decimal:
        until = entry["valid_until"]
        is_over = until is not None and parse_instant(str(until)) <= self._vendor_now()
        return Decimal(0) if entry["status"] in NOT_SPENDABLE or is_over else Decimal(str(entry["remaining"]))

    def _vendor_now(self) -> Any:
        vendor: Any = self.vendor
        return vendor.now() if self.name == "local" else vendor.clock.now()

    def spend(self, sale: Sale, amount: str, reference: str = "spent") -> None:
        """Spend some of a voucher that was sold, as its owner does."""
        self.gateway.redeem(ACCOUNT, sale.code, Money(amount, "EUR"), reference=reference)


def open_gateway(vendor: VendorUnderTest, url: str, risks: Collection[str]) -> Gateway:
    """Open a gateway with one account at a vendor."""
    account = Account(name=ACCOUNT, provider=vendor.provider(), accept_risks=frozenset(risks))
    return Gateway([account], journal=open_journal(url, KEYS))
