"""The independent checker: it compares ledgers and books with what the shop believes, and adds up by itself."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

import attrs

from tests.blackfriday.places import IssuedVoucher
from tests.support.card import kept

ZERO: Final = Decimal(0)
FINAL: Final = ("captured", "cancelled")


@attrs.frozen(kw_only=True)
class Belief:
    """What the shop believes of one payment in the end.

    Attributes:
        order: the order number.
        mark: with what its keys at the card begin.
        attempt: its number among the attempts of the order.
        state: its state.
        attention: why a person is needed; None if nobody is.
        total: what the order costs.
        given_back: what its refunds have given back.
        legs: what each voucher has paid and still pays, by account and id.
    """

    order: str
    mark: str
    attempt: int
    state: str
    attention: str | None
    total: Decimal
    given_back: Decimal
    legs: Mapping[tuple[str, str], Decimal]

    @property
    def waits(self) -> bool:
        """Whether it waits for a person."""
        return self.attention is not None or self.state not in FINAL

    @property
    def owed(self) -> Decimal:
        """What the customer owes."""
        return self.total - self.given_back if self.state == "captured" else ZERO


@attrs.frozen(kw_only=True)
class Reality:
    """What an outsider sees in the end.

    Attributes:
        vouchers: the vouchers, as they were issued.
        ledger: the vendors' ledgers.
        charges: the card's books.
    """

    vouchers: Sequence[IssuedVoucher]
    ledger: Sequence[Mapping[str, str]]
    charges: Sequence[Mapping[str, Any]]

    @property
    def by_voucher(self) -> dict[tuple[str, str], Decimal]:
        """What each voucher has paid; a voucher that was issued in between has paid less than nothing."""
        issued = {(voucher.account, voucher.id): voucher.amount for voucher in self.vouchers}
        remaining = {(entry["account"], entry["id"]): Decimal(entry["remaining"]) for entry in self.ledger}
        return {voucher: issued.get(voucher, ZERO) - amount for voucher, amount in remaining.items()}

    @property
    def taken(self) -> Decimal:
        """What was taken in all, from vouchers and cards."""
        return sum(self.by_voucher.values(), ZERO) + sum((kept(dict(charge)) for charge in self.charges), ZERO)

    def by_card(self, belief: Belief) -> Decimal:
        """What the card has paid for one payment."""
        return sum((kept(dict(charge)) for charge in self.charges if _belongs(charge, belief)), ZERO)


def _belongs(charge: Mapping[str, Any], belief: Belief) -> bool:
    return str(charge["key"]).startswith(f"{belief.mark}-")


def owed(beliefs: Iterable[Belief]) -> Decimal:
    """Return what customers owe, of the payments that are over."""
    return sum((belief.owed for belief in beliefs if not belief.waits), ZERO)


def find_differences(reality: Reality, beliefs: Sequence[Belief]) -> Iterator[str]:
    """Yield everything in which reality and the shop's beliefs differ."""
    yield from _wrong_sum(reality, beliefs)
    yield from _wrong_vouchers(reality, beliefs)
    yield from _wrong_cards(reality, beliefs)
    yield from _wrong_orders(beliefs)
    for entry in reality.ledger:
        if Decimal(entry["reserved"]) and entry["account"] != "own":  # ours have a clock that nobody moves
            yield f"voucher {entry['account']}/{entry['id']}: {entry['reserved']} is still reserved"


def _wrong_sum(reality: Reality, beliefs: Sequence[Belief]) -> Iterator[str]:
    surplus = reality.taken - owed(beliefs)
    most = sum((belief.total for belief in beliefs if belief.waits), ZERO)
    if not ZERO <= surplus <= most:
        yield f"taken {reality.taken}, owed {owed(beliefs)}, and payments of {most} wait for a person"


def _wrong_vouchers(reality: Reality, beliefs: Sequence[Belief]) -> Iterator[str]:
    expected: defaultdict[tuple[str, str], Decimal] = defaultdict(lambda: ZERO)
    doubtful: defaultdict[tuple[str, str], Decimal] = defaultdict(lambda: ZERO)
    for belief in beliefs:
        for voucher, amount in belief.legs.items():
            if belief.waits:
                doubtful[voucher] += belief.total
            else:
                expected[voucher] += amount
    for voucher, paid in reality.by_voucher.items():
        if paid < ZERO and voucher not in expected:
            continue  # a replacement, which the sum counts
        if not expected[voucher] <= paid <= expected[voucher] + doubtful[voucher]:
            orders = [belief.order for belief in beliefs if voucher in belief.legs]
            yield f"voucher {'/'.join(voucher)} paid {paid}, expected {expected[voucher]}; orders {orders}"


def _wrong_cards(reality: Reality, beliefs: Sequence[Belief]) -> Iterator[str]:
    for belief in beliefs:
        charges = [charge for charge in reality.charges if _belongs(charge, belief)]
        if belief.waits:
            continue
        if held := [charge["key"] for charge in charges if charge["status"] in ("authorized", "pending")]:
            yield f"order {belief.order} is {belief.state}, and the card still holds {held}"
        rest = belief.owed - sum(belief.legs.values(), ZERO)
        if reality.by_card(belief) != rest:
            yield f"order {belief.order} is {belief.state}: the card paid {reality.by_card(belief)}, expected {rest}"
    for charge in reality.charges:
        if kept(dict(charge)) and not any(_belongs(charge, belief) for belief in beliefs):
            yield f"the card paid {charge['captured']} for {charge['key']}, which no payment knows"


def _wrong_orders(beliefs: Sequence[Belief]) -> Iterator[str]:
    captured: defaultdict[str, int] = defaultdict(int)
    for belief in beliefs:
        captured[belief.order] += belief.state == "captured"
        if belief.waits and not belief.attention:
            yield f"order {belief.order} is {belief.state}, waits, and gives no reason"
    yield from (f"order {order} is captured {times} times" for order, times in captured.items() if times > 1)
