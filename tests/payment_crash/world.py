"""Two vendors, a card processor and a journal, and orders that are paid there with two vouchers and a card."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from decimal import Decimal
from typing import Any, Final

import attrs

from docs.examples.card_processor.client import CardMeans
from tests.support.card import RunningProcessor, kept
from voucher_gateway.emulation.registry import RISKS
from voucher_gateway.gateway.account import Account
from voucher_gateway.gateway.gateway import Gateway
from voucher_gateway.journal.journal import open_journal
from voucher_gateway.money import Money
from voucher_gateway.payments.means import Authorization
from voucher_gateway.payments.rows.references import payment_mark
from voucher_gateway.provider.provider import VoucherProvider
from voucher_gateway.testing import SimulatedVendor
from voucher_gateway.testing.harness.child_process import KEYS
from voucher_gateway.testing.harness.vendor import settings_for
from voucher_gateway_jtl import JtlProvider
from voucher_gateway_ticketing import TicketingProvider
from voucher_gateway_ticketing.simulator import TicketingSimulator

CURRENCY: Final = "EUR"
SHOP, EVENTS, CARD = "shop", "events", "card"
PARTS: Final[Mapping[str, Decimal]] = {SHOP: Decimal("40.00"), EVENTS: Decimal("20.00"), CARD: Decimal("30.00")}
"""What each part of an order pays: all of the JTL voucher, a limited part of the ticketing one, the card the rest."""

TOTAL: Final = Money(sum(PARTS.values(), Decimal(0)), CURRENCY)
LIMIT: Final = Money(PARTS[EVENTS], CURRENCY)
EVENT_VALUE: Final = Decimal("50.00")

SPENT_ELSEWHERE: Final = Decimal("49.00")
"""What a customer spends of the event voucher at the vendor's own checkout, in some steps."""

LAPSE_S: Final = 32 * 60.0
"""Longer than a reservation at JTL and the margin after it, in seconds."""

WAIT_S: Final = 20.0
"""How long a payment waits for the lock of a worker that has just died."""

_PROVIDERS: Final[Mapping[str, type[VoucherProvider]]] = {SHOP: JtlProvider, EVENTS: TicketingProvider}

_numbers: Final = itertools.count(1)  # of the orders: all worlds of a test run share one card processor

Reach = Callable[[str], None]
"""Is called with each point that a process passes."""


@attrs.frozen
class WatchedCard:
    """A card whose calls are points at which a process can die."""

    card: CardMeans
    reach: Reach

    def authorize(self, money: Money, key: str) -> str | None:
        with self._around("authorize"):
            return self.card.authorize(money, key)

    def capture(self, money: Money, key: str, authorization: Authorization) -> None:
        with self._around("capture"):
            self.card.capture(money, key, authorization)

    def void(self, money: Money, key: str, authorization: Authorization) -> None:
        with self._around("void"):
            self.card.void(money, key, authorization)

    def refund(self, money: Money, key: str, authorization: Authorization) -> None:
        with self._around("refund"):
            self.card.refund(money, key, authorization)

    @contextmanager
    def _around(self, call: str) -> Iterator[None]:
        self.reach(f"before the card's {call}")
        yield
        self.reach(f"after the card's {call}")


@attrs.frozen(kw_only=True)
class Order:
    """One order of the shop.

    Attributes:
        number: the order number.
        codes: the codes of its vouchers, by account.
        ids: the ids of its vouchers, by account.
        values: what the vouchers held at the beginning, by account.
        card: the token of its card.
        at_once: whether the card's money is taken when it is authorized, as PayPal does.
    """

    number: str
    codes: Mapping[str, str] = attrs.field(repr=False)
    ids: Mapping[str, str]
    values: Mapping[str, Decimal]
    card: str = "tok_good"
    at_once: bool = False


class PaymentWorld:
    """Two vendors in this process, a card processor in another one, and a journal.

    Args:
        processor: the card processor.
        url: the URL of the journal.

    Attributes:
        vendors: the vendors, by account.
        spent_elsewhere: the orders whose event voucher was spent at the vendor's own checkout.
    """

    def __init__(self, processor: RunningProcessor, url: str) -> None:
        self.processor = processor
        self.url = url
        self._stack = ExitStack()
        self.vendors: dict[str, SimulatedVendor] = {}
        for account, provider in _PROVIDERS.items():
            vendor = SimulatedVendor(provider, settings={"workers": 4})
            self.vendors[account] = self._stack.enter_context(closing(vendor))
        self.spent_elsewhere: set[str] = set()

    def close(self) -> None:
        """End the vendors. One that made a mistake fails the test."""
        self._stack.close()

    def gateway(self, **settings: Any) -> Gateway:
        """Return a new gateway on the journal, as another process would make it."""
        accounts = [
            Account(
                name=name,
                provider=_PROVIDERS[name](name, settings_for(_PROVIDERS[name], vendor.announcement, **settings)),
                code_pattern=re.compile(f"^{name}-"),
                accept_risks=frozenset(RISKS),
            )
            for name, vendor in self.vendors.items()
        ]
        return Gateway(accounts, journal=open_journal(self.url, KEYS))

    def order(self, *, card: str = "tok_good", at_once: bool = False) -> Order:
        """Return a new order of a customer who has a voucher at each vendor, and a card."""
        number = f"{next(_numbers)}"
        values = {SHOP: PARTS[SHOP], EVENTS: EVENT_VALUE}
        vouchers = {
            account: vendor.voucher(str(values[account]), CURRENCY, code=f"{account}-{number}")
            for account, vendor in self.vendors.items()
        }
        return Order(
            number=number,
            codes={account: voucher.code.reveal() for account, voucher in vouchers.items() if voucher.code},
            ids={account: voucher.id for account, voucher in vouchers.items()},
            values=values,
            card=card,
            at_once=at_once,
        )

    def card(self, order: Order, reach: Reach | None = None, **options: Any) -> Any:
        """Return the card of an order."""
        card = self.processor.means(order.card, at_once=order.at_once, **options)
        return card if reach is None else WatchedCard(card, reach)

    def spend_event_elsewhere(self, order: Order) -> None:
        """Spend nearly all of an order's event voucher at the vendor's own checkout."""
        simulator = self.vendors[EVENTS].simulator
        assert isinstance(simulator, TicketingSimulator)
        with simulator.lock:
            simulator.redeem_at_checkout(order.codes[EVENTS], SPENT_ELSEWHERE)
        self.spent_elsewhere.add(order.number)

    def lapse(self) -> None:
        """Move the clocks of the vendors until every reservation is over."""
        for vendor in self.vendors.values():
            vendor.advance(LAPSE_S)

    def clear_faults(self) -> None:
        """End all faults of vendors and card, and let late requests arrive."""
        for vendor in self.vendors.values():
            vendor.clear_faults()
        self.processor.clear_faults()
        self.processor.deliver()

    # --- what an outsider sees ---

    def entry(self, order: Order, account: str) -> dict[str, Any]:
        """Return the ledger's entry of an order's voucher."""
        (entry,) = [entry for entry in self.vendors[account].ledger() if entry["id"] == order.ids[account]]
        return entry

    def taken(self, order: Order, payment_ids: tuple[str, ...]) -> dict[str, Decimal]:
        """Return what an order's vouchers and card have really paid until now, by the ledgers and the card's books."""
        left = {account: Decimal(self.entry(order, account)["remaining"]) for account in self.vendors}
        taken = {account: order.values[account] - amount for account, amount in left.items()}
        return taken | {CARD: sum((kept(charge) for charge in self.charges(payment_ids)), Decimal(0))}

    def reserved(self, order: Order) -> Decimal:
        """Return what the vendors still reserve for an order."""
        return sum((Decimal(self.entry(order, account)["reserved"]) for account in self.vendors), Decimal(0))

    def charges(self, payment_ids: tuple[str, ...]) -> list[dict[str, Any]]:
        """Return the charges of the card's books that belong to payments."""
        marks = tuple(f"{payment_mark(payment_id)}-" for payment_id in payment_ids)
        return [charge for charge in self.processor.charges() if str(charge["key"]).startswith(marks)]


def open_charges(charges: list[dict[str, Any]]) -> list[str]:
    """Return the keys of the charges by which the card still keeps money for the shop."""
    return [str(charge["key"]) for charge in charges if charge["status"] == "authorized"]
