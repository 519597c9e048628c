"""Amounts in whole minor units, as a simulator keeps them, and as text in the currency's main unit."""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache
from typing import Final

from iso4217 import Currency

_AMOUNT: Final = re.compile(r"-?[0-9]{1,30}(?:\.[0-9]{1,30})?")
_MOST_DIGITS: Final = 30


class NotAnAmount(ValueError):
    """A text or number that is not an amount of the currency; the message says why, without the value."""


@lru_cache
def decimals_of(currency: str) -> int:
    """Return how many decimals the amounts of a currency have: 0 for JPY, 2 for EUR, 3 for KWD.

    Raises:
        ValueError: for a text that is not a code of ISO 4217, or the code of a currency without a minor unit.
    """
    decimals = Currency(currency).exponent
    if decimals is None:
        raise ValueError(f"{currency} has no minor unit in ISO 4217")
    return int(decimals)


def minor_units(amount: str | int | Decimal, currency: str) -> int:
    """Return an amount of the main unit in minor units: "10.53" EUR is 1053, "500" JPY is 500, "1.234" KWD is 1234.

    Zeros at the end are accepted beyond the decimals of the currency, such as "100.00" JPY.

    Args:
        amount: a text of ASCII digits, perhaps with a minus sign and a point; or a number, but never a float.
        currency: its code in ISO 4217.

    Raises:
        NotAnAmount: for any other text, and for an amount with more decimals than the currency, or with more digits
            than 30.
        TypeError: for a float, which does not hold an amount exactly.
    """
    if isinstance(amount, bool) or not isinstance(amount, str | int | Decimal):
        raise TypeError(f"an amount is a text, an integer or a Decimal, not a {type(amount).__name__}")
    if isinstance(amount, str):
        if not _AMOUNT.fullmatch(amount):
            raise NotAnAmount("is not an amount such as 10.53")
        text = amount
    else:
        number = Decimal(amount)
        if not number.is_finite():
            raise NotAnAmount("is not a number")
        # Before it is written out: the digits of 1e999999 would fill the memory.
        if number and abs(number.adjusted()) >= _MOST_DIGITS:
            raise NotAnAmount("is too large" if number.adjusted() > 0 else _too_fine(currency))
        text = format(number, "f") if number else "0"
    whole, _, fraction = text.partition(".")
    fraction = fraction.rstrip("0")
    decimals = decimals_of(currency)
    if len(fraction) > decimals:
        raise NotAnAmount(_too_fine(currency))
    return int(whole + fraction.ljust(decimals, "0"))


def amount_text(units: int, currency: str, decimals: int | None = None) -> str:
    """Return an amount as text in the main unit: 1053 of EUR are "10.53", 500 of JPY "500", 1234 of KWD "1.234".

    Args:
        units: the minor units; negative for an amount with a minus sign.
        currency: its code in ISO 4217.
        decimals: how many decimals the text has, for a vendor that writes the same number for every currency;
            by default as many as the currency has.

    Raises:
        ValueError: if the text would need more decimals.
    """
    own_decimals = decimals_of(currency)
    shown = own_decimals if decimals is None else decimals
    sign = "-" if units < 0 else ""
    whole, rest = divmod(abs(units), 10**own_decimals)
    fraction = f"{rest:0{own_decimals}d}" if own_decimals else ""
    if len(fraction.rstrip("0")) > shown:
        raise ValueError(f"an amount in {currency} does not fit into {shown} decimals")
    fraction = fraction[:shown].ljust(shown, "0")
    return f"{sign}{whole}.{fraction}" if fraction else f"{sign}{whole}"


def _too_fine(currency: str) -> str:
    return f"has more than {decimals_of(currency)} decimals"
