"""A roll-forward: the change of what is owed between two moments, line by line."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Final

import attrs

from voucher_gateway.money import Money
from voucher_gateway.reports.snapshots import Snapshot


class Line(enum.StrEnum):
    """One line of a roll-forward, in the order in which they are added up.

    Attributes:
        OPENING: what was owed at the first moment.
        ISSUED: the initial value of new vouchers, and the value that came with an activation.
        ACTIVATED: the remaining value of vouchers that could not be spent before and now can be.
        VALID_AGAIN: the remaining value of expired vouchers whose validity was extended.
        TOPPED_UP: value that was added.
        REDEEMED: value that was taken.
        REFUNDED: value of redemptions that was given back.
        ADJUSTED_UP: value that a correction added.
        ADJUSTED_DOWN: value that a correction took.
        TRANSFERRED_IN: value that came from other vouchers.
        TRANSFERRED_OUT: value that went to other vouchers.
        CASHED_OUT: value that was paid to the owner in money.
        REVERSED_UP: value that is back because a movement was undone.
        REVERSED_DOWN: value that is gone because a movement was undone.
        EXPIRED: the remaining value of vouchers whose validity ended.
        DEACTIVATED: the remaining value of vouchers that could be spent before and now cannot be, even if only for now.
        DELETED: the remaining value of vouchers that were deleted at the vendor.
        UNEXPLAINED: the change that neither the history of the vendor nor the journal explains. It may be negative.
        CLOSING: what was owed at the second moment.
    """

    OPENING = "opening"
    ISSUED = "issued"
    ACTIVATED = "activated"
    VALID_AGAIN = "valid again"
    TOPPED_UP = "topped up"
    REDEEMED = "redeemed"
    REFUNDED = "refunded"
    ADJUSTED_UP = "adjusted up"
    ADJUSTED_DOWN = "adjusted down"
    TRANSFERRED_IN = "transferred in"
    TRANSFERRED_OUT = "transferred out"
    CASHED_OUT = "cashed out"
    REVERSED_UP = "reversed up"
    REVERSED_DOWN = "reversed down"
    EXPIRED = "expired"
    DEACTIVATED = "deactivated"
    DELETED = "deleted"
    UNEXPLAINED = "unexplained"
    CLOSING = "closing"

    @property
    def sign(self) -> int:
        """1 if the line adds to what is owed, -1 if it reduces it, 0 for the two balances."""
        return _SIGNS.get(self, 1)


_SIGNS: Final = {
    Line.OPENING: 0,
    Line.CLOSING: 0,
    Line.REDEEMED: -1,
    Line.ADJUSTED_DOWN: -1,
    Line.TRANSFERRED_OUT: -1,
    Line.CASHED_OUT: -1,
    Line.REVERSED_DOWN: -1,
    Line.EXPIRED: -1,
    Line.DEACTIVATED: -1,
    Line.DELETED: -1,
}


@attrs.frozen
class CurrencyRollForward:
    """The roll-forward of one account in one currency.

    Attributes:
        currency: the currency.
        lines: an amount for each `Line`. Only `Line.UNEXPLAINED` may be negative. Redemptions and other lines that
            reduce what is owed are positive amounts, to be subtracted.

    Raises:
        ArithmeticError: if the lines do not add up exactly to the closing balance.
    """

    currency: str
    lines: Mapping[Line, Money] = attrs.field(hash=False)

    def __attrs_post_init__(self) -> None:
        result = self.lines[Line.OPENING].minor + sum(line.sign * money.minor for line, money in self.lines.items())
        if result != self.lines[Line.CLOSING].minor:
            raise ArithmeticError(
                f"the roll-forward in {self.currency} adds up to {result}, not to"
                f" {self.lines[Line.CLOSING].minor} minor units"
            )

    def balance_change(self, line: Line) -> Money:
        """Return the amount of a line as it is added: negative if it reduces what is owed."""
        return -self.lines[line] if line.sign < 0 and self.lines[line] else self.lines[line]

    @classmethod
    def of(cls, currency: str, minor: Mapping[Line, int]) -> CurrencyRollForward:
        """Return the roll-forward of amounts in minor units. A missing line is zero."""
        return cls(currency, {line: Money.from_minor(minor.get(line, 0), currency) for line in Line})


@attrs.frozen
class Unexplained:
    """A voucher whose balance changed, and no record explains the change.

    Attributes:
        voucher_id: the id of the voucher.
        money: the unexplained change of what is owed on it; it may be negative.
        reason: why it is not explained, in a sentence.
    """

    voucher_id: str
    money: Money
    reason: str


@attrs.frozen(kw_only=True)
class RollForward:
    """The change of what an account owed between two snapshots.

    Attributes:
        account: the name of the account.
        opening: the first snapshot.
        closing: the second snapshot.
        rolls: the roll-forward of each currency, sorted. Amounts of different currencies are never added.
        unexplained: the vouchers of the unexplained line, in the order of their ids; at most `MOST_NAMED`.
        unexplained_count: the number of all unexplained vouchers.
        unreadable: the number of vouchers whose history was needed and could not be read completely.
    """

    account: str
    opening: Snapshot
    closing: Snapshot
    rolls: tuple[CurrencyRollForward, ...]
    unexplained: tuple[Unexplained, ...] = ()
    unexplained_count: int = 0
    unreadable: int = 0

    @property
    def inconsistent(self) -> tuple[Snapshot, ...]:
        """The snapshots, of the two, whose lists may be incomplete."""
        return tuple(side for side in (self.opening, self.closing) if side.consistent is False)

    @property
    def silent(self) -> tuple[Snapshot, ...]:
        """The snapshots, of the two, that have vouchers of unknown value."""
        return tuple(side for side in (self.opening, self.closing) if side.unknown)


MOST_NAMED: Final = 100
"""The largest number of unexplained vouchers that a report lists. The sum contains all of them."""
