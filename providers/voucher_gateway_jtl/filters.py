"""The 16 filters of JTL's voucher list (seed): those of `VoucherQuery`, and those by JTL's own names.

The value of a filter by JTL's name is checked, and written as JTL writes it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import attrs

from voucher_gateway.provider_api import (
    Code,
    DecimalText,
    InvalidRequest,
    Masked,
    Money,
    Status,
    UnsupportedOperation,
    Voucher,
    VoucherQuery,
    format_seconds,
    parse_instant,
)

Param = tuple[str, str | Masked]

_AMOUNT: Final = DecimalText(places=2, integer_digits_out=6)
"""The amounts of JTL's replies: six digits before the point can be searched, though only five are sent."""
_ANY_CURRENCY: Final = "EUR"
"""A currency with two decimals, for text without one: all of JTL's amounts have two, whatever their currency."""
_STATUSES: Final = ("active", "inactive")
_FRACTION: Final = re.compile(r"\.[0-9]*[1-9]")
_LONE_SURROGATE: Final = re.compile(r"[\ud800-\udfff]")


@attrs.frozen
class NativeFilter:
    """One of JTL's filters.

    Attributes:
        rule: what its value must be, for the error message.
        write: returns the value as JTL writes it, or raises ValueError, TypeError or InvalidRequest.
    """

    rule: str
    write: Callable[[Any], str]


def first_second(instant: datetime) -> datetime:
    """Return the first whole second at or after an instant, because JTL's instants have no fractions.

    Raises:
        OverflowError: if it would be after the year 9999.
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
    statuses = value.split(",") if isinstance(value, str) else list(value)
    if not statuses or len(set(statuses)) != len(statuses) or any(status not in _STATUSES for status in statuses):
        raise ValueError
    return ",".join(str(status) for status in statuses)


def _lower_bound_text(value: Any) -> str:
    instant = parse_instant(value)
    if _FRACTION.search(value) and not instant.microsecond:
        instant += timedelta(microseconds=1)  # digits beyond microseconds, which are dropped
    return format_seconds(first_second(instant))


def _upper_bound_text(value: Any) -> str:
    return format_seconds(parse_instant(value))


def _one_of(*allowed: str) -> Callable[[Any], str]:
    def write(value: Any) -> str:
        if not isinstance(value, str) or value not in allowed:
            raise ValueError
        return value

    return write


def _text(longest: int) -> NativeFilter:
    def write(value: Any) -> str:
        if not isinstance(value, str) or not 1 <= len(value) <= longest or _LONE_SURROGATE.search(value):
            raise ValueError
        return value

    return NativeFilter(f"text of 1 to {longest} characters", write)


_FROM: Final = NativeFilter("an RFC 3339 timestamp with an offset", _lower_bound_text)
_TO: Final = NativeFilter("an RFC 3339 timestamp with an offset", _upper_bound_text)
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
        InvalidRequest: if JTL does not have the filter, or the value breaks its rule.
    """
    if name not in NATIVE:
        known = ", ".join(sorted(NATIVE))
        raise InvalidRequest(f"JTL has no filter {name!r:.40}; it has {known}", field=f"native.{name}", rule=known)
    try:
        return NATIVE[name].write(value)
    except (ValueError, TypeError, OverflowError, InvalidRequest):
        del value  # it may be a code, which neither the context nor the frame of the error may hold
    rule = NATIVE[name].rule
    raise InvalidRequest(f"filter {name} must be {rule}", field=f"native.{name}", rule=rule)


def _lower_bound(value: datetime) -> str:
    return format_seconds(first_second(value))


def _boolean(value: bool) -> str:
    return "true" if value else "false"


def _status(value: Status) -> str:
    if value not in (Status.ACTIVE, Status.INACTIVE):
        article = "an" if value.value[0] in "aeiou" else "a"
        raise UnsupportedOperation(
            f"JTL has no filter for {article} {value.value.replace('_', ' ')} status", operation="vouchers"
        )
    return value.value


_COMMON: Final[Mapping[str, tuple[str, Callable[[Any], str | Masked]]]] = {
    "code": ("code", Code.of),
    "status": ("status", _status),
    "created_from": ("created_from", _lower_bound),
    "created_to": ("created_to", format_seconds),
    "valid_until_from": ("valid_until_from", _lower_bound),
    "valid_until_to": ("valid_until_to", format_seconds),
    "sku": ("sku", str),
    "batch": ("batch", str),
    # A boolean at JTL, in spite of its name (seed).
    "has_value": ("remaining_amount", _boolean),
}

COMMON_FILTERS: Final = frozenset(_COMMON)
"""The fields of `VoucherQuery` that JTL can filter by."""

_ARRAYS: Final = frozenset({"status"})
_EMPTY: Final = ("", Code(""))

NATIVE_FILTERS: Final = frozenset(NATIVE)
"""The filters by JTL's own names."""


def filters(query: VoucherQuery, *, array_style: str) -> list[Param]:
    """Return the query's filters as JTL writes them.

    Raises:
        InvalidRequest: if a value breaks the rule of its filter, or a filter is given twice.
    """
    params: dict[str, str | Masked] = {}
    for name, value in query.common().items():
        # JTL may ignore an empty filter and list everything.
        if value in _EMPTY:
            raise InvalidRequest(f"filter {name} must not be empty", field=name, rule="not empty")
        jtl_name, write = _COMMON[name]
        try:
            params[jtl_name] = write(value)
        except OverflowError:
            rule = "at most the last second of the year 9999"
            raise InvalidRequest(f"filter {name} must be {rule}", field=name, rule=rule) from None
    for name in query.native:  # values stay out of the frame: one may be a code
        if name in params:
            raise InvalidRequest(f"filter {name} is given twice", field=f"native.{name}", rule="once")
        params[name] = (Code if name == "code" else str)(write_value(name, query.native[name]))
    return [param for name, value in params.items() for param in _write_filter(name, value, array_style)]


def currency_filter(query: VoucherQuery) -> Callable[[Voucher], bool] | None:
    """Return the condition for the currency of listed vouchers, because JTL compares amounts only; None for none."""
    amount = amount_with_currency(query)
    if amount is None:
        return None

    def has_currency(voucher: Voucher) -> bool:
        return voucher.initial is not None and voucher.initial.currency == amount.currency

    return has_currency


def _write_filter(name: str, value: str | Masked, array_style: str) -> list[Param]:
    """Return the parameters of one filter. The format of arrays is not documented, so a setting chooses it."""
    if name in _ARRAYS and array_style == "repeat" and isinstance(value, str):
        return [(f"filter[{name}][]", part) for part in value.split(",")]
    return [(f"filter[{name}]", value)]
