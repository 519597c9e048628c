"""What a client sent, read by the limits that the vendor documents; anything else is refused with 400."""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final, cast

import attrs
from iso4217 import Currency

from voucher_gateway.simulator import InvalidJson, Request
from voucher_gateway_ticketing.simulator.responses import bad_request

LARGEST_MINOR_UNITS = 2**53
"""Beyond this an amount is no longer exact in the vendor's "number float"; its real maximum is not documented."""


class NotAnAmount(ValueError):
    """The number is negative, too large, or finer than the currency allows."""


@attrs.frozen
class SellerCurrency:
    """One ISO 4217 currency. A voucher of this vendor has none of its own: its seller's applies (vendor page)."""

    code: str
    places: int

    @classmethod
    def of(cls, code: str) -> SellerCurrency:
        """The currency of an ISO 4217 code such as `EUR`; raises ValueError for anything else."""
        places = Currency(code).exponent
        if places is None:
            raise ValueError(f"{code} has no minor unit in ISO 4217, so it cannot price a voucher")
        return cls(code, int(places))

    def minor_units(self, amount: Decimal) -> int:
        """The whole minor units of an amount; raises NotAnAmount.

        The schema bounds an amount in no way (vendor page). What the vendor does with a negative, an enormous
        or a finer one is not documented; this seller refuses all three.
        """
        if not amount.is_finite() or amount < 0:
            raise NotAnAmount("must not be negative")
        if not amount:
            return 0
        if amount.adjusted() > 16:  # before it is written out: 1e999999 would fill the memory
            raise NotAnAmount("is too large")
        if amount.adjusted() < -self.places:
            raise NotAnAmount(f"has more than {self.places} decimals")
        whole, _, decimals = format(amount, "f").partition(".")
        decimals = decimals.rstrip("0")
        if len(decimals) > self.places:
            raise NotAnAmount(f"has more than {self.places} decimals")
        minor = int(whole + decimals.ljust(self.places, "0"))
        if minor > LARGEST_MINOR_UNITS:
            raise NotAnAmount("is too large")
        return minor

    def decimal(self, minor: int) -> Decimal:
        """The amount with as few digits as it needs, which `str` writes plainly: 10.5, 10, 0.1, never 1E+1."""
        return Decimal(self.plain(minor))

    def plain(self, minor: int) -> str:
        """The amount as text without trailing zeros: 1050 cents are `10.5`."""
        text = self.fixed_text(minor)
        return text.rstrip("0").rstrip(".") if "." in text else text

    def fixed_text(self, minor: int) -> str:
        """The amount as text with all decimals of the currency: 1050 cents are `10.50`, 500 yen are `500`."""
        if not self.places:
            return str(minor)
        sign = "-" if minor < 0 else ""
        whole, rest = divmod(abs(minor), 10**self.places)
        return f"{sign}{whole}.{rest:0{self.places}d}"


_DATE_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.(?P<fraction>[0-9]+))?"
    r"(?P<offset>[Zz]|[+-][0-9]{2}:[0-5][0-9])"
)


def parse_instant(text: str) -> datetime:
    """The instant, cut to milliseconds, in UTC; raises ValueError for a naive one and for anything else.

    The schema says `date-time`, which is RFC 3339 with an offset; that others are refused is not documented.
    """
    match = _DATE_TIME.fullmatch(text)
    if match is None:
        raise ValueError("not an RFC 3339 date-time with an offset")
    milliseconds = (match["fraction"] or "").ljust(3, "0")[:3]
    offset = "+00:00" if match["offset"] in "Zz" else match["offset"]
    try:
        return datetime.fromisoformat(f"{text[:19]}.{milliseconds}{offset}").astimezone(UTC)
    except OverflowError:  # 9999-12-31T23:59:59-01:00 lies in the year 10000
        raise ValueError("outside the years 1 to 9999") from None


def write_instant(moment: datetime) -> str:
    """The instant with exactly three decimals of a second and Z."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


DEFAULT_TOP: Final = 25  # vendor page
LARGEST_TOP: Final = 1000  # seed; the vendor's introduction says 100
_NUMBER: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?")
_LARGEST_FLOAT: Final = Decimal("1.7976931348623157e308")


@attrs.frozen
class Slice:
    """Which part of a list is asked for, and by which filters."""

    top: int
    skip: int
    code: str | None
    transaction_id: str | None


def read_fields(request: Request, known: Collection[str], *, strict: bool) -> dict[str, object]:
    """The JSON object of a body; fields that the vendor does not know are refused only if `strict`.

    The vendor's introduction speaks of form-encoded bodies, all its examples are JSON: only JSON is taken.
    """
    if request.content_type != "application/json":
        raise bad_request("The body must be application/json.")
    try:
        body = request.json()
    except InvalidJson as error:
        raise bad_request(f"The body cannot be read: {error}.") from None
    if not isinstance(body, dict):
        raise bad_request("The body must be a JSON object.")
    fields = cast("dict[str, object]", body)
    if strict and not fields.keys() <= set(known):
        raise bad_request("The body has a field that this call does not take.")
    return fields


def read_amount(fields: dict[str, object], currency: SellerCurrency) -> int:
    """The required amount in minor units: a JSON number, not a text (seed)."""
    amount = fields.get("amount")
    if isinstance(amount, bool) or not isinstance(amount, int | Decimal):
        raise bad_request("amount is required and must be a number.")
    try:
        return currency.minor_units(Decimal(amount))
    except NotAnAmount as error:
        raise bad_request(f"amount {error}.") from None


def read_code(fields: dict[str, object]) -> str | None:
    """The code that the caller chose, if any: a text (seed) of four characters or more, no semicolon (vendor page)."""
    if "code" not in fields:
        return None
    code = fields["code"]
    if not isinstance(code, str) or len(code) < 4 or ";" in code:
        raise bad_request("code must be a text of at least four characters without a semicolon.")
    return code


def read_valid_until(fields: dict[str, object]) -> datetime | None:
    """The expiry; absent and null both mean that the voucher never expires (vendor page)."""
    valid_until = fields.get("validUntil")
    if valid_until is None:
        return None
    if not isinstance(valid_until, str):
        raise bad_request("validUntil must be a text.")
    try:
        return parse_instant(valid_until)
    except ValueError:
        raise bad_request("validUntil must be a date-time with an offset.") from None


def read_slice(request: Request, *, strict: bool) -> Slice:
    """Paging and filters of a list; both numbers are typed float (seed), so `25.0` and `1e2` are legal."""
    known = ("top", "skip", "code", "transactionId")
    if strict and not request.query.keys() <= set(known):
        raise bad_request("The query has a field that this call does not take.")
    top = _number(request, "top", DEFAULT_TOP)
    if not 1 <= top <= LARGEST_TOP:
        raise bad_request(f"top must lie between 1 and {LARGEST_TOP}.")
    skip = _number(request, "skip", 0)
    if skip < 0:
        raise bad_request("skip must not be negative.")
    # What a fraction means is not documented; its whole part counts here.
    return Slice(int(top), int(skip), single(request, "code"), single(request, "transactionId"))


def single(request: Request, name: str) -> str | None:
    """A query field that may be given once."""
    values = request.query.getlist(name)
    if len(values) > 1:
        raise bad_request(f"{name} must be given once.")
    return values[0] if values else None


def _number(request: Request, name: str, default: int) -> Decimal:
    text = single(request, name)
    if text is None:
        return Decimal(default)
    if _NUMBER.fullmatch(text) is None:
        raise bad_request(f"{name} must be a number.")
    number = Decimal(text)
    if abs(number) > _LARGEST_FLOAT:
        raise bad_request(f"{name} is too large.")
    return number
