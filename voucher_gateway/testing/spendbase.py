"""What the tests of the spend level are given."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from voucher_gateway.adapter import Capabilities, Operation, Support, VoucherProvider
from voucher_gateway.testing.base import Contract
from voucher_gateway.testing.promise import Applies
from voucher_gateway.testing.scenes import Scenes
from voucher_gateway.testing.stage import Stage


class SpendBase(Contract):
    """Fixtures of the spend level."""

    @pytest.fixture
    def scenes(self, stage: Stage) -> Scenes:
        """Vouchers of every kind, made by an instance of their own."""
        return Scenes(stage, stage.provider())


def has_any(*operations: Operation) -> Applies:
    """Return the rule of a promise about vendors that have one of these operations themselves."""

    def applies(declared: Capabilities) -> str | None:
        if any(declared.of(one).support is Support.NATIVE for one in operations):
            return None
        return f"the provider declares neither {' nor '.join(one.value for one in operations)}"

    return applies


def both(*rules: Applies) -> Applies:
    """Return the rule that several rules make: the first reason why not."""

    def applies(declared: Capabilities) -> str | None:
        return next((why for rule in rules if (why := rule(declared)) is not None), None)

    return applies


def that(holds: Callable[[Capabilities], bool], why_not: str) -> Applies:
    """Return the rule of a promise about something that is declared.

    Args:
        holds: whether it is.
        why_not: the sentence where it is not.
    """
    return lambda declared: None if holds(declared) else why_not


def takes(declared: Capabilities) -> str | None:
    """Say why value cannot be taken off a voucher, if it cannot."""
    if declared.of(Operation.REDEEM).support is Support.NATIVE:
        return None
    if all(declared.of(one).support is Support.NATIVE for one in (Operation.RESERVE, Operation.CAPTURE)):
        return None
    return "the provider declares no way to take value off a voucher"


def changing(provider: type[VoucherProvider] | VoucherProvider) -> Iterator[Operation]:
    """Yield the changing operations that a provider has itself."""
    for one in Operation:
        if one.changes and provider.declared.of(one).support is Support.NATIVE:
            yield one
