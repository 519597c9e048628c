"""Two simulated vendors, a gateway with a journal, and what truly became of every voucher."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import attrs

from tests.support.ledger import Ledger
from tests.support.simulators import BY_UPDATE, SimulatorAccount, changing_requests, make_gateway
from voucher_gateway import Gateway
from voucher_gateway.migration import LOSSES, PlanSummary, Policy, RowState, load_policy, make_plan, run_plan
from voucher_gateway.simulator import RunningSimulator

ANYTHING: Final = load_policy({"losses": list(LOSSES), "accept": ["spendable-twice", "validity-restarts"]})


class VendorPair:
    """A source and a target, and the plan between them.

    Attributes:
        source: the simulator that the vouchers come from.
        target: the one that they go to.
        accounts: both accounts, ``source`` and ``target``.
        gateway: with a journal.
        path: where the plan is.
    """

    def __init__(
        self, source: RunningSimulator, target: RunningSimulator, url: str, folder: Path, stack: ExitStack
    ) -> None:
        self.source = source
        self.target = target
        self.url = url
        self.accounts = (
            SimulatorAccount("source", source.announcement),
            SimulatorAccount("target", target.announcement),
        )
        self._stack = stack
        self.gateway = self.another_gateway()
        self.path = folder / "plan.jsonl"

    def another_gateway(self, *, risks: frozenset[str] = BY_UPDATE, **settings: Any) -> Gateway:
        accounts = tuple(attrs.evolve(account, risks=risks) for account in self.accounts)
        return self._stack.enter_context(make_gateway(accounts, self.url, **settings))

    def renamed_gateway(self, names: Mapping[str, str]) -> Gateway:
        """Return a gateway whose accounts have new names, by the former ones."""
        accounts = tuple(
            attrs.evolve(account, name=names[account.name], former_names=(account.name,)) for account in self.accounts
        )
        return self._stack.enter_context(make_gateway(accounts, self.url))

    def plan(self, policy: Policy = ANYTHING, **options: Any) -> PlanSummary:
        return make_plan(self.gateway, "source", "target", self.path, policy=policy, **options)

    def run(self, **options: Any) -> Any:
        return run_plan(self.gateway, self.path, **options)

    def move(self, policy: Policy = ANYTHING) -> SpendableValues:
        """Plan and run, and return what was there before."""
        self.plan(policy)
        before = SpendableValues.of(self)
        report = self.run()
        assert set(report.counts) == {RowState.MOVED}, report
        assert report.left == 0
        return before

    def changes(self) -> int:
        """How many changing requests both vendors have seen."""
        return len(changing_requests(self.source, self.target))


@attrs.frozen
class SpendableValues:
    """What can truly be spent, by code: at the source, at the target, and at both together."""

    source: Mapping[str, tuple[Decimal, str]]
    target: Mapping[str, tuple[Decimal, str]]

    @classmethod
    def of(cls, pair: VendorPair) -> SpendableValues:
        return cls(Ledger(pair.source).spendable(), Ledger(pair.target).spendable())

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
