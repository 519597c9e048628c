"""Vouchers that a vendor shows in a form that cannot be read."""

from __future__ import annotations

from typing import Any

from voucher_gateway.simulator import RunningSimulator

NO_CURRENCY = "ZZZ"
"""Three letters that no currency has."""


def make_unreadable(running: RunningSimulator, *ids: str) -> None:
    """Let a JTL simulator show these vouchers in a currency that does not exist."""
    state: dict[str, Any] = running.simulator.dump()
    vouchers = {voucher["id"]: voucher for voucher in state["vouchers"]}
    for id in ids:
        vouchers[id]["currency"] = NO_CURRENCY
    running.simulator.load(state)
