"""Exact money: a decimal amount in a currency of ISO 4217.

An amount is never a binary float, and is never rounded silently.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Context, Decimal, Inexact, InvalidOperation, Overflow
from functools import cache
from typing import Final, Self

import attrs

from voucher_gateway.errors import AmountOutOfRange, AmountPrecisionError, InvalidRequest

# The caller's decimal context may round to a few digits; ours has room for any Money and would raise instead.
_EXACT: Final = Context(prec=64, Emin=-999, Emax=999, traps=[InvalidOperation, Inexact, Overflow])

add_exactly: Final = _EXACT.add
"""Adds two amounts of one currency, and never rounds. It is for totals of a million amounts; `Money` adds safely."""

# Plain ASCII digits, an optional sign and one point: no exponent, no underscore, no white space, no NaN.
_PLAIN: Final = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")

# What a caller may have meant as an amount or a currency.
_HARMLESS: Final = re.compile(r"[-+]?[0-9][0-9., _]{0,12}(?:[eE][-+]?[0-9]{1,4})?|[A-Za-z]{1,4}|-?Infinity")

MAX_DIGITS: Final = 18
"""The highest number of digits before the point. A longer amount is a mistake, and costs memory to write out."""

# The currencies that ISO 4217 has withdrawn since 1999. A voucher in one of them still has its value, and must be read,
# listed, reported and moved.
_TWO_DECIMALS: Final = (
    "AFA ANG ATS AZM BGL BGN CSD CUC CYP DEM EEK FIM GHC HRK IEP LTL LVL MRO MTL MZM NLG ROL RUR SDD SIT SKK SLL SRG"
    " STD TMM VEB VEF XEU YUM ZMK ZWD ZWL ZWN ZWR"
)
_NO_DECIMALS: Final = "ADP BEF BYB BYR ESP GRD ITL LUF MGF PTE TPE TRL"
WITHDRAWN: Final[Mapping[str, int]] = {
    **dict.fromkeys(_TWO_DECIMALS.split(), 2),
    **dict.fromkeys(_NO_DECIMALS.split(), 0),
}
"""The number of decimals that each withdrawn currency had last. A table of active currencies does not have them."""


@cache
def exponent(currency: str) -> int:
    """Return how many decimals the currency has by ISO 4217 (EUR 2, JPY 0, BHD 3); of a withdrawn one, had last.

    Raises:
        InvalidRequest: if it is not an ISO 4217 code in capitals, or has no minor unit, such as gold.
    """
    # Imported at first use: the table costs 10 ms, which an import of this package should not.
    from iso4217 import Currency

    try:
        places = Currency(currency).exponent
    except ValueError:
        places = WITHDRAWN.get(currency)
    if places is None:
        raise InvalidRequest(
            f"currency{_quote_amount(currency)} is not an ISO 4217 code with decimals",
            field="currency",
            rule="three capital letters of an ISO 4217 currency",
        )
    return int(places)


@attrs.frozen(init=False, order=False, repr=False)
class Money:
    """An exact amount in a currency.

    Args:
        amount: decimal text (``"10.53"``), an int of whole units or a Decimal. A float is a TypeError.
        currency: the ISO 4217 code, in capitals.

    Attributes:
        amount: with exactly the decimals that the currency has.
        currency: the ISO 4217 code.

    Raises:
        TypeError: if the amount is a float, a bool or anything else.
        InvalidRequest: if the text is not a plain decimal number or the currency is unknown.
        AmountPrecisionError: if the amount has more decimals than the currency.
        AmountOutOfRange: if it has more than 18 digits before the point.
    """

    amount: Decimal
    currency: str

    def __init__(self, amount: str | int | Decimal, currency: str) -> None:
        if not isinstance(currency, str):
            raise TypeError(f"a currency is a str, not {type(currency).__name__}")
        places = exponent(currency)
        exact = _exact(amount)
        self.__attrs_init__(_on_grid(exact, places, currency), currency)

    @classmethod
    def from_exact(cls, amount: Decimal, currency: str) -> Self:
        """Make money from an amount that is known to have exactly the currency's decimals (the fast path)."""
        money = cls.__new__(cls)
        _set(money, "amount", amount)
        _set(money, "currency", currency)
        return money

    @classmethod
    def from_minor(cls, units: int, currency: str) -> Self:
        """Make money from whole minor units: 1053 EUR cents are 10.53 EUR."""
        if isinstance(units, bool) or not isinstance(units, int):
            raise TypeError(f"minor units are an int, not {type(units).__name__}")
        sign, digits, _ = Decimal(units).as_tuple()  # not str(units), which refuses an int of 5000 digits
        return cls(Decimal((sign, digits, -exponent(currency))), currency)

    @classmethod
    def zero(cls, currency: str) -> Self:
        """Return zero in this currency."""
        return cls(0, currency)

    @property
    def minor(self) -> int:
        """The amount in whole minor units (cents)."""
        return int(_EXACT.scaleb(self.amount, exponent(self.currency)))

    def __str__(self) -> str:
        return f"{self.amount:f} {self.currency}"

    def __repr__(self) -> str:
        return f"Money({f'{self.amount:f}'!r}, {self.currency!r})"

    def __bool__(self) -> bool:
        return bool(self.amount)

    def __add__(self, other: Money) -> Money:
        self._same_currency(other)
        return Money(_EXACT.add(self.amount, other.amount), self.currency)

    def __sub__(self, other: Money) -> Money:
        self._same_currency(other)
        return Money(_EXACT.subtract(self.amount, other.amount), self.currency)

    def __neg__(self) -> Money:
        return Money(self.amount.copy_negate(), self.currency)

    def __lt__(self, other: Money) -> bool:
        self._same_currency(other)
        return self.amount < other.amount

    def __le__(self, other: Money) -> bool:
        self._same_currency(other)
        return self.amount <= other.amount

    def __gt__(self, other: Money) -> bool:
        self._same_currency(other)
        return self.amount > other.amount

    def __ge__(self, other: Money) -> bool:
        self._same_currency(other)
        return self.amount >= other.amount

    def _same_currency(self, other: Money) -> None:
        if not isinstance(other, Money):
            raise TypeError(f"expected a Money, not {type(other).__name__}")
        if other.currency != self.currency:
            raise InvalidRequest(
                f"cannot combine {self.currency} and {other.currency}: convert one of them first",
                field="currency",
                rule="one currency at a time",
            )


_set = object.__setattr__


def positive(money: Money, *, field: str = "amount") -> Money:
    """Return the money if it is above zero.

    Raises:
        TypeError: if it is not a Money.
        AmountOutOfRange: if it is zero or negative.
    """
    if not isinstance(money, Money):
        raise TypeError(f"{field} is a Money, not {type(money).__name__}")
    if money.amount <= 0:
        raise AmountOutOfRange(f"{field} {money} is not above zero", field=field, rule="above zero")
    return money


def parse_plain(text: str, *, field: str = "amount") -> Decimal:
    """Read plain decimal text such as ``10.53``: ASCII digits, one point, nothing else.

    Raises:
        InvalidRequest: for white space, exponents, underscores, commas, other scripts' digits, NaN and infinities.
    """
    if not _PLAIN.fullmatch(text):
        raise InvalidRequest(
            f"{field}{_quote_amount(text)} is not a plain decimal number",
            field=field,
            rule="ASCII digits with at most one point",
        )
    return Decimal(text)


def _quote_amount(text: str) -> str:
    """Return the text for a message if it looks like an amount or a currency, and not like a code in its place."""
    return f" {text!r}" if _HARMLESS.fullmatch(text) else ""


def _exact(amount: str | int | Decimal) -> Decimal:
    if isinstance(amount, bool) or not isinstance(amount, str | int | Decimal):
        raise TypeError(f"an amount is a str, int or Decimal, never {type(amount).__name__}: floats are not exact")
    if isinstance(amount, str):
        return parse_plain(amount)
    exact = Decimal(amount)
    if not exact.is_finite():
        raise InvalidRequest(f"amount {exact} is not a finite number", field="amount", rule="a finite number")
    return exact


def _on_grid(exact: Decimal, places: int, currency: str) -> Decimal:
    """Return the amount with exactly `places` decimals. Digit tuples, not arithmetic: no context can round here."""
    sign, digits, power = exact.as_tuple()
    assert isinstance(power, int)  # finite, so never "n" or "F"
    if not any(digits):
        return Decimal((0, (0,), -places))
    if len(digits) + power > MAX_DIGITS or power > MAX_DIGITS:
        raise AmountOutOfRange(
            f"amount has more than {MAX_DIGITS} digits before the point",
            field="amount",
            rule=f"at most {MAX_DIGITS} digits",
        )
    surplus = -power - places
    if not surplus:
        return exact  # the usual case
    if surplus > 0:
        if any(digits[-surplus:]) or surplus >= len(digits):
            raise AmountPrecisionError(
                f"amount {str(exact)[:24]} has more than the {places} decimals of {currency}",
                field="amount",
                rule=f"at most {places} decimals",
            )
        digits = digits[:-surplus]
    else:
        digits = digits + (0,) * -surplus
    return Decimal((sign, digits, -places))
