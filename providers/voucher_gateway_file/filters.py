"""The filters of a listing: all common ones, applied to each voucher of the file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from voucher_gateway.provider_api import InvalidRequest, UnsupportedOperation, Voucher, VoucherQuery

_FIELDS_EQUAL: Final = ("code", "status", "sku", "batch")
_FIELDS_FROM: Final = {"created_from": "created_at", "valid_until_from": "valid_until"}
_FIELDS_TO: Final = {"created_to": "created_at", "valid_until_to": "valid_until"}

COMMON_FILTERS: Final = frozenset({*_FIELDS_EQUAL, *_FIELDS_FROM, *_FIELDS_TO, "has_value"})
"""The fields of `VoucherQuery` that a file can be filtered by."""


def predicate(query: VoucherQuery) -> Callable[[Voucher], bool] | None:
    """Return the condition of a query for vouchers; None if every voucher passes.

    A voucher without a field does not pass a filter by that field.

    Raises:
        UnsupportedOperation: if the query chooses an order.
        InvalidRequest: if it has a native filter, because a file has none.
    """
    if query.newest_first is not None:
        raise UnsupportedOperation("a file can only be listed in the order of its lines", operation="vouchers")
    if query.native:
        raise InvalidRequest("a file has no native filters", field="native", rule="none")
    filters = query.common()
    return partial(_passes_all, filters) if filters else None


def _passes_all(filters: Mapping[str, Any], voucher: Voucher) -> bool:
    return all(_passes(voucher, name, value) for name, value in filters.items())


def _passes(voucher: Voucher, name: str, value: Any) -> bool:
    if name in _FIELDS_EQUAL:
        return bool(getattr(voucher, name) == value)
    if name in _FIELDS_FROM:
        at = getattr(voucher, _FIELDS_FROM[name])
        return at is not None and at >= value
    if name in _FIELDS_TO:
        at = getattr(voucher, _FIELDS_TO[name])
        return at is not None and at <= value
    assert name == "has_value"
    return voucher.remaining is not None and bool(voucher.remaining) is value
