"""The filters of JTL's voucher list by JTL's own names: each value is checked, and written as JTL writes it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import attrs

from voucher_gateway.provider_api import (
    DecimalText,
    InvalidRequest,
    Money,
    VoucherQuery,
    format_seconds,
    parse_instant,
)

_AMOUNT: Final = DecimalText(places=2, integer_digits_out=6)
"""As JTL writes amounts in its answers; six digits before the point are looked for, though only five are sent."""
_ANY_CURRENCY: Final = "EUR"
"""Gives text without a currency two decimals, which all of JTL's amounts have, whatever their currency is."""
_STATUSES: Final = ("active", "inactive")
_FRACTION: Final = re.compile(r"\.[0-9]*[1-9]")
_HALF_A_CHARACTER: Final = re.compile(r"[\ud800-\udfff]")


@attrs.frozen
class NativeFilter:
    """One of JTL's filters.

    Attributes:
        rule: what its value must be, for the message.
        write: returns the value as JTL writes it, or raises ValueError, TypeError or InvalidRequest.
    """

    rule: str
    write: Callable[[Any], str]


def first_second(instant: datetime) -> datetime:
    """Return the first whole second that is not before an instant: JTL's instants have no fractions.

    Raises:
        OverflowError: if there is none.
    """
    whole = instant.replace(microsecond=0)
    return whole if whole == instant else whole + timedelta(seconds=1)


def amount_with_currency(query: VoucherQuery) -> Money | None:
    """Return the amount that a query filters by, if it names a currency. JTL itself compares only the number."""
    value = query.native.get("amount")
    if isinstance(value, Money):
        return value
    if isinstance(value, str) and " " in value:
        return _money(value)
    return None


def _money(value: Any) -> Money:
    if isinstance(value, Money):
        return value
    if not isinstance(value, str):
        raise TypeError
    number, _, currency = value.partition(" ")
    return Money(number, currency if " " in value else _ANY_CURRENCY)


def _amount(value: Any) -> str:
    return _AMOUNT.write(_money(value))


def _statuses(value: Any) -> str:
    given = value.split(",") if isinstance(value, str) else list(value)
    if not given or len(set(given)) != len(given) or any(status not in _STATUSES for status in given):
        raise ValueError
    return ",".join(str(status) for status in given)


def _lower_bound(value: Any) -> str:
    instant = parse_instant(value)
    if _FRACTION.search(value) and not instant.microsecond:
        instant += timedelta(microseconds=1)  # digits beyond microseconds, which are dropped
    return format_seconds(first_second(instant))


def _upper_bound(value: Any) -> str:
    return format_seconds(parse_instant(value))


def _one_of(*allowed: str) -> Callable[[Any], str]:
    def write(value: Any) -> str:
        if not isinstance(value, str) or value not in allowed:
            raise ValueError
        return value

    return write


def _text(longest: int) -> NativeFilter:
    def write(value: Any) -> str:
        if not isinstance(value, str) or not 1 <= len(value) <= longest or _HALF_A_CHARACTER.search(value):
            raise ValueError
        return value

    return NativeFilter(f"text of 1 to {longest} characters", write)


_FROM: Final = NativeFilter("an RFC 3339 timestamp with an offset", _lower_bound)
_TO: Final = NativeFilter("an RFC 3339 timestamp with an offset", _upper_bound)
_FLAG: Final = NativeFilter("true or false", _one_of("true", "false"))

NATIVE: Final[Mapping[str, NativeFilter]] = {
    "created_from": _FROM,
    "created_to": _TO,
    "valid_until_from": _FROM,
    "valid_until_to": _TO,
    "client_id": _text(255),
    "client.client_group_id": _text(255),
    "code": _text(255),
    "id": _text(255),
    "sku": _text(255),
    "type": NativeFilter("digital or print", _one_of("digital", "print")),
    "amount": NativeFilter("a Money, or text such as 10.50 or '10.50 EUR', up to 999999.99", _amount),
    "status": NativeFilter("active, inactive or both, each once", _statuses),
    "batch": _text(30),
    "remaining_amount": _FLAG,
    "taxable": _FLAG,
    "tax_rate": _text(255),
}
"""Every filter that the vendor has (seed)."""


def write_value(name: str, value: object) -> str:
    """Return the value of a native filter as JTL writes it.

    Raises:
        InvalidRequest: naming the filters that there are, or the rule that the value breaks.
    """
    if name not in NATIVE:
        known = ", ".join(sorted(NATIVE))
        raise InvalidRequest(f"JTL has no filter {name!r:.40}; it has {known}", field=f"native.{name}", rule=known)
    try:
        return NATIVE[name].write(value)
    except (ValueError, TypeError, OverflowError, InvalidRequest):
        del value  # it may be a code: neither the context nor the frame of the error holds it
    rule = NATIVE[name].rule
    raise InvalidRequest(f"filter {name} must be {rule}", field=f"native.{name}", rule=rule)
