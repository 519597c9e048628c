"""The state of the model: a vendor with one voucher, the network, the journal, and the workers.

Modelled: two buyers with one operation each on one voucher; a vendor like JTL, where a later reservation ends an
earlier one, a charge carries the reference it was sent under, and a refund carries none; requests that arrive late or
never; answers that get lost; workers that lose their lock, because they died or because they are frozen and will go
on later; callers that repeat a call, and `recover`, which only looks; a filtered history that lags behind; time.

Not modelled: amounts (every charge and refund has the same one, which is the hard case), the vendor's own refusals for
want of value, reading errors (they leave an operation unknown), the two commits of a take-over (here one step), the
database (what it commits stays), other channels than the journal's.
"""

from __future__ import annotations

from typing import NamedTuple


class Row(NamedTuple):
    """A request in the journal that may have been carried out."""

    reference: str
    reservation: int
    seen: frozenset[int]


class Worker(NamedTuple):
    """A process on an operation.

    `at` is what it does next: ``reserve``, ``look``, ``send``, ``wait`` or ``record``. The row is committed in the same
    step as the request is sent: dying in between is the same as a request that never arrives, and freezing in between
    the same as one that arrives late.
    """

    at: str
    epoch: int
    attempt: int
    locked: bool = True
    reservation: int = -1
    seen: frozenset[int] = frozenset()
    heard: str = ""
    made: int = -1


class Operation(NamedTuple):
    """An operation as the journal has it, and its workers. What is written in the end is what the caller is told."""

    kind: str
    """``redeem`` or ``refund``."""
    state: str = "none"
    epoch: int = 0
    attempt: int = 0
    rows: tuple[Row, ...] = ()
    result: int = -1
    workers: tuple[Worker, ...] = ()
    losses: int = 0


class Reservation(NamedTuple):
    """A reservation at the vendor; its id is its place."""

    buyer: int
    made: int
    state: str = "live"


class Charge(NamedTuple):
    """A charge at the vendor. Who it was meant for is the truth that only the model knows."""

    buyer: int
    reference: str
    reservation: int


class Request(NamedTuple):
    """A request under way."""

    buyer: int
    attempt: int
    reference: str
    reservation: int


class System(NamedTuple):
    """Everything."""

    operations: tuple[Operation, ...]
    time: int = 0
    reservations: tuple[Reservation, ...] = ()
    charges: tuple[Charge, ...] = ()
    refunds: tuple[int, ...] = ()
    """By id, which is the place: whose it truly was, -1 for another channel's."""
    under_way: frozenset[Request] = frozenset()
    ended_anothers: bool = False
    """A reservation ended that of the other buyer."""
    misled: bool = False
    """A caller was given the result of another call."""

    def happened(self, buyer: int) -> int:
        """Return how often a buyer's operation has truly moved money."""
        if self.operations[buyer].kind == "refund":
            return self.refunds.count(buyer)
        return sum(charge.buyer == buyer for charge in self.charges)

    def standing(self, reservation: int) -> bool:
        """Whether a reservation can be captured now."""
        one = self.reservations[reservation]
        return one.state == "live" and one.made == self.time
