"""Promises: what the contract requires of a provider, and the rules for which providers they apply."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from voucher_gateway.capabilities import Capabilities, Operation, Support
from voucher_gateway.conformance import Level

Applies = Callable[[Capabilities], str | None]
"""Returns the reason why a promise does not apply to a provider with these capabilities; None if it applies."""


def always(_: Capabilities) -> str | None:
    """Return None: the promise applies to every provider."""
    return None


def requires(*operations: Operation) -> Applies:
    """Return the rule that all these operations are native."""

    def applies(declared: Capabilities) -> str | None:
        lacking = [operation.value for operation in operations if declared.of(operation).support is not Support.NATIVE]
        return f"the provider does not declare {' and '.join(lacking)}" if lacking else None

    return applies


def requires_any(*operations: Operation) -> Applies:
    """Return the rule that one of these operations is native."""

    def applies(declared: Capabilities) -> str | None:
        if any(declared.of(operation).support is Support.NATIVE for operation in operations):
            return None
        return f"the provider declares neither {' nor '.join(operation.value for operation in operations)}"

    return applies


def requires_all(*rules: Applies) -> Applies:
    """Return the rule that all these rules apply; its reason is the first one."""

    def applies(declared: Capabilities) -> str | None:
        return next((why for rule in rules if (why := rule(declared)) is not None), None)

    return applies


def requires_that(holds: Callable[[Capabilities], bool], why_not: str) -> Applies:
    """Return the rule that a condition on the declared capabilities holds.

    Args:
        holds: the condition.
        why_not: the reason if it does not hold.
    """

    def applies(declared: Capabilities) -> str | None:
        return None if holds(declared) else why_not

    return applies


def requires_spending(declared: Capabilities) -> str | None:
    """Return the reason why the provider cannot take value off a voucher; None if it can."""
    if declared.of(Operation.REDEEM).support is Support.NATIVE:
        return None
    if all(declared.of(operation).support is Support.NATIVE for operation in (Operation.RESERVE, Operation.CAPTURE)):
        return None
    return "the provider declares neither redeem nor reserve and capture"


@attrs.frozen
class Promise:
    """One sentence that a provider must keep.

    Attributes:
        number: the number in docs/contract.md: a letter for the subject, and a count.
        level: the first level that needs it.
        says: the promise.
        advice: what to change in a provider that breaks it.
        applies: returns the reason why it does not apply to a provider with these capabilities; None if it applies.
        wire: whether the test must change replies on their way, which only a vendor with a simulator can.
        fault: the fault that the vendor must have for the test.
        may_stay_untried: whether its level can be reached although the run found nothing to try the promise on.
    """

    number: str
    level: Level
    says: str
    advice: str
    applies: Applies = always
    wire: bool = False
    fault: str | None = None
    may_stay_untried: bool = False
