"""Which emulations an account can have, and how one that it cannot have is refused."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Final

import attrs

from voucher_gateway.capabilities import RISKS, Capabilities, Operation, OperationSupport, RepeatSafety, Support
from voucher_gateway.errors import MissingScope, UnsupportedOperation
from voucher_gateway.provider import VoucherProvider


def _always(_: Capabilities) -> bool:
    return True


def _lapses(capabilities: Capabilities) -> bool:
    rules = capabilities.reservations
    return rules is not None and not rules.release and rules.time_to_live is not None


def _writes(capabilities: Capabilities) -> bool:
    return capabilities.can_overwrite_value


@attrs.frozen
class _Emulation:
    """One emulation.

    Attributes:
        name: as in `RISKS` and in ``accept_risks``.
        operations: what it stands for: all of them or none, since it gives a reservation a meaning of its own.
        made_of: the operations that the vendor must have.
        possible: what else must be so.
        partial: whether a part of the amount may be taken.
        repeat: what makes a repeated call safe.
    """

    name: str
    operations: tuple[Operation, ...]
    made_of: tuple[Operation, ...] = ()
    possible: Callable[[Capabilities], bool] = _always
    partial: bool | None = None
    repeat: RepeatSafety = RepeatSafety.LOOK_UP


_EMULATIONS: Final = (
    _Emulation("redeem-by-capture", (Operation.REDEEM,), made_of=(Operation.RESERVE, Operation.CAPTURE)),
    _Emulation("release-by-expiry", (Operation.RELEASE,), possible=_lapses),
    _Emulation(
        "reserve-by-redeem",
        (Operation.RESERVE, Operation.CAPTURE, Operation.RELEASE),
        made_of=(Operation.REDEEM, Operation.REFUND),
        partial=True,
    ),
    _Emulation("redeem-by-update", (Operation.REDEEM,), possible=_writes),
    _Emulation("refund-by-update", (Operation.REFUND,), possible=_writes, partial=True),
    _Emulation("top-up-by-update", (Operation.TOP_UP,), possible=_writes),
)


def with_emulations(capabilities: Capabilities, accept_risks: Collection[str]) -> Capabilities:
    """Return the capabilities with every emulation that is possible and safe, or whose risk is accepted.

    Those that would have to be accepted first are named in what stays unsupported. What would be made of an operation
    that the login may not use is denied as that is.
    """
    changed: dict[Operation, OperationSupport] = {}
    for emulation in _EMULATIONS:
        needed = [capabilities.of(operation) for operation in emulation.made_of]
        lacking = [
            operation
            for operation in emulation.operations
            if operation not in changed and capabilities.of(operation).support is Support.UNSUPPORTED
        ]
        if (
            len(lacking) < len(emulation.operations)
            or not all(operation.support in (Support.NATIVE, Support.DENIED) for operation in needed)
            or not emulation.possible(capabilities)
        ):
            continue
        denied = next((operation for operation in needed if operation.support is Support.DENIED), None)
        for operation in lacking:
            changed[operation] = _support(emulation, capabilities.of(operation), denied, accept_risks)
    return capabilities.with_support(changed)


def _support(
    emulation: _Emulation, before: OperationSupport, denied: OperationSupport | None, accept_risks: Collection[str]
) -> OperationSupport:
    risk = RISKS.get(emulation.name)
    if denied is not None:
        return attrs.evolve(before, support=Support.DENIED, emulation=emulation.name, risk=risk, note=denied.note)
    accepted = risk is None or emulation.name in accept_risks
    return attrs.evolve(
        before,
        support=Support.EMULATED if accepted else Support.UNSUPPORTED,
        emulation=emulation.name,
        risk=risk,
        partial=emulation.partial,
        repeat=emulation.repeat,
    )


def unsupported_error(
    provider: VoucherProvider, operation: Operation, support: OperationSupport
) -> UnsupportedOperation | MissingScope:
    """Return the error for an operation that is not to be had, with the emulation that could be accepted."""
    if support.support is Support.DENIED:
        return MissingScope(support.note, account=provider.account, operation=operation.value)
    message = f"{provider.title} has no {operation.value.replace('_', '-')}"
    if support.emulation is not None and support.risk is not None:
        message += (
            f" of its own; the gateway could emulate it as {support.emulation}, at this risk: {support.risk}."
            f' To accept it, put accept_risks = ["{support.emulation}"] into the account {provider.account}'
        )
    elif support.note:
        message += f": {support.note}"
    return UnsupportedOperation(
        message, emulation=support.emulation, account=provider.account, operation=operation.value
    )
