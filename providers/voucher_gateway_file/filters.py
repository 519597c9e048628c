"""The filters of a list: all common ones, looked at voucher by voucher."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from voucher_gateway.provider_api import InvalidRequest, UnsupportedOperation, Voucher, VoucherQuery

Predicate = Callable[[Voucher], bool]


def _from(moment: datetime | None, bound: datetime) -> bool:
    return moment is not None and moment >= bound


def _to(moment: datetime | None, bound: datetime) -> bool:
    return moment is not None and moment <= bound


_FILTERS: Final[Mapping[str, Callable[[Voucher, Any], bool]]] = {
    "code": lambda voucher, code: voucher.code == code,
    "status": lambda voucher, status: voucher.status == status,
    "created_from": lambda voucher, bound: _from(voucher.created_at, bound),
    "created_to": lambda voucher, bound: _to(voucher.created_at, bound),
    "valid_until_from": lambda voucher, bound: _from(voucher.valid_until, bound),
    "valid_until_to": lambda voucher, bound: _to(voucher.valid_until, bound),
    "sku": lambda voucher, sku: voucher.sku == sku,
    "batch": lambda voucher, batch: voucher.batch == batch,
    "has_value": lambda voucher, wanted: voucher.remaining is not None and bool(voucher.remaining) is wanted,
}
"""By name of the field of `VoucherQuery`. A voucher of which the file does not say what is asked for is left out."""

COMMON_FILTERS: Final = frozenset(_FILTERS)


def predicate(query: VoucherQuery) -> Predicate | None:
    """Return what a voucher must fulfil; None if every voucher is wanted.

    Raises:
        UnsupportedOperation: if an order is asked for.
        InvalidRequest: if a filter of a vendor's own is, which a file does not have.
    """
    if query.newest_first is not None:
        raise UnsupportedOperation("a file is listed in its own order only", operation="vouchers")
    if query.native:
        raise InvalidRequest("a file has no filters of its own", field="native", rule="none")
    wanted = [(_FILTERS[name], value) for name, value in query.common().items()]
    return (lambda voucher: all(fulfils(voucher, value) for fulfils, value in wanted)) if wanted else None
