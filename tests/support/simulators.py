"""Running simulators, and accounts at them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any, Final

import attrs

from voucher_gateway import Gateway
from voucher_gateway.gateway.account import Account
from voucher_gateway.journal.journal import Journal, open_journal
from voucher_gateway.provider_api import SecretSource, VoucherProvider
from voucher_gateway.simulator import RunningSimulator, start
from voucher_gateway_jtl import JtlProvider, JtlSettings
from voucher_gateway_pretix import PretixProvider, PretixSettings
from voucher_gateway_square import SquareProvider, SquareSettings
from voucher_gateway_ticketing import TicketingProvider, TicketingSettings

JOURNAL_KEYS: Final[Mapping[str, str]] = {"1": "a-key-for-the-tests-of-journals"}
BY_UPDATE: Final = frozenset({"redeem-by-update", "refund-by-update", "top-up-by-update"})
"""The risks of the emulations that overwrite a value."""

_LOGIN_KEYS: Final = ("base_url", "client_id", "client_secret", "api_key")
_LOGIN_KEYS_OF: Final = {
    "pretix": ("base_url", "organizer", "token"),
    "square": ("base_url", "access_token", "location_id"),
}


@contextmanager
def simulators() -> Iterator[Callable[..., RunningSimulator]]:
    """Give a function that starts a simulator by its name or class, with options.

    At the end all of them are closed, and a simulator that raised an internal error fails the test.
    """
    running: list[RunningSimulator] = []
    with ExitStack() as stack:

        def start_simulator(simulator: Any, **options: Any) -> RunningSimulator:
            running.append(stack.enter_context(start(simulator, **options)))
            return running[-1]

        yield start_simulator
        assert [crash for simulator in running for crash in simulator.crashes] == []


def login_of(announcement: Mapping[str, str]) -> dict[str, str]:
    """Return the settings by which an account reaches a simulator."""
    keys = _LOGIN_KEYS_OF.get(announcement["provider"], _LOGIN_KEYS)
    return {key: announcement[key] for key in keys if key in announcement}


def account_table(running: RunningSimulator, **settings: Any) -> dict[str, Any]:
    """Return the table of a configuration for an account at a simulator."""
    return {"provider": running.announcement["provider"], **login_of(running.announcement), **settings}


def make_provider(announcement: Mapping[str, str], account: str, **settings: Any) -> VoucherProvider:
    """Return a provider of an account at a simulator."""
    values: dict[str, Any] = {**login_of(announcement), **settings}
    for key in ("client_secret", "api_key", "token", "access_token"):
        if isinstance(values.get(key), str):
            values[key] = SecretSource.of(values[key])
    if announcement["provider"] == "jtl":
        return JtlProvider(account, JtlSettings(**values))
    if announcement["provider"] == "pretix":
        return PretixProvider(account, PretixSettings(**values))
    if announcement["provider"] == "square":
        return SquareProvider(account, SquareSettings(**values))
    return TicketingProvider(account, TicketingSettings(**values))


def changing_requests(*running: RunningSimulator) -> list[str]:
    """Return the changing requests that arrived, in order, as ``METHOD /path``. A login is not one."""
    return [
        f"{request.method} {request.path}"
        for simulator in running
        for request in simulator.requests
        if request.method != "GET" and request.path != "/oauth/token"
    ]


def make_journal_keys(keys: Mapping[str, str] = JOURNAL_KEYS) -> dict[str, SecretSource]:
    """Return keys of a journal by their names."""
    return {name: SecretSource.of(key) for name, key in keys.items()}


@attrs.frozen
class SimulatorAccount:
    """One account at a running simulator. Another process can be given it.

    Attributes:
        name: the account's name.
        announcement: what the simulator announces of itself.
        risks: the emulations that the account accepts.
        settings: of the account, besides its login.
        former_names: names that the account had before.
    """

    name: str
    announcement: Mapping[str, str]
    risks: frozenset[str] = BY_UPDATE
    settings: Mapping[str, Any] = attrs.field(factory=dict)
    former_names: tuple[str, ...] = ()

    @property
    def vendor(self) -> str:
        """The name of the provider."""
        return self.announcement["provider"]

    def provider(self, **settings: Any) -> VoucherProvider:
        """Return a new provider."""
        return make_provider(self.announcement, self.name, **{"tries": 2, **self.settings, **settings})


def make_gateway(accounts: tuple[SimulatorAccount, ...], journal: str | Journal, **settings: Any) -> Gateway:
    """Return a new gateway on a journal or the URL of one, as another process would make it."""
    if isinstance(journal, str):
        journal = open_journal(journal, make_journal_keys())
    return Gateway(
        [
            Account(
                name=account.name,
                provider=account.provider(**settings),
                accept_risks=account.risks,
                former_names=account.former_names,
            )
            for account in accounts
        ],
        journal=journal,
    )
