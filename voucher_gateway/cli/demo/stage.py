"""What the demo plays on: two simulated vendors, one gateway over both, and the demo's own books."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import attrs

from voucher_gateway.cli.demo.story import Story
from voucher_gateway.gateway.gateway import Gateway
from voucher_gateway.money import Money

if TYPE_CHECKING:
    from voucher_gateway.simulator import RunningSimulator

SHOP_CODE = "SHOP-7K2M-9QXD-4HTP"
EVENTS_CODE = "EVENT-2F8C-6WJN"


@attrs.frozen
class Line:
    """What the demo did to the vouchers of one account in one currency.

    Attributes:
        account: the account.
        issued: the value of new vouchers.
        topped_up: value added.
        taken: value redeemed.
        given_back: value refunded.
    """

    account: str
    issued: Money
    topped_up: Money
    taken: Money
    given_back: Money

    @property
    def left(self) -> Money:
        """What must be left."""
        return self.issued + self.topped_up - self.taken + self.given_back


class Books:
    """Adds up what the results of the calls said, never what was asked for."""

    def __init__(self) -> None:
        self._lines: dict[tuple[str, str], Line] = {}

    @property
    def lines(self) -> list[Line]:
        """One line for each account and currency."""
        return list(self._lines.values())

    def add(self, account: str, column: str, money: Money) -> None:
        """Add an amount to a column of `Line`."""
        nothing = Money.zero(money.currency)
        line = self._lines.get((account, money.currency)) or Line(account, nothing, nothing, nothing, nothing)
        changed: dict[str, Any] = {column: getattr(line, column) + money}
        self._lines[account, money.currency] = attrs.evolve(line, **changed)


@attrs.frozen
class Stage:
    """Everything that the steps share.

    Attributes:
        gateway: over both accounts.
        vendors: the simulators, by account.
        books: what was done.
    """

    gateway: Gateway
    vendors: Mapping[str, RunningSimulator]
    books: Books = attrs.field(factory=Books)

    def requests(self, account: str) -> int:
        """Return how many requests have reached an account's vendor."""
        return len(self.vendors[account].requests)

    def truly_left(self, account: str, currency: str) -> Money:
        """Return what an account's vendor has in its own ledger, in one currency."""
        left = Money.zero(currency)
        for voucher in self.vendors[account].ledger():
            if voucher["currency"] == currency:
                left += Money(_without_surplus(str(voucher["remaining"]), currency), currency)
        return left


def _without_surplus(amount: str, currency: str) -> str:
    """Return the amount without the two decimals that JTL writes of any currency, yen too; they are zeros then."""
    return amount.removesuffix(".00") if currency == "JPY" else amount


@contextmanager
def open_stage(story: Story) -> Iterator[Stage]:
    """Start the vendors and open the gateway over them."""
    from voucher_gateway.simulator import start

    with TemporaryDirectory(prefix="voucher-gateway-") as folder, start("jtl") as jtl, start("ticketing") as ticketing:
        shop, events = jtl.announcement, ticketing.announcement
        config = {
            "journal": f"sqlite:///{folder}/journal.db",
            "accounts": {
                "shop": {
                    "provider": "jtl",
                    "base_url": shop["base_url"],
                    "client_id": shop["client_id"],
                    "client_secret": shop["client_secret"],
                    "code_pattern": "^SHOP-",
                },
                "events": {
                    "provider": "ticketing",
                    "base_url": events["base_url"],
                    "api_key": events["api_key"],
                    "code_pattern": "^EVENT-",
                    "accept_risks": ["redeem-by-update"],
                },
            },
        }
        story.step(
            "Two vendors, one gateway",
            f"shop is JTL, simulated at {shop['base_url']}: OAuth, amounts as text, reservations.",
            f"events is vivenu, simulated at {events['base_url']}: a key, amounts as numbers, no spending.",
            "Both speak their vendor's real wire format over HTTP. Nothing leaves this machine.",
            "A journal, an SQLite file, knows of every changing call before it is sent.",
        )
        story.call("gateway = Gateway.from_config(config)")
        gateway = Gateway.from_config(config)
        with gateway:
            yield Stage(gateway, {"shop": jtl, "events": ticketing})
