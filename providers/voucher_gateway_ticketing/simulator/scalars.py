"""Amounts and instants as this vendor writes them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal

import attrs

from voucher_gateway.simulator import NotAnAmount, amount_text, decimals_of, minor_units

MAX_MINOR_UNITS = 2**53
"""A larger amount would not be exact in the vendor's "number float". The vendor does not document its maximum."""


@attrs.frozen
class SellerCurrency:
    """The currency of a seller (ISO 4217). A voucher of this vendor has the currency of its seller (vendor page)."""

    code: str
    places: int

    @classmethod
    def of(cls, code: str) -> SellerCurrency:
        """Return the currency with a code of ISO 4217, such as `EUR`; raise ValueError for another text."""
        return cls(code, decimals_of(code))

    def minor_units(self, amount: Decimal) -> int:
        """Return an amount in minor units; raise NotAnAmount if it cannot be one.

        The vendor's schema has no limits (vendor page). What the vendor does with a negative amount, a very large one
        or one with too many decimals is not documented. This simulator refuses all three.
        """
        if not amount.is_finite() or amount < 0:
            raise NotAnAmount("must not be negative")
        minor = minor_units(amount, self.code)
        if minor > MAX_MINOR_UNITS:
            raise NotAnAmount("is too large")
        return minor

    def decimal(self, minor: int) -> Decimal:
        """Return an amount without trailing zeros, and never with an exponent: 10.5, 10 or 0.1, not 1E+1."""
        return Decimal(self.plain(minor))

    def plain(self, minor: int) -> str:
        """Return an amount as text without trailing zeros: 1050 cents are `10.5`."""
        text = self.decimal_text(minor)
        return text.rstrip("0").rstrip(".") if "." in text else text

    def decimal_text(self, minor: int) -> str:
        """Return an amount as text with all decimals of the currency: 1050 cents are `10.50`, 500 yen are `500`."""
        return amount_text(minor, self.code)


_DATE_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.(?P<fraction>[0-9]+))?"
    r"(?P<offset>[Zz]|[+-][0-9]{2}:[0-5][0-9])"
)


def parse_instant(text: str) -> datetime:
    """Return the instant in UTC, cut to milliseconds; raise ValueError for a text that is not RFC 3339 with an offset.

    The schema says `date-time`, which is RFC 3339 with an offset. What the vendor does with others is not documented.
    """
    match = _DATE_TIME.fullmatch(text)
    if match is None:
        raise ValueError("not an RFC 3339 date-time with an offset")
    milliseconds = (match["fraction"] or "").ljust(3, "0")[:3]
    offset = "+00:00" if match["offset"] in "Zz" else match["offset"]
    try:
        return datetime.fromisoformat(f"{text[:19]}.{milliseconds}{offset}").astimezone(UTC)
    except OverflowError:  # 9999-12-31T23:59:59-01:00 is in the year 10000
        raise ValueError("outside the years 1 to 9999") from None


def write_instant(moment: datetime) -> str:
    """Return an instant with three decimals of a second and Z, such as `2030-01-23T23:00:00.123Z` (seed)."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"
