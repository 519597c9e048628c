"""What must hold in every state that can be reached."""

from __future__ import annotations

from tests.model_check.world import World


def broken(world: World) -> str | None:
    """Return the promise that a state breaks; None if it keeps all of them."""
    if world.ended_anothers:
        return "a reservation ended that of the other buyer"
    if world.misled:
        return "a caller was given the result of another call"
    for charge in world.charges:
        if world.reservations[charge.reservation].buyer != charge.buyer:
            return "a capture took another buyer's reservation"
    for buyer, operation in enumerate(world.operations):
        happened = world.happened(buyer)
        if happened > 1:
            return f"the {operation.kind} of buyer {buyer} happened twice"
        if operation.state == "succeeded" and not happened:
            return f"the {operation.kind} of buyer {buyer} is said to have succeeded, and did not happen"
        if operation.state == "not_executed" and happened:
            return f"the {operation.kind} of buyer {buyer} is said to be not executed, and happened"
    return None
