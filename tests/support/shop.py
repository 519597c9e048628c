"""A shop: a gateway with one account at a simulated JTL, and a journal."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import requests

from tests.support.ledger import Ledger
from tests.support.simulators import JOURNAL_KEYS, changing_requests, make_journal_keys, make_provider
from voucher_gateway import Gateway
from voucher_gateway.gateway.account import Account
from voucher_gateway.journal.journal import Journal, open_journal
from voucher_gateway.provider_api import Money, Redemption, SecretSource
from voucher_gateway.simulator import RunningSimulator
from voucher_gateway_jtl import JtlProvider


class Shop:
    """A shop with one account at a simulated JTL, and a journal. Code and money have handy defaults.

    Attributes:
        running: the vendor.
        url: where the journal is.
        gateway: a gateway with the account ``shop``.
    """

    def __init__(self, running: RunningSimulator, url: str, stack: ExitStack) -> None:
        self.running = running
        self.url = url
        self._stack = stack
        self.gateway = self.another_gateway()
        self._base = running.announcement["base_url"]
        self._session = stack.enter_context(requests.Session())
        self._session.trust_env = False
        self._session.headers["Authorization"] = f"Bearer {running.announcement['token']}"

    def provider(self, **settings: object) -> JtlProvider:
        """Return a provider of the account; it is closed at the end."""
        provider = make_provider(self.running.announcement, "shop", **{"tries": 1, **settings})
        assert isinstance(provider, JtlProvider)
        return self._stack.enter_context(provider)

    def another_gateway(self, journal_keys: dict[str, str] | None = None, **settings: object) -> Gateway:
        """Return a gateway on the same journal, as another process would make it."""
        return self.another_gateway_at(self.url, make_journal_keys(journal_keys or JOURNAL_KEYS), **settings)

    def another_gateway_at(self, url: str, keys: dict[str, SecretSource] | None, **settings: object) -> Gateway:
        """Return a gateway with a journal elsewhere, or with keys of another source."""
        journal = open_journal(url, keys)
        return self._stack.enter_context(Gateway({"shop": self.provider(**settings)}, journal=journal))

    def set_account(self, account: Account) -> None:
        """Give the gateway another account, or one of its accounts other rules."""
        self.gateway._accounts = {**self.gateway._accounts, account.name: account}

    @property
    def journal(self) -> Journal:
        assert self.gateway.journal is not None
        return self.gateway.journal

    def voucher(self, amount: str = "50.00", **fields: object) -> tuple[str, str]:
        """Issue an active voucher as another channel would, and return its id and code."""
        body = {"amount": amount, "currency": "EUR", "status": "active", "type": "digital", **fields}
        reply = self._session.post(f"{self._base}/vouchers", json=body)
        assert reply.status_code == 201, reply.text
        voucher = reply.json()
        return voucher["id"], voucher["code"]

    def request(self, method: str, path: str, body: object) -> Any:
        """Make a plain call with this login, and return the body of the reply."""
        reply = self._session.request(method, f"{self._base}{path}", json=body)
        assert reply.ok, reply.text
        return reply.json() if reply.content else None

    def redeem(self, code: str, amount: str = "10.00", *, reference: str = "1001-a", **options: Any) -> Redemption:
        return self.gateway.redeem("shop", code, Money(amount, "EUR"), reference=reference, **options)

    def changes(self) -> list[str]:
        """The changing requests that arrived, in order, as ``METHOD /path``."""
        return changing_requests(self.running)

    def charges(self) -> int:
        """How many requests arrived that take money."""
        return sum(request.endswith("/charge") for request in self.changes())

    def remaining(self, voucher_id: str) -> str:
        """What is truly left on a voucher."""
        return Ledger(self.running).remaining(voucher_id)
