"""The vendors, and how a process of these tests comes to a gateway with one account there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import attrs

from voucher_gateway import Gateway
from voucher_gateway.gateway.account import Account
from voucher_gateway.journal.journal import Journal
from voucher_gateway.journal.open import open_journal
from voucher_gateway.provider_api import SecretSource, VoucherProvider
from voucher_gateway_jtl import JtlProvider, JtlSettings
from voucher_gateway_ticketing import TicketingProvider, TicketingSettings

KEYS: Final = {"1": SecretSource.of("a-key-for-the-tests-of-crashes")}
RISKS: Final = frozenset({"redeem-by-update", "refund-by-update", "top-up-by-update"})
SETTINGS: Final[Mapping[str, Any]] = {"workers": 4, "tries": 2}


@attrs.frozen
class Site:
    """One account at a running simulator, and the journal: plain enough to be handed to another process.

    Attributes:
        vendor: which simulator it is.
        announcement: what the simulator says of itself.
        journal: the journal's URL.
        account: the account's name.
        settings: of the account, besides those that the announcement gives.
    """

    vendor: str
    announcement: Mapping[str, str]
    journal: str
    account: str
    settings: Mapping[str, Any] = SETTINGS

    def provider(self) -> VoucherProvider:
        said = self.announcement
        if self.vendor == "jtl":
            secret = SecretSource.of(said["client_secret"])
            return JtlProvider(
                self.account,
                JtlSettings(
                    base_url=said["base_url"], client_id=said["client_id"], client_secret=secret, **self.settings
                ),
            )
        key = SecretSource.of(said["api_key"])
        return TicketingProvider(
            self.account, TicketingSettings(base_url=said["base_url"], api_key=key, **self.settings)
        )

    def gateway(self, journal: Journal | None = None) -> Gateway:
        """Return a gateway of its own, on a journal that is open already or on a newly opened one."""
        if journal is None:
            journal = open_journal(self.journal, KEYS)
        return Gateway(
            [Account(name=self.account, provider=self.provider(), accept_risks=RISKS)],
            journal=journal,
        )
