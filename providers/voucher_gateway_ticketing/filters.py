"""The two filters of the ticketing vendor's voucher list (seed). The list has no order to choose."""

from __future__ import annotations

from typing import Final

from voucher_gateway.provider_api import Code, InvalidRequest, Masked, UnsupportedOperation, VoucherQuery

Param = tuple[str, str | Masked]

COMMON_FILTERS: Final = frozenset({"code"})
"""The fields of `VoucherQuery` that the vendor can filter by. It is not documented how it compares codes, so vouchers
with another code are removed here."""

NATIVE_FILTERS: Final = frozenset({"code", "transactionId"})
"""The filters by the vendor's names. The vendor alone compares them. transactionId is that of the voucher's origin."""


def filters(query: VoucherQuery) -> list[Param]:
    """Return the query's filters as the vendor writes them.

    Raises:
        UnsupportedOperation: if the vendor lacks a common filter, or the query chooses an order.
        InvalidRequest: if the vendor lacks a native filter, or one is empty or given twice.
    """
    unsupported = sorted(query.common().keys() - COMMON_FILTERS)
    if unsupported:
        raise UnsupportedOperation(f"vivenu cannot filter by {', '.join(unsupported)}", operation="vouchers")
    if query.newest_first is not None:
        raise UnsupportedOperation("vivenu cannot list in a chosen order", operation="vouchers")
    params: dict[str, str | Masked] = {}
    if query.code is not None:
        params["code"] = validate_code(query.code)
    for name, text in query.native.items():
        if name not in NATIVE_FILTERS:
            known = ", ".join(sorted(NATIVE_FILTERS))
            raise InvalidRequest(
                f"vivenu has no filter {name!r:.40}; it has {known}", field=f"native.{name}", rule=known
            )
        if not isinstance(text, str) or not text:
            raise InvalidRequest(
                f"filter {name} must be a string that is not empty", field=f"native.{name}", rule="not empty"
            )
        if name in params:
            raise InvalidRequest(f"filter {name} is given twice", field=f"native.{name}", rule="once")
        params[name] = Code(text) if name == "code" else text
    return list(params.items())


def validate_code(code: str | Code) -> Code:
    """Return the code, if it is not empty. The vendor could ignore an empty filter and list everything."""
    code = Code.of(code)
    if not code.reveal():
        raise InvalidRequest("code must not be empty", field="code", rule="not empty")
    return code
