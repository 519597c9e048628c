"""The contract that every provider keeps, for authors of providers, and fixtures for shops.

An author derives a test class from `ProviderContract`; docs/contract.md has the promises. Needs the extra ``testing``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from voucher_gateway.conformance import Level
    from voucher_gateway.testing.contract import ProviderContract
    from voucher_gateway.testing.harness.canary import Canary
    from voucher_gateway.testing.harness.vendor import SimulatorVendor, VendorUnderTest
    from voucher_gateway.testing.promise import Promise
    from voucher_gateway.testing.promise_checks import BrokenPromise, for_promise
    from voucher_gateway.testing.promises import PROMISES

__all__ = [
    "PROMISES",
    "BrokenPromise",
    "Canary",
    "Level",
    "Promise",
    "ProviderContract",
    "SimulatorVendor",
    "VendorUnderTest",
    "for_promise",
]

# pytest imports this package in every run where the library is installed, so nothing is loaded before it is used.
_HOMES = {
    "Level": "voucher_gateway.conformance",
    "Canary": "voucher_gateway.testing.harness.canary",
    "ProviderContract": "voucher_gateway.testing.contract",
    "BrokenPromise": "voucher_gateway.testing.promise_checks",
    "Promise": "voucher_gateway.testing.promise",
    "keeps": "voucher_gateway.testing.promise_checks",
    "PROMISES": "voucher_gateway.testing.promises",
    "SimulatorStage": "voucher_gateway.testing.harness.vendor",
    "Stage": "voucher_gateway.testing.harness.vendor",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
