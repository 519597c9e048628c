"""The 16 filters of JTL's voucher list (seed), common and native ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from voucher_gateway.provider_api import (
    Code,
    InvalidRequest,
    Masked,
    Status,
    UnsupportedOperation,
    Voucher,
    VoucherQuery,
    format_seconds,
)
from voucher_gateway_jtl.native_filters import NATIVE, amount_with_currency, first_second, write_value

Param = tuple[str, str | Masked]


def _lower_bound(value: datetime) -> str:
    return format_seconds(first_second(value))


def _boolean(value: bool) -> str:
    return "true" if value else "false"


def _status(value: Status) -> str:
    if value is Status.UNKNOWN:
        raise UnsupportedOperation("JTL has no filter for an unknown status", operation="vouchers")
    return value.value


_COMMON: Final[Mapping[str, tuple[str, Callable[[Any], str | Masked]]]] = {
    "code": ("code", lambda code: code),
    "status": ("status", _status),
    "created_from": ("created_from", _lower_bound),
    "created_to": ("created_to", format_seconds),
    "valid_until_from": ("valid_until_from", _lower_bound),
    "valid_until_to": ("valid_until_to", format_seconds),
    "sku": ("sku", str),
    "batch": ("batch", str),
    # A yes or no at JTL, in spite of its name (seed).
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
        InvalidRequest: naming the filter and its rule, or one that is given twice.
    """
    params: dict[str, str | Masked] = {}
    for name, value in query.common().items():
        # An empty filter may well be taken for none, and everything listed.
        if value in _EMPTY:
            raise InvalidRequest(f"filter {name} must be not empty", field=name, rule="not empty")
        theirs, write = _COMMON[name]
        try:
            params[theirs] = write(value)
        except OverflowError:
            rule = "at most the last second of the year 9999"
            raise InvalidRequest(f"filter {name} must be {rule}", field=name, rule=rule) from None
    for name in query.native:  # values are kept out of the frame: one may be a code
        if name in params:
            raise InvalidRequest(f"filter {name} is given twice", field=f"native.{name}", rule="once")
        params[name] = (Code if name == "code" else str)(write_value(name, query.native[name]))
    return [param for name, value in params.items() for param in _write_filter(name, value, array_style)]


def currency_filter(query: VoucherQuery) -> Callable[[Voucher], bool] | None:
    """Return what else a listed voucher must be, as JTL compares amounts without their currency; None for nothing."""
    amount = amount_with_currency(query)
    if amount is None:
        return None
    return lambda voucher: voucher.initial is not None and voucher.initial.currency == amount.currency


def _write_filter(name: str, value: str | Masked, array_style: str) -> list[Param]:
    """Write one filter. How a list is written is not documented, so it can be switched."""
    if name in _ARRAYS and array_style == "repeat" and isinstance(value, str):
        return [(f"filter[{name}][]", part) for part in value.split(",")]
    return [(f"filter[{name}]", value)]
