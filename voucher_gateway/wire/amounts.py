"""The formats of amounts on the wire, as data that a provider declares.

Reading has two steps, because the currency is often in another field. `AmountFormat.parse` checks the format and
returns a number. `AmountFormat.money` makes an amount of the currency of it. A wire class declares
``amount: Annotated[Decimal, DecimalText()]`` and holds the number. The mapping to the domain makes the money.
"""

from __future__ import annotations

import abc
import re
from collections.abc import Callable
from decimal import ROUND_HALF_EVEN, Context, Decimal, Inexact, InvalidOperation
from functools import cache
from typing import Final, NoReturn

import attrs

from voucher_gateway.errors import AmountOutOfRange, AmountPrecisionError, InvalidRequest
from voucher_gateway.money import MAX_DIGITS, Money, exponent
from voucher_gateway.wire.json import exact_decimal

TOLERANCE: Final = Decimal("1E-9")
"""A JSON number closer than this to an amount of the currency is that amount: the vendor computed in floats."""

# It has room for every Money. Used where rounding is intended, instead of the caller's context.
_ROUNDING: Final = Context(prec=64, rounding=ROUND_HALF_EVEN, Emin=-999, Emax=999, traps=[InvalidOperation])


class WireError(ValueError):
    """A value that breaks the rule of its field. The sentence names the rule and never the value."""


class NotRepresentable(WireError):
    """An amount that does not exist in its currency.

    Attributes:
        currency: the ISO 4217 code.
    """

    def __init__(self, rule: str, currency: str) -> None:
        super().__init__(rule)
        self.currency = currency


class AmountFormat(abc.ABC):
    """One format of amounts. Its instances cannot be changed, so threads may share them."""

    __slots__ = ()

    @abc.abstractmethod
    def parse(self, value: object) -> Decimal:
        """Check the format of a vendor's value, and return its number in the vendor's unit.

        Raises:
            WireError: naming the rule that the value breaks.
        """

    @abc.abstractmethod
    def money(self, number: Decimal, currency: str) -> Money:
        """Return the money of a number from `parse`.

        Raises:
            NotRepresentable: if the currency has no such amount, or is not a currency.
        """

    def read(self, value: object, currency: str) -> Money:
        """Return the money of a vendor's value: `parse` and `money` in one call.

        Raises:
            WireError: naming the rule that the value breaks.
        """
        return self.money(self.parse(value), currency)

    @abc.abstractmethod
    def write(self, money: Money) -> str | int | Decimal:
        """Return the value that `encode` writes for the money.

        Raises:
            AmountPrecisionError: if the format has too few decimals for it.
            AmountOutOfRange: if it is negative or too large for the format.
        """


@attrs.frozen
class _Grid:
    """The amounts that exist in one currency."""

    currency: str
    places: int
    unit: Decimal
    zero: Decimal
    exact: Context

    def place(self, number: Decimal) -> Decimal:
        """Return the number with exactly the currency's decimals."""
        try:
            placed = self.exact.quantize(number, self.unit)
        except Inexact:
            pass
        except InvalidOperation:
            self.too_large()
        else:
            return placed
        raise NotRepresentable(
            f"expected an amount with at most the {self.places} decimals of {self.currency}", self.currency
        )

    def nearest(self, number: Decimal) -> Decimal:
        """Return the amount from which the number differs by less than the tolerance."""
        try:
            placed = _ROUNDING.quantize(number, self.unit)
        except InvalidOperation:
            self.too_large()
        low, high = _ROUNDING.subtract(placed, TOLERANCE), _ROUNDING.add(placed, TOLERANCE)
        return self.place(placed if low < number < high else number)

    def too_large(self) -> NoReturn:
        raise NotRepresentable(f"expected an amount of at most {MAX_DIGITS} digits before the point", self.currency)


@cache
def _grid(currency: str) -> _Grid:
    try:
        places = exponent(currency)
    except InvalidRequest:
        places = None
    if places is None:
        raise NotRepresentable("the currency is not one of ISO 4217", currency)
    # In this context, `quantize` raises an error instead of rounding, and for a very large exponent.
    exact = Context(prec=MAX_DIGITS + places, traps=[InvalidOperation, Inexact])
    return _Grid(currency, places, Decimal((0, (1,), -places)), Decimal((0, (0,), -places)), exact)


def _refuse_negative(money: Money) -> None:
    if money.amount < 0:
        raise AmountOutOfRange("a negative amount cannot be sent", field="amount", rule="zero or more")


def _imprecise(places: int) -> AmountPrecisionError:
    return AmountPrecisionError(
        f"the vendor takes at most {places} decimals", field="amount", rule=f"at most {places} decimals"
    )


@attrs.frozen
class DecimalText(AmountFormat):
    """Text with a fixed number of decimals: ``"10.53"``; yen are ``"500.00"``.

    The defaults are JTL's. Its prose allows five digits before the point, which binds what we send; its schema lets
    nine characters through, so six are accepted in an answer (seed).

    Attributes:
        places: the number of decimals; all of them are always written.
        integer_digits_out: the most digits before the point when sending.
        integer_digits_in: the most digits before the point when reading.
    """

    places: int = 2
    integer_digits_out: int = 5
    integer_digits_in: int = 6
    _rule: str = attrs.field(init=False, repr=False, eq=False)
    _matches: Callable[[str], object] = attrs.field(init=False, repr=False, eq=False)

    @_rule.default
    def _make_rule(self) -> str:
        digits = self.integer_digits_in
        return f"expected a string of 1 to {digits} ASCII digits, a point and exactly {self.places} decimals"

    @_matches.default
    def _make_matches(self) -> Callable[[str], object]:
        # Not \d, which matches the digits of every script, and fullmatch, as $ would let a line feed follow.
        return re.compile(rf"[0-9]{{1,{self.integer_digits_in}}}\.[0-9]{{{self.places}}}").fullmatch

    def parse(self, value: object) -> Decimal:
        """Return the number in the text."""
        if type(value) is str and self._matches(value):
            return exact_decimal(value)
        raise WireError(self._rule)

    def money(self, number: Decimal, currency: str) -> Money:
        """Return the money; a currency with other decimals than the text must have that amount."""
        grid = _grid(currency)
        return Money.from_exact(number if grid.places == self.places else grid.place(number), currency)

    def write(self, money: Money) -> str:
        """Return the text. An amount in dinars is accepted if its decimals beyond `places` are zero."""
        _refuse_negative(money)
        if money.amount.adjusted() >= self.integer_digits_out:
            rule = f"at most {self.integer_digits_out} digits before the point"
            raise AmountOutOfRange(f"the vendor takes {rule}", field="amount", rule=rule)
        written = _ROUNDING.quantize(money.amount, Decimal((0, (1,), -self.places)))
        if written != money.amount:
            raise _imprecise(self.places)
        return f"{written:f}"


@attrs.frozen
class JsonNumber(AmountFormat):
    """A JSON number in the currency's main unit: ``10.5``. Computed in binary floats by some vendors."""

    def parse(self, value: object) -> Decimal:
        """Return the number as it was written, of any size.

        Raises:
            TypeError: for a float, which `decode` never makes: exactness was lost before.
            WireError: for everything that is not a number.
        """
        if type(value) is Decimal and value.is_finite():
            return value
        if type(value) is int:
            return Decimal(value)
        if isinstance(value, float):
            raise TypeError("a float is not an exact amount: read the JSON with decode()")
        raise WireError("expected a number")

    def money(self, number: Decimal, currency: str) -> Money:
        """Return the money, or the nearest if the number is closer to it than `TOLERANCE`."""
        grid = _grid(currency)
        try:
            amount = grid.exact.quantize(number, grid.unit)
        except (Inexact, InvalidOperation):
            amount = grid.nearest(number)
        return Money.from_exact(amount or grid.zero, currency)  # a negative zero loses its sign

    def write(self, money: Money) -> Decimal:
        """Return the amount without trailing zeros: 10.50 as 10.5, 10.00 as 10."""
        _refuse_negative(money)
        plain = f"{money.amount:f}"
        return Decimal(plain.rstrip("0").rstrip(".") if "." in plain else plain)


class _WholeNumber(AmountFormat):
    """A whole number of some unit of the currency."""

    __slots__ = ()

    @abc.abstractmethod
    def _scale(self, currency: str) -> int:
        """Return how many decimals the unit has."""

    def parse(self, value: object) -> Decimal:
        """Return the whole number."""
        if type(value) is int:  # bool is an int to isinstance
            return Decimal(value)
        raise WireError("expected an integer")

    def money(self, number: Decimal, currency: str) -> Money:
        """Return the money of this number of units."""
        grid = _grid(currency)
        sign, digits, power = number.as_tuple()
        assert isinstance(power, int)  # made from an int, so neither infinite nor NaN
        return Money.from_exact(grid.place(Decimal((sign, digits, power - self._scale(currency)))), currency)

    def write(self, money: Money) -> int:
        """Return the number of units of the money."""
        _refuse_negative(money)
        scale = self._scale(money.currency)
        units = _ROUNDING.scaleb(money.amount, scale)
        whole = int(units)
        if whole != units:
            raise _imprecise(scale)
        return whole


@attrs.frozen
class FixedScale(_WholeNumber):
    """A whole number: the amount times 10 to the power of `scale`, in every currency.

    Attributes:
        scale: 2 for hundredths.
    """

    scale: int = 2

    def _scale(self, currency: str) -> int:  # noqa: ARG002 - it is the same for every currency
        return self.scale


@attrs.frozen
class MinorUnits(_WholeNumber):
    """A whole number of the currency's minor units by ISO 4217: 1053 for 10.53 EUR, 500 for 500 JPY."""

    def money(self, number: Decimal, currency: str) -> Money:
        """Return the money of this number of units. It is on the grid of the currency, so only the point is moved."""
        grid = _grid(currency)
        if number.adjusted() >= grid.exact.prec:
            grid.too_large()
        return Money.from_exact(number.scaleb(-grid.places, grid.exact), currency)

    def _scale(self, currency: str) -> int:
        return exponent(currency)
