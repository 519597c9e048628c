"""Injects faults into calls: once, until the call is over, or one after another."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from voucher_gateway.simulator import FAULTS
from voucher_gateway.testing.harness.vendor import VendorUnderTest

LAGGING: Final = "lagging-lookups"
"""The fault by which look-ups answer from an older ledger, if the vendor has it."""

LOST: Final = "commit-then-drop"
"""The fault by which the vendor carries the request out and its answer is lost, if the vendor has it."""

UNDOCUMENTED: Final = ("status-408-after-commit", "status-409-after-commit", "status-425-after-commit")
"""Faults by which a request that was carried out is answered with a status that is not a documented refusal."""

_FAR: Final = 1_000_000
"""The position of a request that never comes."""

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


class LookupLag:
    """Lets a vendor's look-ups show the ledger of before a call, for as long as a test wants.

    Args:
        vendor: the vendor. If it cannot do that, nothing is ever prepared.

    Attributes:
        prepared: whether the ledger of before the call is kept.
    """

    def __init__(self, vendor: VendorUnderTest) -> None:
        self.prepared = False
        self._vendor = vendor

    def prepare(self) -> None:
        """Keep the present ledger. Call it right before the call."""
        if LAGGING in self._vendor.faults and callable(getattr(self._vendor, "lift_fault", None)):
            self._vendor.inject_fault(LAGGING, _FAR)
            self.prepared = True

    @contextmanager
    def lagging(self) -> Iterator[None]:
        """Let look-ups show the kept ledger inside the block. At its end, every fault of the vendor is removed."""
        for request in range(_REQUESTS * _REQUESTS):
            self._vendor.inject_fault(LAGGING, request)
        try:
            yield
        finally:
            self._vendor.clear_faults()
            self.prepared = False
