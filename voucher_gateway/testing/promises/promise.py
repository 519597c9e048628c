"""Promises: what the contract requires of a provider, and the rules for which providers they apply."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from voucher_gateway.capabilities import Capabilities, Operation, Support
from voucher_gateway.conformance import Level

Applies = Callable[[Capabilities], str | None]
"""Says of a provider's capabilities why a promise cannot be asked of it, in a sentence; None if it can."""


def always(_: Capabilities) -> str | None:
    """Every provider can be held to it."""
    return None


def requires(*operations: Operation) -> Applies:
    """Return the rule of a promise about vendors that have all these operations themselves."""

    def applies(declared: Capabilities) -> str | None:
        lacking = [operation.value for operation in operations if declared.of(operation).support is not Support.NATIVE]
        return f"the provider does not declare {' and '.join(lacking)}" if lacking else None

    return applies


def requires_any(*operations: Operation) -> Applies:
    """Return the rule of a promise about vendors that have one of these operations themselves."""

    def applies(declared: Capabilities) -> str | None:
        if any(declared.of(operation).support is Support.NATIVE for operation in operations):
            return None
        return f"the provider declares neither {' nor '.join(operation.value for operation in operations)}"

    return applies


def requires_all(*rules: Applies) -> Applies:
    """Return the rule that several rules make: the first reason why not."""

    def applies(declared: Capabilities) -> str | None:
        return next((why for rule in rules if (why := rule(declared)) is not None), None)

    return applies


def requires_that(holds: Callable[[Capabilities], bool], why_not: str) -> Applies:
    """Return the rule of a promise about something that is declared.

    Args:
        holds: whether it is.
        why_not: the sentence where it is not.
    """
    return lambda declared: None if holds(declared) else why_not


def requires_spending(declared: Capabilities) -> str | None:
    """Say why value cannot be taken off a voucher, if it cannot."""
    if declared.of(Operation.REDEEM).support is Support.NATIVE:
        return None
    if all(declared.of(operation).support is Support.NATIVE for operation in (Operation.RESERVE, Operation.CAPTURE)):
        return None
    return "the provider declares no way to take value off a voucher"


@attrs.frozen
class Promise:
    """One sentence that a provider is held to.

    Attributes:
        number: the number in docs/contract.md: a letter for the subject, and a count.
        level: the first level that needs it.
        says: the promise.
        advice: what to change in a provider that breaks it.
        applies: why it cannot be asked of a provider with these capabilities; None where it can.
        wire: whether the test must change replies on their way, which only a vendor with a simulator can.
        fault: what must be able to go wrong at the vendor, or there is nothing to try.
    """

    number: str
    level: Level
    says: str
    advice: str
    applies: Applies = always
    wire: bool = False
    fault: str | None = None
