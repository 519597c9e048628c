"""What must hold in every state that can be reached."""

from __future__ import annotations

from tests.model_check.system import System


def broken(system: System) -> str | None:
    """Return the promise that a state breaks; None if it keeps all of them."""
    if system.ended_anothers:
        return "a reservation ended that of the other buyer"
    if system.misled:
        return "a caller was given the result of another call"
    for charge in system.charges:
        if system.reservations[charge.reservation].buyer != charge.buyer:
            return "a capture took another buyer's reservation"
    for buyer, operation in enumerate(system.operations):
        happened = system.happened(buyer)
        if happened > 1:
            return f"the {operation.kind} of buyer {buyer} happened twice"
        if operation.state == "succeeded" and not happened:
            return f"the {operation.kind} of buyer {buyer} is said to have succeeded, and did not happen"
        if operation.state == "not_executed" and happened:
            return f"the {operation.kind} of buyer {buyer} is said to be not executed, and happened"
    return None
