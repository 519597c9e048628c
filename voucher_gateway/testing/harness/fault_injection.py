"""Injects faults into calls: once, until the call is over, or one after another."""

from __future__ import annotations

from typing import Final

from voucher_gateway.simulator import FAULTS
from voucher_gateway.testing.harness.vendor import VendorUnderTest

LAGGING: Final = "lagging-lookups"
"""The fault by which look-ups answer from an older ledger, if the vendor has it."""

LOST: Final = "commit-then-drop"
"""The fault by which the vendor carries the request out and its answer is lost, if the vendor has it."""

UNDOCUMENTED: Final = ("status-408-after-commit", "status-409-after-commit", "status-425-after-commit")
"""Faults by which a request that was carried out is answered with a status that is no documented refusal."""

_REQUESTS: Final = 16
"""How many requests in a row meet a fault that lasts: more than any provider sends in one call."""


def inject_lasting(vendor: VendorUnderTest, fault: str, at: int) -> None:
    """Inject a fault at the `at`-th request from now on and at all that follow it."""
    for request in range(at, at + _REQUESTS):
        vendor.inject_fault(fault, request)


def lift_fault(vendor: VendorUnderTest, fault: str) -> bool:
    """Remove the injected faults of one name; return whether the vendor can do that."""
    lift = getattr(vendor, "lift_fault", None)
    if not callable(lift):
        return False
    lift(fault)
    return True


def lasts(vendor: VendorUnderTest, fault: str) -> bool:
    """Whether a fault can go on until a call is over: it decides what becomes of a request."""
    return vendor.faults[fault] is not None


def own_faults(vendor: VendorUnderTest) -> list[str]:
    """Return the faults that a vendor declares itself, beside those of the simulator kit."""
    return sorted(name for name in vendor.faults if name not in FAULTS and name not in UNDOCUMENTED)
