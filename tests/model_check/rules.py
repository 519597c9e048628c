"""The rules that keep money from moving twice, as switches of the model."""

from __future__ import annotations

import attrs


@attrs.frozen(kw_only=True)
class Rules:
    """Which rules hold. Without any one of them, the exploration finds how money is lost, or a false word is said."""

    row_before_request: bool = True
    """A row is committed before each request that takes or gives money; without a row nothing was sent."""
    epoch_fencing: bool = True
    """Who takes an operation over raises its epoch, and nobody commits a row under an older one."""
    replay: bool = True
    """An operation that succeeded is never begun again."""
    no_repeat_while_unknown: bool = True
    """What may have run is not sent again."""
    absence_only_after_expiry: bool = True
    """That a charge is not there proves nothing while its reservation can still be captured."""
    absence_by_whole_history: bool = True
    """The filtered history may lag behind: it shows that a charge is there, never that it is not."""
    own_wire_reference: bool = True
    """Each attempt goes out under a name of its own, not under the shop's order alone."""
    capture_names_reservation: bool = True
    """A capture takes one certain reservation, not whichever the voucher has."""
    holds_respected: bool = True
    """A reservation does not end another buyer's."""
    one_open_refund: bool = True
    """A refund is not begun while another of the voucher is not settled."""
    refunds_seen_noted: bool = True
    """Which refunds were there before is noted with the row."""
    movement_proves_one: bool = True
    """A refund that is the result of one operation does not prove another."""
    same_key_same_intent: bool = True
    """A reference that comes again for something else is refused."""


NAMES: tuple[str, ...] = tuple(field.name for field in attrs.fields(Rules))


def without(name: str) -> Rules:
    """Return all rules but one."""
    return Rules(**{name: False})
