"""The state of the model of a payment: two legs and a card, their vendors, the network, and the workers.

Modelled: a leg that is held and a leg that is only checked, whose voucher may be spent elsewhere; a card processor that
knows idempotency keys; requests that arrive late or never; answers that get lost; workers that authorize, capture and
cancel, lose the lock, because they died or because they are frozen and will go on later, and are followed by others, as
`resume` and `recover` do it. A look at the vendor finds what happened, and proves that a request did not happen as soon
as it cannot arrive any more: the other model shows why that may be believed.

Not modelled: amounts (a leg is taken or not), reservations that end (they are made again under the next generation,
with a reference of their own), refunds of a captured payment, the second authorization of a payment that is short.
"""

from __future__ import annotations

from typing import NamedTuple

CARD = 0
"""The number of the card among the legs, which are numbered from 1."""


class Leg(NamedTuple):
    """A leg: its row, its operations in the journal, and the truth at the vendor.

    `take` and `give` are "", ``sent``, ``done`` or ``refused``.
    """

    holdable: bool
    state: str = "standing"
    take: str = ""
    give: str = ""
    free: bool = True
    """Whether its value can still be taken at the vendor."""
    taken: int = 0
    given: int = 0


class Card(NamedTuple):
    """The card: its row, and the truth at the processor."""

    state: str = "none"
    hold: str = ""
    """At the processor: "", ``live`` or ``void``."""
    captured: int = 0
    refunded: int = 0
    keys: frozenset[tuple[str, int]] = frozenset()


class Request(NamedTuple):
    """A request under way. The key is the same for every worker, or the worker's own epoch."""

    kind: str
    target: int
    key: int = 0


class Worker(NamedTuple):
    """A process on the payment.

    `at` is what it does next: ``choose``, ``send``, ``wait`` or ``hear``.
    """

    goal: str
    epoch: int
    at: str = "choose"
    request: Request | None = None
    heard: str = ""
    doubts: frozenset[int] = frozenset()
    """What is not known at the end of this run."""
    locked: bool = True


class Payment(NamedTuple):
    """Everything."""

    state: str
    legs: tuple[Leg, Leg] = (Leg(holdable=True), Leg(holdable=False))
    card: Card = Card()
    epoch: int = 0
    workers: tuple[Worker, ...] = ()
    losses: int = 0
    under_way: frozenset[Request] = frozenset()
    taken_early: bool = False
    """A held leg was taken before one that can still fail was asked."""

    def leg(self, number: int) -> Leg:
        """Return the leg of a number."""
        return self.legs[number - 1]

    def with_leg(self, number: int, **changes: object) -> Payment:
        """Return the payment with changes of one leg."""
        leg = self.leg(number)._replace(**changes)  # type: ignore[arg-type]  # fields of a leg by name
        return self._replace(legs=(leg, self.legs[1]) if number == 1 else (self.legs[0], leg))

    def with_card(self, **changes: object) -> Payment:
        """Return the payment with changes of the card."""
        return self._replace(card=self.card._replace(**changes))  # type: ignore[arg-type]  # fields of a card by name

    def is_under_way(self, kind: str, target: int) -> bool:
        """Whether a request of this kind may still arrive."""
        return any((request.kind, request.target) == (kind, target) for request in self.under_way)


def broken_payment(payment: Payment) -> str | None:
    """Return the promise that a state breaks; None if it keeps all of them."""
    card, legs = payment.card, payment.legs
    if any(leg.taken > 1 for leg in legs) or card.captured > 1:
        return "something was taken twice"
    if any(leg.given > leg.taken for leg in legs) or card.refunded > card.captured:
        return "more was given back than was taken"
    nets = [leg.taken - leg.given for leg in legs]
    net_card = card.captured - card.refunded
    if payment.state in ("open", "authorized") and (any(nets) or net_card):
        return f"something was taken of a payment that is {payment.state}"
    if payment.state == "captured" and (not all(nets) or not net_card):
        return "the payment is captured, and something of it was not taken"
    if payment.state == "cancelled" and (any(nets) or net_card or (card.hold == "live" and not card.captured)):
        return "the payment is cancelled, and something of it was taken or is authorized"
    if any(leg.state == "lost" and leg.taken for leg in legs):
        return "a leg is said to be lost, and was taken"
    if payment.state not in ("cancelling", "cancelled") and net_card and not all(nets):
        return "the card was captured, and a leg was not taken"
    if card.hold == "live" and any(leg.state == "planned" for leg in legs):
        return "the card was authorized before it was known whether every leg can be had"
    if payment.taken_early:
        return "a held leg was taken before one that can still fail was asked"
    return None
