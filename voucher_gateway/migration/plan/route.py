"""Chooses the steps of a migration by the capabilities of both accounts, never by the names of their vendors.

Besides the operations, these capabilities count: ``stored_fields``, the fields of a new voucher that the vendor stores;
``max_text_lengths``; ``can_issue_inactive``; ``expiry_resolution``; ``requests_per_operation``; and ``record``, which a
file has. Without them a target is assumed to store only the value and the end of validity.
"""

from __future__ import annotations

import attrs

from voucher_gateway.capabilities import Capabilities, Operation, Support
from voucher_gateway.errors import InvalidRequest, UnsupportedOperation
from voucher_gateway.migration.plan.model import Step
from voucher_gateway.migration.plan.policy import Retire


@attrs.frozen
class MigrationRoute:
    """How each voucher is moved from the source to the target.

    Attributes:
        steps: the steps, in order.
        retire: how the source voucher is made permanently unspendable.
        double_spendable: whether a voucher can be spent at both accounts between two of the steps.
        permanently: whether it can be spent at both accounts permanently.
    """

    steps: tuple[Step, ...]
    retire: Retire
    double_spendable: bool = False
    permanently: bool = False


def can_freeze(source: Capabilities) -> bool:
    """Return whether a voucher of the source can be deactivated and activated again."""
    return all(_native(source, operation) for operation in (Operation.DEACTIVATE, Operation.ACTIVATE))


def can_activate_later(target: Capabilities) -> bool:
    """Return whether a voucher can be issued at the target before it is spendable there."""
    return target.can_issue_inactive and _native(target, Operation.ACTIVATE)


def retire_options(source: Capabilities) -> tuple[Retire, ...]:
    """Return how vouchers of the source can be made permanently unspendable, the best option first."""
    if source.record:
        return (Retire.LEAVE,)
    options = []
    if can_freeze(source):
        options.append(Retire.KEEP_FROZEN)
    if _native(source, Operation.UPDATE) and source.expiry.takes_instants:
        options.append(Retire.EXPIRE)
    if source.of(Operation.REDEEM).available:
        options.append(Retire.EMPTY)
    if _native(source, Operation.DELETE):
        options.append(Retire.DELETE)
    return tuple(options)


def choose_route(
    source: Capabilities, target: Capabilities, *, copy: bool = False, retire: Retire | None = None
) -> MigrationRoute:
    """Return the steps between two accounts, in an order in which no voucher can be spent twice, if there is one.

    Args:
        source: the capabilities of the source.
        target: the capabilities of the target.
        copy: whether the source stays as it is.
        retire: how its vouchers are retired; None for the best option.

    Raises:
        UnsupportedOperation: if the source cannot be listed, no voucher can be issued at the target, or the vouchers of
            the source cannot be made unspendable at all or in the way that is asked for.
        InvalidRequest: if the source of a copy is to be retired.
    """
    _require(source, Operation.VOUCHERS, "the source's vouchers cannot be listed")
    _require(target, Operation.ISSUE, "no voucher can be issued at the target")
    later = can_activate_later(target)
    if copy or source.record:
        if retire not in (None, Retire.LEAVE):
            raise InvalidRequest(
                "the source of a copy is not changed", field="retire", rule="leave, if vouchers are copied"
            )
        doubled = not (source.record or target.record)
        steps = (Step.REREAD, Step.CREATE, Step.CONFIRM, *((Step.ACTIVATE,) if later else ()))
        return MigrationRoute(steps, Retire.LEAVE, double_spendable=doubled, permanently=doubled)
    chosen = _choose_retire_option(source, retire)
    # A frozen voucher cannot be redeemed, so one that is to be emptied is not frozen first.
    if can_freeze(source) and chosen is not Retire.EMPTY:
        retiring = () if chosen is Retire.KEEP_FROZEN else (Step.RETIRE,)
        starting = (Step.ACTIVATE,) if later else ()
        return MigrationRoute((Step.FREEZE, Step.REREAD, Step.CREATE, Step.CONFIRM, *starting, *retiring), chosen)
    if later:
        return MigrationRoute((Step.REREAD, Step.CREATE, Step.CONFIRM, Step.RETIRE, Step.ACTIVATE), chosen)
    return MigrationRoute(
        (Step.REREAD, Step.CREATE, Step.CONFIRM, Step.RETIRE), chosen, double_spendable=not target.record
    )


def _choose_retire_option(source: Capabilities, retire: Retire | None) -> Retire:
    options = retire_options(source)
    if retire in options:
        return retire
    names = ", ".join(options) or "none"
    if retire is not None:
        raise UnsupportedOperation(
            f"the source's vouchers cannot be retired by {retire.value}; its options: {names}", operation="migrate"
        )
    if not options:
        raise UnsupportedOperation(
            "the source's vouchers cannot be made unspendable, so they could be spent twice for good;"
            " accept an emulation of redeem at the source, or copy the vouchers",
            operation="migrate",
        )
    return options[0]


def _require(capabilities: Capabilities, operation: Operation, sentence: str) -> None:
    support = capabilities.of(operation)
    if not support.available:
        note = f": {support.note}" if support.note else ""
        raise UnsupportedOperation(f"{sentence}{note}", operation=operation.value)


def _native(capabilities: Capabilities, operation: Operation) -> bool:
    return capabilities.of(operation).support is Support.NATIVE
