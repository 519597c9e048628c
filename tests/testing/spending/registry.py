"""Providers that break a promise of the spend or the crash-safe level, by name, with the promise that each breaks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs

from voucher_gateway.provider_api import Capabilities, Operation, OperationSupport, ReservationRules, VoucherProvider

BROKEN: dict[str, tuple[type[VoucherProvider], str]] = {}


def breaks(number: str) -> Callable[[type[VoucherProvider]], type[VoucherProvider]]:
    """Note that a provider breaks a promise."""

    def note(provider: type[VoucherProvider]) -> type[VoucherProvider]:
        assert provider.__name__ not in BROKEN
        BROKEN[provider.__name__] = (provider, number)
        return provider

    return note


def claiming(declared: Capabilities, operations: Mapping[Operation, OperationSupport]) -> Capabilities:
    """Return capabilities with other words about some operations."""
    return declared.with_support(operations)


def with_rules(declared: Capabilities, **rules: Any) -> Capabilities:
    """Return capabilities with other rules of reservations."""
    assert isinstance(declared.reservations, ReservationRules)
    return attrs.evolve(declared, reservations=attrs.evolve(declared.reservations, **rules))
