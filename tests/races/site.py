"""One account at a running simulator, plain enough to be handed to another process, and the maker of processes."""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Mapping
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any, Final

import attrs

from voucher_gateway import Gateway
from voucher_gateway.gateway.account import Account
from voucher_gateway.journal.journal import Journal, open_journal
from voucher_gateway.provider_api import Money, SecretSource, VoucherProvider
from voucher_gateway_jtl import JtlProvider, JtlSettings
from voucher_gateway_ticketing import TicketingProvider, TicketingSettings

KEYS: Final = {"1": SecretSource.of("a-key-for-the-tests-of-races")}
RISKS: Final = frozenset({"redeem-by-update", "refund-by-update", "top-up-by-update"})
SETTINGS: Final[Mapping[str, Any]] = {"workers": 4, "tries": 2}
FACE: Final = Money("50.00", "EUR")
TEN: Final = Money("10.00", "EUR")
PATIENCE_S: Final = 30.0

# What every process would otherwise import when it opens its journal or sends its first request.
_IMPORTED_LATE: Final = (
    "voucher_gateway_jtl.provider",
    "voucher_gateway_ticketing.provider",
    "sqlite3",
    "sqlalchemy.dialects.sqlite",
    "sqlalchemy.dialects.postgresql.psycopg",
    "encodings.idna",
)


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
        announced = self.announcement
        if self.vendor == "jtl":
            secret = SecretSource.of(announced["client_secret"])
            return JtlProvider(
                self.account,
                JtlSettings(
                    base_url=announced["base_url"],
                    client_id=announced["client_id"],
                    client_secret=secret,
                    **self.settings,
                ),
            )
        key = SecretSource.of(announced["api_key"])
        return TicketingProvider(
            self.account, TicketingSettings(base_url=announced["base_url"], api_key=key, **self.settings)
        )

    def gateway(self, journal: Journal | None = None) -> Gateway:
        """Return a new gateway, on this journal or on a newly opened one."""
        if journal is None:
            journal = open_journal(self.journal, KEYS)
        return Gateway(
            [Account(name=self.account, provider=self.provider(), accept_risks=RISKS)],
            journal=journal,
        )


def warm() -> ForkServerContext:
    """Return the maker of processes: it forks each from a process of one thread that has imported everything."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__, *_IMPORTED_LATE])
    root = str(Path(__file__).parents[2])
    if root not in sys.path:
        sys.path.append(root)  # the process finds this very module by it
    return context
