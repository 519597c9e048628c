"""The table of emulations, and which of them an account can use.

A new emulation is a function ``(command, steps, provider)`` and one row of `EMULATIONS`. Everything that must know a
fact about an emulation asks this table.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Final

import attrs

from voucher_gateway.capabilities import Capabilities, Operation, OperationSupport, RepeatSafety, Support
from voucher_gateway.commands.steps import Strategy
from voucher_gateway.emulation.by_other_operations import (
    capture_already_redeemed,
    deactivate_by_expiry,
    redeem_by_capture,
    refund_by_top_up,
    release_already_redeemed,
    release_by_expiry,
    reserve_by_redeem,
)
from voucher_gateway.emulation.by_update import redeem_by_update, refund_by_update, top_up_by_update
from voucher_gateway.errors import MissingScope, UnsupportedOperation
from voucher_gateway.provider.provider import VoucherProvider


@attrs.frozen(kw_only=True)
class EmulatedOperation:
    """How an emulation runs one operation.

    Attributes:
        run: the function.
        decided_by: the operation whose request decides the outcome; None where nothing is sent.
        requests: how many requests the usual call takes.
    """

    run: Strategy
    decided_by: Operation | None
    requests: int


@attrs.frozen(kw_only=True)
class Emulation:
    """One emulation.

    Attributes:
        name: its name, also in ``accept_risks``.
        stands_for: the operations that it emulates: all of them or none, because they belong together.
        needs: the operations that the vendor must have.
        is_possible: whether the vendor's other capabilities allow it.
        risk: what can go wrong, which an account must accept by name; None if nothing can.
        partial: whether a part of the amount may be taken; None where that has no meaning.
        repeat: what makes a repeated call safe.
        only_after_move: whether it is used only for vouchers that were moved to another account.
    """

    name: str
    stands_for: Mapping[Operation, EmulatedOperation]
    needs: tuple[Operation, ...] = ()
    is_possible: Callable[[Capabilities], bool] | None = None
    risk: str | None = None
    partial: bool | None = None
    repeat: RepeatSafety = RepeatSafety.LOOK_UP
    only_after_move: bool = False


def _reservations_expire(capabilities: Capabilities) -> bool:
    rules = capabilities.reservations
    return rules is not None and not rules.release and rules.time_to_live is not None


def _can_overwrite_value(capabilities: Capabilities) -> bool:
    return capabilities.can_overwrite_value


def _takes_ends_of_validity(capabilities: Capabilities) -> bool:
    return capabilities.expiry.takes_instants


_OVERWRITES: Final = "the voucher's value is overwritten: a change by another party at the same moment can be lost"

_ROWS: Final = (
    Emulation(
        name="redeem-by-capture",
        stands_for={
            Operation.REDEEM: EmulatedOperation(run=redeem_by_capture, decided_by=Operation.CAPTURE, requests=2)
        },
        needs=(Operation.RESERVE, Operation.CAPTURE),
    ),
    Emulation(
        name="release-by-expiry",
        stands_for={Operation.RELEASE: EmulatedOperation(run=release_by_expiry, decided_by=None, requests=0)},
        is_possible=_reservations_expire,
    ),
    Emulation(
        name="redeem-by-update",
        stands_for={Operation.REDEEM: EmulatedOperation(run=redeem_by_update, decided_by=Operation.REDEEM, requests=4)},
        is_possible=_can_overwrite_value,
        risk=f"{_OVERWRITES}, an equal one cannot even be seen, and the vendor keeps no history of it",
    ),
    Emulation(
        name="refund-by-update",
        stands_for={Operation.REFUND: EmulatedOperation(run=refund_by_update, decided_by=Operation.REFUND, requests=3)},
        is_possible=_can_overwrite_value,
        risk=(
            f"{_OVERWRITES}, the vendor keeps no history of it, and does not count refunds: the journal does, and"
            " without a journal nothing stops refunds that together are more than was redeemed"
        ),
        partial=True,
    ),
    Emulation(
        name="top-up-by-update",
        stands_for={Operation.TOP_UP: EmulatedOperation(run=top_up_by_update, decided_by=Operation.TOP_UP, requests=3)},
        is_possible=_can_overwrite_value,
        risk=f"{_OVERWRITES}, and the vendor keeps no history of it",
    ),
    Emulation(
        name="deactivate-by-expiry",
        stands_for={
            Operation.DEACTIVATE: EmulatedOperation(run=deactivate_by_expiry, decided_by=Operation.UPDATE, requests=1)
        },
        needs=(Operation.UPDATE,),
        is_possible=_takes_ends_of_validity,
        risk=(
            "the end of validity is moved into the past: the former one is lost at the vendor, an update undoes it, and"
            " a vendor that takes value off expired vouchers still takes it"
        ),
    ),
    Emulation(
        name="reserve-by-redeem",
        stands_for={
            Operation.RESERVE: EmulatedOperation(run=reserve_by_redeem, decided_by=Operation.REDEEM, requests=1),
            # Only a capture of less than the whole sends a request.
            Operation.CAPTURE: EmulatedOperation(run=capture_already_redeemed, decided_by=Operation.REFUND, requests=0),
            Operation.RELEASE: EmulatedOperation(run=release_already_redeemed, decided_by=Operation.REFUND, requests=1),
        },
        needs=(Operation.REDEEM, Operation.REFUND),
        risk=(
            "the value is taken at once and given back on release: a crash in between leaves the customer without it,"
            " and nothing ends the reservation by itself"
        ),
        partial=True,
    ),
    Emulation(
        name="refund-by-top-up",
        stands_for={Operation.REFUND: EmulatedOperation(run=refund_by_top_up, decided_by=Operation.TOP_UP, requests=1)},
        needs=(Operation.TOP_UP,),
        partial=True,
        only_after_move=True,
    ),
)

EMULATIONS: Final[Mapping[str, Emulation]] = {emulation.name: emulation for emulation in _ROWS}
"""All emulations by name. Where a vendor allows several for an operation, the first one is used."""

RISKS: Final[Mapping[str, str]] = {
    name: emulation.risk for name, emulation in EMULATIONS.items() if emulation.risk is not None
}
"""The risks that an account can accept in ``accept_risks``, by the name of the emulation."""


def with_emulations(capabilities: Capabilities, accept_risks: Collection[str]) -> Capabilities:
    """Return the capabilities with every emulation that is possible and safe, or whose risk is accepted.

    An emulation whose risk is not accepted is named in the operation that stays unsupported. If an operation that it
    needs is denied to the login, the emulated operation is denied too.
    """
    changes: dict[Operation, OperationSupport] = {}
    for emulation in EMULATIONS.values():
        if emulation.only_after_move:
            continue
        needed = [capabilities.of(operation) for operation in emulation.needs]
        missing = [
            operation
            for operation in emulation.stands_for
            if operation not in changes and capabilities.of(operation).support is Support.UNSUPPORTED
        ]
        if (
            len(missing) < len(emulation.stands_for)
            or not all(support.support in (Support.NATIVE, Support.DENIED) for support in needed)
            or (emulation.is_possible is not None and not emulation.is_possible(capabilities))
        ):
            continue
        denied = next((support for support in needed if support.support is Support.DENIED), None)
        for operation in missing:
            changes[operation] = _support(emulation, capabilities.of(operation), denied, accept_risks)
    return capabilities.with_support(changes)


def _support(
    emulation: Emulation, before: OperationSupport, denied: OperationSupport | None, accept_risks: Collection[str]
) -> OperationSupport:
    if denied is not None:
        return attrs.evolve(
            before, support=Support.DENIED, emulation=emulation.name, risk=emulation.risk, note=denied.note
        )
    is_accepted = emulation.risk is None or emulation.name in accept_risks
    return attrs.evolve(
        before,
        support=Support.EMULATED if is_accepted else Support.UNSUPPORTED,
        emulation=emulation.name,
        risk=emulation.risk,
        partial=emulation.partial,
        repeat=emulation.repeat,
    )


def find_emulation(capabilities: Capabilities, operation: Operation) -> EmulatedOperation | None:
    """Return how an operation is emulated; None if it is not.

    Args:
        capabilities: with the emulations of the account, as `with_emulations` returns them.
        operation: the operation.
    """
    support = capabilities.of(operation)
    if support.support is not Support.EMULATED or support.emulation is None:
        return None
    return EMULATIONS[support.emulation].stands_for[operation]


def unsupported_error(
    provider: VoucherProvider, operation: Operation, support: OperationSupport
) -> UnsupportedOperation | MissingScope:
    """Return the error for an operation that is not available. It names the emulation that could be accepted."""
    if support.support is Support.DENIED:
        return MissingScope(support.note, account=provider.account, operation=operation.value)
    message = f"{provider.title} has no {operation.value.replace('_', '-')}"
    if support.emulation is not None and support.risk is not None:
        message += (
            f"; the gateway can emulate it as {support.emulation}, at this risk: {support.risk}."
            f' To accept it, write accept_risks = ["{support.emulation}"] in the account {provider.account}'
        )
    elif support.note:
        message += f": {support.note}"
    return UnsupportedOperation(
        message, emulation=support.emulation, account=provider.account, operation=operation.value
    )
