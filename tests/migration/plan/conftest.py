"""Two simulated vendors with a gateway and a journal over both."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import pytest
import requests

from tests.support.simulators import SimulatorAccount, changing_requests, make_gateway
from voucher_gateway import Gateway
from voucher_gateway.migration import Action, PlannedVoucher, PlanSummary, Policy, Recode, make_plan, read_vouchers
from voucher_gateway.simulator import RunningSimulator

TEXTS = frozenset({"sku", "batch", "tax", "metadata", "order", "medium", "pin"})
"""All that ticketing loses of a seeded JTL voucher."""

ALL = Policy(
    losses=TEXTS | {"no-end", "status", "validity"},
    expired=Action.SKIP,
    empty=Action.SKIP,
    inactive=Action.CARRY,
    code_unfit=Recode.NEW_CODE,
)
"""Carries whatever can be carried."""


def only(planned: list[PlannedVoucher]) -> PlannedVoucher:
    """Return the voucher of a plan that has one."""
    (voucher,) = planned
    return voucher


def remaining_by_currency(vouchers: list[dict[str, object]]) -> Counter[str]:
    """Return the exact sums of what is left on vouchers of a ledger."""
    sums: Counter[str] = Counter()
    for voucher in vouchers:
        sums[str(voucher["currency"])] += Decimal(str(voucher["remaining"]))  # type: ignore[assignment]  # exact sums
    return sums


@attrs.define
class Vendors:
    """A shop with the accounts ``shop`` at JTL and ``events`` at ticketing.

    Attributes:
        jtl: the first vendor.
        ticketing: the second.
        gateway: has both accounts, and a journal.
        folder: for plans.
    """

    jtl: RunningSimulator
    ticketing: RunningSimulator
    gateway: Gateway
    folder: Path

    def plan(
        self, source: str = "shop", target: str = "events", policy: Policy | None = None, **more: Any
    ) -> tuple[PlanSummary, list[PlannedVoucher]]:
        """Make a plan and read it back."""
        out = self.folder / f"{source}-{target}.plan"
        summary = make_plan(self.gateway, source, target, out, policy=policy, **more)
        return summary, list(read_vouchers(out))

    def changes(self) -> list[str]:
        """The requests that could have changed something at either vendor; a login changes nothing."""
        return changing_requests(self.jtl, self.ticketing)

    def issue_at_jtl(self, amount: str = "50.00", **fields: object) -> dict[str, Any]:
        """Issue an active voucher as another channel would."""
        body = {"amount": amount, "currency": "EUR", "status": "active", "type": "digital", **fields}
        return self._sent(self.jtl, "POST", "/vouchers", body)

    def issue_at_ticketing(self, amount: str = "50.00", **fields: object) -> dict[str, Any]:
        """Issue a voucher as another channel would."""
        return self._sent(self.ticketing, "POST", "/api/vouchers", {"amount": float(amount), **fields})

    def delete_at_jtl(self, id: str) -> None:
        """Delete a voucher as another channel would."""
        self._sent(self.jtl, "DELETE", f"/vouchers/{id}", {"comment": "by mistake"})

    def _sent(self, running: RunningSimulator, method: str, path: str, body: object) -> dict[str, Any]:
        with requests.Session() as session:
            session.trust_env = False
            token = running.announcement["token"]
            reply = session.request(
                method,
                f"{running.announcement['base_url']}{path}",
                json=body,
                headers={"Authorization": f"Bearer {token}"},
            )
        assert reply.ok, reply.text
        made: dict[str, Any] = reply.json() if reply.content else {}
        return made


@pytest.fixture
def make_vendors(start_vendor: Callable[..., RunningSimulator], tmp_path: Path) -> Iterator[Callable[..., Vendors]]:
    """Make pairs of vendors; options go to the simulators as ``jtl_...`` and ``ticketing_...``."""
    with ExitStack() as stack:

        def start_with(name: str, options: dict[str, Any]) -> RunningSimulator:
            own = {key.removeprefix(f"{name}_"): value for key, value in options.items() if key.startswith(f"{name}_")}
            return start_vendor(name, **{"seed": 3, **own})

        def make(*, scopes: tuple[str, ...] = (), page_size: int = 100, workers: int = 4, **options: Any) -> Vendors:
            jtl, ticketing = start_with("jtl", options), start_with("ticketing", options)
            jtl_account = SimulatorAccount(
                "shop", jtl.announcement, risks=frozenset(), settings={"page_size": page_size, "scopes": scopes}
            )
            ticketing_account = SimulatorAccount(
                "events",
                ticketing.announcement,
                risks=frozenset({"redeem-by-update"}),
                settings={"page_size": page_size, "workers": workers},
            )
            accounts = (jtl_account, ticketing_account)
            gateway = stack.enter_context(make_gateway(accounts, f"sqlite:///{tmp_path}/journal.db"))
            return Vendors(jtl, ticketing, gateway, tmp_path)

        yield make


@pytest.fixture
def vendors(make_vendors: Callable[..., Vendors]) -> Vendors:
    """Two vendors without vouchers."""
    return make_vendors()
