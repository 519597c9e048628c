"""A roll-forward: the change of what is owed between two moments, line by line."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Final

import attrs

from voucher_gateway.money import Money
from voucher_gateway.reports.snapshots import Snapshot


class Line(enum.StrEnum):
    """One line of a roll-forward, in the order in which they are added up."""

    OPENING = "opening"
    ISSUED = "issued"
    """The initial value of new vouchers."""
    ACTIVATED = "activated"
    """The remaining value of vouchers that could not be spent before and now can be."""
    VALID_AGAIN = "valid again"
    """The remaining value of expired vouchers whose validity was extended."""
    TOPPED_UP = "topped up"
    REDEEMED = "redeemed"
    REFUNDED = "refunded"
    EXPIRED = "expired"
    """The remaining value of vouchers whose validity ended."""
    DEACTIVATED = "deactivated"
    """The remaining value of vouchers that could be spent before and now cannot be."""
    DELETED = "deleted"
    """The remaining value of vouchers that were deleted at the vendor."""
    UNEXPLAINED = "unexplained"
    """The change that neither the history of the vendor nor the journal explains. It may be negative."""
    CLOSING = "closing"

    @property
    def sign(self) -> int:
        """1 if the line adds to what is owed, -1 if it reduces it, 0 for the two balances."""
        return _SIGNS.get(self, 1)


_SIGNS: Final = {
    Line.OPENING: 0,
    Line.CLOSING: 0,
    Line.REDEEMED: -1,
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
