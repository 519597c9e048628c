"""How much of a total each voucher pays."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Final, Literal, TypeAlias

import attrs

from voucher_gateway.money import Money
from voucher_gateway.rules.amounts import AmountRules


class AllocationOrder(enum.StrEnum):
    """In which order the vouchers of a payment are used.

    Attributes:
        SOONEST_EXPIRY_FIRST: first the voucher that expires first. A voucher without an end comes last.
        AS_ENTERED: first the voucher that was entered first.
        FEWEST_VOUCHERS: as few vouchers as possible. Among as many, those that expire first.
        LARGEST_FIRST: first the voucher that can pay most.
    """

    SOONEST_EXPIRY_FIRST = "soonest-expiry-first"
    AS_ENTERED = "as-entered"
    FEWEST_VOUCHERS = "fewest-vouchers"
    LARGEST_FIRST = "largest-first"


AllocationName: TypeAlias = Literal["soonest-expiry-first", "as-entered", "fewest-vouchers", "largest-first"]
"""The name of an `AllocationOrder`."""


@attrs.frozen(kw_only=True)
class Offer:
    """What a voucher can pay.

    Attributes:
        remaining: what is left on it.
        limit: the most that the customer wants to pay with it; None for no limit.
        valid_until: when it expires; None for never.
        holdable: whether its value can be reserved. Of two vouchers that are otherwise equal, this one is used first.
        amounts: the amounts that its vendor can move.
    """

    remaining: Money
    limit: Money | None = None
    valid_until: datetime | None = None
    holdable: bool = True
    amounts: AmountRules = attrs.field(factory=AmountRules)

    def payable(self, due: Money) -> Money:
        """Return how much of an amount the voucher can pay: zero at least, and in the currency of the amount."""
        if self.remaining.currency != due.currency:
            return Money.zero(due.currency)
        most = min(self.remaining, due) if self.limit is None else min(self.remaining, due, self.limit)
        return self.amounts.round_down(most) if most.amount > 0 else Money.zero(due.currency)


_NEVER: Final = datetime.max.replace(tzinfo=UTC)


def allocate(
    total: Money, offers: Sequence[Offer], order: AllocationOrder = AllocationOrder.SOONEST_EXPIRY_FIRST
) -> list[Money]:
    """Return how much each voucher pays of a total.

    An amount that the vendor cannot move is rounded down to one that it can. The vouchers after it may pay the rest.

    Args:
        total: what is to be paid.
        offers: the vouchers, in the order in which they were entered.
        order: which of them are used first.

    Returns:
        an amount for each offer, in the order of `offers`; zero for a voucher that is not used. Their sum is at most
        the total.
    """
    amounts = [Money.zero(total.currency) for _ in offers]
    due = total
    for place in _ORDERS[order](total, offers):
        amounts[place] = offers[place].payable(due)
        due -= amounts[place]
    return amounts


def _by_entry(_: Money, offers: Sequence[Offer]) -> Iterable[int]:
    return range(len(offers))


def _by_expiry(_: Money, offers: Sequence[Offer]) -> list[int]:
    return sorted(range(len(offers)), key=lambda place: _expiry_key(offers[place], place))


def _by_size(total: Money, offers: Sequence[Offer]) -> list[int]:
    sizes = [offer.payable(total).minor for offer in offers]
    return sorted(range(len(offers)), key=lambda place: (-sizes[place], *_expiry_key(offers[place], place)))


def _by_count(total: Money, offers: Sequence[Offer]) -> list[int]:
    """Return the places of as few vouchers as possible, and then those of the others.

    The largest vouchers tell how many are needed. A voucher is then chosen, in the order of expiry, if the largest of
    those behind it can pay what is still missing after it.
    """
    sizes = [offer.payable(total).minor for offer in offers]
    missing = total.minor
    count = _count_needed(missing, sizes)
    chosen: list[int] = []
    places = _by_expiry(total, offers)
    for number, place in enumerate(places):
        if len(chosen) == count:
            break
        behind = sorted((sizes[other] for other in places[number + 1 :]), reverse=True)
        if sizes[place] + sum(behind[: count - len(chosen) - 1]) >= missing:
            chosen.append(place)
            missing -= sizes[place]
    return chosen + [place for place in places if place not in chosen]


def _count_needed(missing: int, sizes: Sequence[int]) -> int:
    count = 0
    for size in sorted(sizes, reverse=True):
        if missing <= 0:
            break
        missing -= size
        count += 1
    return count


def _expiry_key(offer: Offer, place: int) -> tuple[datetime, bool, int]:
    return (offer.valid_until or _NEVER, not offer.holdable, place)


_ORDERS: Final[dict[AllocationOrder, Callable[[Money, Sequence[Offer]], Iterable[int]]]] = {
    AllocationOrder.SOONEST_EXPIRY_FIRST: _by_expiry,
    AllocationOrder.AS_ENTERED: _by_entry,
    AllocationOrder.FEWEST_VOUCHERS: _by_count,
    AllocationOrder.LARGEST_FIRST: _by_size,
}
