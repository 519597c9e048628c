"""A roll-forward: how what was owed at one moment became what was owed at another."""

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
    """The initial value of vouchers that were not there before."""
    ACTIVATED = "activated"
    """What was left on vouchers that could not be spent before, and can be now."""
    VALID_AGAIN = "valid again"
    """What was left on expired vouchers whose validity was extended."""
    TOPPED_UP = "topped up"
    REDEEMED = "redeemed"
    REFUNDED = "refunded"
    EXPIRED = "expired"
    """What was left on vouchers when their validity ended."""
    DEACTIVATED = "deactivated"
    """What was left on vouchers that could be spent, and cannot be now."""
    DELETED = "deleted"
    """What was left on vouchers that are gone at the vendor."""
    UNEXPLAINED = "unexplained"
    """What neither the vendor's history nor the journal accounts for; may be negative."""
    CLOSING = "closing"

    @property
    def sign(self) -> int:
        """1 where the line adds to what is owed, -1 where it takes from it, 0 for the two balances."""
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
    """The roll-forward of one account's vouchers in one currency.

    Attributes:
        currency: the currency.
        lines: an amount for each `Line`; only `Line.UNEXPLAINED` may be negative. Redemptions and whatever else takes
            from what is owed are positive amounts, to be subtracted.

    Raises:
        ArithmeticError: if the lines do not lead from the opening to the closing balance, to the smallest unit.
    """

    currency: str
    lines: Mapping[Line, Money] = attrs.field(hash=False)

    def __attrs_post_init__(self) -> None:
        led_to = self.lines[Line.OPENING].minor + sum(line.sign * money.minor for line, money in self.lines.items())
        if led_to != self.lines[Line.CLOSING].minor:
            raise ArithmeticError(
                f"the roll-forward in {self.currency} leads to {led_to} and not to"
                f" {self.lines[Line.CLOSING].minor} minor units"
            )

    def balance_change(self, line: Line) -> Money:
        """Return a line's amount as it is added: negative where it takes from what is owed."""
        return -self.lines[line] if line.sign < 0 and self.lines[line] else self.lines[line]

    @classmethod
    def of(cls, currency: str, minor: Mapping[Line, int]) -> CurrencyRollForward:
        """Make it from whole minor units; a line that is missing is nothing."""
        return cls(currency, {line: Money.from_minor(minor.get(line, 0), currency) for line in Line})


@attrs.frozen
class Unexplained:
    """A voucher whose balance changed for a reason that nobody wrote down.

    Attributes:
        voucher_id: the voucher.
        money: how much more, or if negative less, is owed on it than the records say.
        reason: a sentence.
    """

    voucher_id: str
    money: Money
    reason: str


@attrs.frozen(kw_only=True)
class RollForward:
    """How what an account owed changed between two snapshots.

    Attributes:
        account: the account's name.
        opening: the snapshot that it begins with.
        closing: the snapshot that it ends with.
        rolls: one for each currency, sorted; amounts of two currencies are never added.
        unexplained: vouchers behind the unexplained line, at most `MOST_NAMED`, those that came first by their ids.
        unexplained_count: how many there are in all.
        unreadable: how many vouchers' histories were needed and could not be had whole.
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
        """Those of the two snapshots whose lists did not fit together."""
        return tuple(side for side in (self.opening, self.closing) if side.consistent is False)

    @property
    def silent(self) -> tuple[Snapshot, ...]:
        """Those of the two snapshots that have vouchers in no sum."""
        return tuple(side for side in (self.opening, self.closing) if side.unknown)


MOST_NAMED: Final = 100
"""So many unexplained vouchers are named one by one; all of them are in the sum."""
