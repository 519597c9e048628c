"""What the two ends of a migration can do, by their capabilities and never by their names.

Beside the operations, a provider declares these capabilities: ``stored_fields``, the fields of a new voucher that it
stores; ``max_text_lengths``; ``can_issue_inactive``; ``expiry_resolution``; ``requests_per_operation``; and
``record``, which a file sets. Without these, a target is taken to store only the value and the end of validity.
"""

from __future__ import annotations

import attrs

from voucher_gateway.capabilities import Capabilities, Operation, Support
from voucher_gateway.errors import InvalidRequest, UnsupportedOperation
from voucher_gateway.migration.plan.model import Step
from voucher_gateway.migration.plan.policy import Retire


@attrs.frozen
class Route:
    """How each voucher goes from the source to the target.

    Attributes:
        steps: what is done, in order.
        retire: how the source voucher is made unspendable for good.
        twice: whether a voucher can be spent at both ends between two of the steps.
        permanently: whether it stays so.
    """

    steps: tuple[Step, ...]
    retire: Retire
    double_spendable: bool = False
    permanently: bool = False


def can_freeze(source: Capabilities) -> bool:
    """Whether a voucher of the source can be stopped, and started again."""
    return all(_native(source, operation) for operation in (Operation.DEACTIVATE, Operation.ACTIVATE))


def can_activate_later(target: Capabilities) -> bool:
    """Whether a voucher can be at the target before it is spendable there."""
    return target.can_issue_inactive and _native(target, Operation.ACTIVATE)


def retire_options(source: Capabilities) -> tuple[Retire, ...]:
    """Return how vouchers of the source can be made unspendable for good, the best way first."""
    if source.record:
        return (Retire.LEAVE,)
    ways = []
    if can_freeze(source):
        ways.append(Retire.KEEP_FROZEN)
    if _native(source, Operation.UPDATE) and source.expiry.takes_instants:
        ways.append(Retire.EXPIRE)
    if source.of(Operation.REDEEM).available:
        ways.append(Retire.EMPTY)
    if _native(source, Operation.DELETE):
        ways.append(Retire.DELETE)
    return tuple(ways)


def choose_route(
    source: Capabilities, target: Capabilities, *, copy: bool = False, retire: Retire | None = None
) -> Route:
    """Return the steps between two accounts, in an order that lets no voucher be spent twice, where there is one.

    Args:
        source: what the source can do.
        target: what the target can do.
        copy: whether the source is to stay as it is.
        retire: how its vouchers are to end; None for the best way.

    Raises:
        UnsupportedOperation: if the source cannot be listed, the target cannot be issued at, or the source's vouchers
            cannot be made unspendable in any way, or in the one that is asked for.
        InvalidRequest: if a copy is to be retired.
    """
    _require(source, Operation.VOUCHERS, "the source's vouchers cannot be listed")
    _require(target, Operation.ISSUE, "no voucher can be issued at the target")
    later = can_activate_later(target)
    if copy or source.record:
        if retire not in (None, Retire.LEAVE):
            raise InvalidRequest(
                "the source of a copy is left as it is", field="retire", rule="leave, where vouchers are copied"
            )
        doubled = not (source.record or target.record)
        steps = (Step.REREAD, Step.CREATE, Step.CONFIRM, *((Step.ACTIVATE,) if later else ()))
        return Route(steps, Retire.LEAVE, double_spendable=doubled, permanently=doubled)
    chosen = _choose_retire_option(source, retire)
    # A frozen voucher cannot be redeemed, so one that is to be emptied is not frozen first.
    if can_freeze(source) and chosen is not Retire.EMPTY:
        retiring = () if chosen is Retire.KEEP_FROZEN else (Step.RETIRE,)
        starting = (Step.ACTIVATE,) if later else ()
        return Route((Step.FREEZE, Step.REREAD, Step.CREATE, Step.CONFIRM, *starting, *retiring), chosen)
    if later:
        return Route((Step.REREAD, Step.CREATE, Step.CONFIRM, Step.RETIRE, Step.ACTIVATE), chosen)
    return Route((Step.REREAD, Step.CREATE, Step.CONFIRM, Step.RETIRE), chosen, double_spendable=not target.record)


def _choose_retire_option(source: Capabilities, retire: Retire | None) -> Retire:
    ways = retire_options(source)
    if retire in ways:
        return retire
    names = ", ".join(ways) or "none"
    if retire is not None:
        raise UnsupportedOperation(
            f"the source's vouchers cannot be retired by {retire.value}; what it can do: {names}", operation="migrate"
        )
    if not ways:
        raise UnsupportedOperation(
            "the source's vouchers cannot be made unspendable, so they could be spent twice for good:"
            " accept a risk of redeeming there, or copy them",
            operation="migrate",
        )
    return ways[0]


def _require(capabilities: Capabilities, operation: Operation, sentence: str) -> None:
    support = capabilities.of(operation)
    if not support.available:
        note = f": {support.note}" if support.note else ""
        raise UnsupportedOperation(f"{sentence}{note}", operation=operation.value)


def _native(capabilities: Capabilities, operation: Operation) -> bool:
    return capabilities.of(operation).support is Support.NATIVE
