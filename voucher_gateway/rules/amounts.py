"""The amounts that a vendor takes, as data with the checks that follow from it."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from functools import lru_cache
from typing import Final

import attrs

from voucher_gateway.errors import AmountOutOfRange, AmountPrecisionError
from voucher_gateway.money import Money, exponent


class AmountKind(enum.StrEnum):
    """What an amount is for.

    Attributes:
        INITIAL: the value of a new voucher.
        MOVEMENT: what one call takes, reserves, adds or gives back.
        BALANCE: what may be on a voucher at most.
    """

    INITIAL = "initial"
    MOVEMENT = "movement"
    BALANCE = "balance"


_SUBJECTS: Final = {
    AmountKind.INITIAL: "amounts",
    AmountKind.MOVEMENT: "amounts of one movement",
    AmountKind.BALANCE: "balances",
}


@attrs.frozen(kw_only=True, cache_hash=True)
class AmountRules:
    """The amounts that the vendor takes. A limit that is not a possible amount of a currency is rounded inwards.

    Attributes:
        decimals: the highest number of decimals that its format can carry; None for those of the currency.
        minimum: the smallest initial value.
        maximum: the largest initial value; None for no documented limit.
        movement_minimum: the smallest amount that one call may move.
        movement_maximum: the largest; None for no documented limit.
        balance_maximum: the most that may be on a voucher; None for no documented limit.
        by_currency: the rules of currencies that have others, by currency. They replace all of these.
    """

    decimals: int | None = None
    minimum: Decimal = Decimal(0)
    maximum: Decimal | None = None
    movement_minimum: Decimal = Decimal(0)
    movement_maximum: Decimal | None = None
    balance_maximum: Decimal | None = None
    by_currency: Mapping[str, AmountRules] = attrs.field(factory=dict, hash=False)

    def of_currency(self, currency: str) -> AmountRules:
        """Return the rules for amounts in a currency."""
        return self.by_currency.get(currency, self)

    def smallest(self, currency: str, kind: AmountKind = AmountKind.INITIAL) -> Money:
        """Return the smallest amount of a kind in a currency."""
        rules = self.of_currency(currency)
        limits = {AmountKind.INITIAL: rules.minimum, AmountKind.MOVEMENT: rules.movement_minimum}
        return Money(limits.get(kind, Decimal(0)).quantize(rules._step(currency), ROUND_CEILING), currency)

    def largest(self, currency: str, kind: AmountKind = AmountKind.INITIAL) -> Money | None:
        """Return the largest amount of a kind in a currency; None for no documented limit."""
        rules = self.of_currency(currency)
        limits: dict[AmountKind, list[Decimal | None]] = {
            AmountKind.INITIAL: [rules.maximum, rules.balance_maximum],
            AmountKind.MOVEMENT: [rules.movement_maximum],
            AmountKind.BALANCE: [rules.balance_maximum],
        }
        largest = min((limit for limit in limits[kind] if limit is not None), default=None)
        return None if largest is None else Money(largest.quantize(rules._step(currency), ROUND_FLOOR), currency)

    def round_down(self, money: Money) -> Money:
        """Return the largest amount up to `money` that one call may move, or zero."""
        currency = money.currency
        largest = self.largest(currency, AmountKind.MOVEMENT)
        bound = money if largest is None or money < largest else largest
        # Not `quantize`, which rounds to the caller's precision: an amount may have more digits than that.
        step = max(1, Money(self.of_currency(currency)._step(currency), currency).minor)
        movable = Money.from_minor(bound.minor // step * step, currency)
        return Money.zero(currency) if movable < self.smallest(currency, AmountKind.MOVEMENT) else movable

    def check(self, money: Money, kind: AmountKind = AmountKind.INITIAL) -> None:
        """Check that an amount can be sent.

        Raises:
            AmountPrecisionError: if it has more decimals than the vendor's format.
            AmountOutOfRange: if it is below the smallest or above the largest.
        """
        rules = self.of_currency(money.currency)
        if rules.decimals is not None and exponent(money.currency) > rules.decimals:
            decimals = len(f"{money.amount:f}".partition(".")[2].rstrip("0"))
            if decimals > rules.decimals:
                rule = f"at most {rules.decimals} decimals"
                raise AmountPrecisionError(f"the vendor takes {rule}, not {money}", field="amount", rule=rule)
        smallest, largest = _limits(rules, money.currency, kind)
        if money.amount < smallest.amount or (largest is not None and money.amount > largest.amount):
            rule = f"from {smallest}" + ("" if largest is None else f" to {largest}")
            raise AmountOutOfRange(f"the vendor takes {_SUBJECTS[kind]} {rule}, not {money}", field="amount", rule=rule)

    def _step(self, currency: str) -> Decimal:
        places = exponent(currency)
        return Decimal(1).scaleb(-(places if self.decimals is None else min(places, self.decimals)))


@lru_cache(512)
def _limits(rules: AmountRules, currency: str, kind: AmountKind) -> tuple[Money, Money | None]:
    """Return the smallest and the largest amount of a kind. A plan checks a million amounts against the same rules."""
    return rules.smallest(currency, kind), rules.largest(currency, kind)
