"""The 16 filters of JTL's voucher list (seed), common and native ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from voucher_gateway.adapter import (
    Code,
    InvalidRequest,
    Masked,
    Status,
    UnsupportedOperation,
    VoucherQuery,
    format_seconds,
    parse_instant,
)

Param = tuple[str, str | Masked]


def _instant(value: datetime) -> str:
    return format_seconds(value)


def _boolean(value: bool) -> str:
    return "true" if value else "false"


def _status(value: Status) -> str:
    if value is Status.UNKNOWN:
        raise UnsupportedOperation("JTL has no filter for an unknown status", operation="vouchers")
    return value.value


_COMMON: Final[Mapping[str, tuple[str, Callable[[Any], str | Masked]]]] = {
    "code": ("code", lambda code: code),
    "status": ("status", _status),
    "created_from": ("created_from", _instant),
    "created_to": ("created_to", _instant),
    "valid_until_from": ("valid_until_from", _instant),
    "valid_until_to": ("valid_until_to", _instant),
    "sku": ("sku", str),
    "batch": ("batch", str),
    # A yes or no at JTL, in spite of its name (seed).
    "has_value": ("remaining_amount", _boolean),
}

COMMON_FILTERS: Final = frozenset(_COMMON)
"""The fields of `VoucherQuery` that JTL can filter by."""

_ARRAYS: Final = frozenset({"status"})
_EMPTY: Final = ("", Code(""))


def _one_of(*allowed: str) -> Callable[[str], bool]:
    return lambda text: text in allowed


def _is_instant(text: str) -> bool:
    try:
        parse_instant(text)
    except (TypeError, ValueError):
        return False
    return True


def _any_text(text: str) -> bool:
    return bool(text) and isinstance(text, str)


_NATIVE: Final[Mapping[str, tuple[str, Callable[[str], bool]]]] = {
    "created_from": ("an RFC 3339 timestamp with an offset", _is_instant),
    "created_to": ("an RFC 3339 timestamp with an offset", _is_instant),
    "valid_until_from": ("an RFC 3339 timestamp with an offset", _is_instant),
    "valid_until_to": ("an RFC 3339 timestamp with an offset", _is_instant),
    "client_id": ("not empty", _any_text),
    "client.client_group_id": ("not empty", _any_text),
    "code": ("not empty", _any_text),
    "id": ("not empty", _any_text),
    "sku": ("not empty", _any_text),
    "type": ("digital or print", _one_of("digital", "print")),
    "amount": ("not empty", _any_text),
    "status": ("not empty", _any_text),
    "batch": ("not empty", _any_text),
    "remaining_amount": ("true or false", _one_of("true", "false")),
    "taxable": ("true or false", _one_of("true", "false")),
    "tax_rate": ("not empty", _any_text),
}

NATIVE_FILTERS: Final = frozenset(_NATIVE)
"""The filters by JTL's own names."""


def filters(query: VoucherQuery, *, array_style: str) -> list[Param]:
    """Return the query's filters as JTL writes them.

    Raises:
        InvalidRequest: naming the filter and its rule, or one that is given twice.
    """
    found: dict[str, str | Masked] = {}
    for name, value in query.common().items():
        # An empty filter may well be taken for none, and everything listed.
        if value in _EMPTY:
            raise InvalidRequest(f"filter {name} must be not empty", field=name, rule="not empty")
        theirs, write = _COMMON[name]
        found[theirs] = write(value)
    for name, text in query.native.items():
        if name not in _NATIVE:
            known = ", ".join(sorted(_NATIVE))
            raise InvalidRequest(f"JTL has no filter {name!r:.40}; it has {known}", field=f"native.{name}", rule=known)
        rule, allows = _NATIVE[name]
        if not allows(text):
            raise InvalidRequest(f"filter {name} must be {rule}", field=f"native.{name}", rule=rule)
        if name in found:
            raise InvalidRequest(f"filter {name} is given twice", field=f"native.{name}", rule="once")
        found[name] = Code(text) if name == "code" else text
    return [param for name, value in found.items() for param in _written(name, value, array_style)]


def _written(name: str, value: str | Masked, array_style: str) -> list[Param]:
    """Write one filter. How a list is written is not documented, so it can be switched."""
    if name in _ARRAYS and array_style == "repeat" and isinstance(value, str):
        return [(f"filter[{name}][]", part) for part in value.split(",")]
    return [(f"filter[{name}]", value)]
