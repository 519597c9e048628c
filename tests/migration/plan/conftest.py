"""Two simulated vendors with a gateway and a journal over both."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import attrs
import pytest
import requests

from voucher_gateway import Gateway
from voucher_gateway.gateway.account import Account
from voucher_gateway.migration import PlannedVoucher, PlanSummary, Policy, make_plan, read_vouchers
from voucher_gateway.provider_api import SecretSource
from voucher_gateway.simulator import RunningSimulator, start
from voucher_gateway_jtl import JtlProvider, JtlSettings
from voucher_gateway_ticketing import TicketingProvider, TicketingSettings

TEXTS = frozenset({"sku", "batch", "tax", "metadata", "order", "medium", "pin"})
"""All that ticketing loses of a seeded JTL voucher."""


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
        arrived = [*self.jtl.requests, *self.ticketing.requests]
        return [f"{one.method} {one.path}" for one in arrived if one.method != "GET" and one.path != "/oauth/token"]

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
def make_vendors(tmp_path: Path) -> Iterator[Callable[..., Vendors]]:
    """Makes pairs of vendors; options go to the simulators as ``jtl_...`` and ``ticketing_...``."""
    started: list[RunningSimulator] = []
    with ExitStack() as stack:

        def begin(name: str, options: dict[str, Any]) -> RunningSimulator:
            own = {key.removeprefix(f"{name}_"): value for key, value in options.items() if key.startswith(f"{name}_")}
            started.append(stack.enter_context(start(name, **{"seed": 3, **own})))
            return started[-1]

        def make(*, scopes: tuple[str, ...] = (), page_size: int = 100, workers: int = 4, **options: Any) -> Vendors:
            jtl, ticketing = begin("jtl", options), begin("ticketing", options)
            said = jtl.announcement
            one = JtlProvider(
                "shop",
                JtlSettings(
                    base_url=said["base_url"],
                    client_id=said["client_id"],
                    client_secret=SecretSource.of(said["client_secret"]),
                    page_size=page_size,
                    scopes=scopes,
                ),
            )
            said = ticketing.announcement
            other = TicketingProvider(
                "events",
                TicketingSettings(
                    base_url=said["base_url"],
                    api_key=SecretSource.of(said["api_key"]),
                    page_size=page_size,
                    workers=workers,
                ),
            )
            accounts = [
                Account(name="shop", provider=one),
                Account(name="events", provider=other, accept_risks=frozenset({"redeem-by-update"})),
            ]
            gateway = stack.enter_context(Gateway(accounts, journal=f"sqlite:///{tmp_path}/journal.db"))
            return Vendors(jtl, ticketing, gateway, tmp_path)

        yield make
        assert [crash for running in started for crash in running.crashes] == []


@pytest.fixture
def vendors(make_vendors: Callable[..., Vendors]) -> Vendors:
    """Two vendors without vouchers."""
    return make_vendors()
