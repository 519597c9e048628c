"""Two simulated vendors, a gateway with a journal, and what truly became of every voucher."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, cast

import attrs

from voucher_gateway import Gateway
from voucher_gateway.gateway.account import Account
from voucher_gateway.journal.journal import open_journal
from voucher_gateway.migration import LOSSES, PlanSummary, Policy, RowState, load_policy, make_plan, run_plan
from voucher_gateway.provider_api import SecretSource, VoucherProvider
from voucher_gateway.simulator import RunningSimulator
from voucher_gateway_jtl import JtlProvider, JtlSettings
from voucher_gateway_ticketing import TicketingProvider, TicketingSettings

KEYS: Final = {"1": "a-key-for-the-tests-of-moves"}
RISKS: Final = frozenset({"redeem-by-update", "refund-by-update", "top-up-by-update"})
ANYTHING: Final = load_policy({"losses": list(LOSSES), "accept": ["spendable-twice"]})

Ledger = dict[str, dict[str, Any]]


@attrs.frozen
class Side:
    """One account at a simulator: plain enough to be handed to another process."""

    account: str
    announcement: Mapping[str, str]
    risks: frozenset[str] = RISKS

    def provider(self, **settings: Any) -> VoucherProvider:
        said = self.announcement
        given: dict[str, Any] = {"base_url": said["base_url"], "tries": 2, **settings}
        if said["provider"] == "jtl":
            secret = SecretSource.of(said["client_secret"])
            return JtlProvider(self.account, JtlSettings(client_id=said["client_id"], client_secret=secret, **given))
        return TicketingProvider(self.account, TicketingSettings(api_key=SecretSource.of(said["api_key"]), **given))


def gateway_of(sides: tuple[Side, ...], url: str, **settings: Any) -> Gateway:
    """Return a gateway of its own on the journal, as another process would make it."""
    keys = {name: SecretSource.of(key) for name, key in KEYS.items()}
    accounts = [Account(name=one.account, provider=one.provider(**settings), accept_risks=one.risks) for one in sides]
    return Gateway(accounts, journal=open_journal(url, keys))


class Scene:
    """A source and a target, and the plan between them.

    Attributes:
        source: the simulator that the vouchers come from.
        target: the one that they go to.
        sides: both accounts, ``source`` and ``target``.
        gateway: with a journal.
        path: where the plan is.
    """

    def __init__(
        self, source: RunningSimulator, target: RunningSimulator, url: str, folder: Path, stack: ExitStack
    ) -> None:
        self.source = source
        self.target = target
        self.url = url
        self.sides = (Side("source", source.announcement), Side("target", target.announcement))
        self._stack = stack
        self.gateway = self.another_gateway()
        self.path = folder / "plan.jsonl"

    def another_gateway(self, *, risks: frozenset[str] = RISKS, **settings: Any) -> Gateway:
        sides = tuple(attrs.evolve(one, risks=risks) for one in self.sides)
        return self._stack.enter_context(gateway_of(sides, self.url, **settings))

    def renamed_gateway(self, names: Mapping[str, str]) -> Gateway:
        """Return a gateway whose accounts have new names, by the former ones."""
        keys = {name: SecretSource.of(key) for name, key in KEYS.items()}
        accounts = [
            Account(
                name=names[side.account],
                provider=attrs.evolve(side, account=names[side.account]).provider(),
                accept_risks=side.risks,
                former_names=(side.account,),
            )
            for side in self.sides
        ]
        return self._stack.enter_context(Gateway(accounts, journal=open_journal(self.url, keys)))

    def plan(self, policy: Policy = ANYTHING, **more: Any) -> PlanSummary:
        return make_plan(self.gateway, "source", "target", self.path, policy=policy, **more)

    def run(self, **more: Any) -> Any:
        return run_plan(self.gateway, self.path, **more)

    def move(self, policy: Policy = ANYTHING) -> Truth:
        """Plan and run, and return what was there before."""
        self.plan(policy)
        before = Truth.of(self)
        report = self.run()
        assert set(report.counts) == {RowState.MOVED}, report
        assert report.left == 0
        return before

    def changes(self) -> int:
        """How many changing requests both vendors have seen."""
        return sum(
            one.method != "GET" and one.path != "/oauth/token"
            for simulator in (self.source, self.target)
            for one in simulator.requests
        )


@attrs.frozen
class Truth:
    """What can truly be spent, by code: at the source, at the target, and at both together."""

    source: Mapping[str, tuple[Decimal, str]]
    target: Mapping[str, tuple[Decimal, str]]

    @classmethod
    def of(cls, scene: Scene) -> Truth:
        return cls(spendable(scene.source), spendable(scene.target))

    @property
    def all(self) -> dict[str, tuple[Decimal, str]]:
        """The value of every code, wherever it can be spent."""
        both = dict(self.source)
        for code, (amount, currency) in self.target.items():
            assert both.get(code, (0, currency))[1] == currency
            both[code] = (both.get(code, (Decimal(0), currency))[0] + amount, currency)
        return both

    def sums(self) -> Counter[str]:
        """The value by currency, in whole hundredths."""
        sums: Counter[str] = Counter()
        for amount, currency in self.all.values():
            sums[currency] += int(amount * 100)
        return sums


def spendable(simulator: RunningSimulator) -> dict[str, tuple[Decimal, str]]:
    """Return by code what can be spent at a vendor now, by its books."""
    now = simulator.clock.now()
    found = {}
    for one in simulator.ledger():
        until = None if one["valid_until"] is None else datetime.fromisoformat(cast(str, one["valid_until"]))
        left = Decimal(cast(str, one["remaining"]))
        if left and one["status"] not in ("inactive", "expired") and (until is None or until > now):
            found[cast(str, one["code"])] = (left, cast(str, one["currency"]))
    return found


def entry(simulator: RunningSimulator, *, code: str) -> dict[str, Any]:
    """Return what a vendor's books say of a voucher."""
    return next(one for one in simulator.ledger() if one["code"] == code)
