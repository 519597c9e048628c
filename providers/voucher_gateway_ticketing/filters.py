"""The filters of the ticketing vendor's voucher list (seed): two, and no order."""

from __future__ import annotations

from typing import Final

from voucher_gateway.provider_api import Code, InvalidRequest, Masked, UnsupportedOperation, VoucherQuery

Param = tuple[str, str | Masked]

COMMON_FILTERS: Final = frozenset({"code"})
"""The fields of `VoucherQuery` that the vendor can filter by. How it compares codes is not documented, so what is not
the very code is left out here."""

NATIVE_FILTERS: Final = frozenset({"code", "transactionId"})
"""The filters by the vendor's own names, compared its own way. The transactionId is that of the voucher's origin."""


def filters(query: VoucherQuery) -> list[Param]:
    """Return the query's filters as the vendor writes them.

    Raises:
        UnsupportedOperation: naming every common filter that the vendor lacks, or the order.
        InvalidRequest: for a native filter that it lacks, that is empty, or that is given twice.
    """
    lacking = sorted(query.common().keys() - COMMON_FILTERS)
    if lacking:
        raise UnsupportedOperation(f"vivenu cannot filter by {', '.join(lacking)}", operation="vouchers")
    if query.newest_first is not None:
        raise UnsupportedOperation("vivenu cannot list in an order that is asked for", operation="vouchers")
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
            raise InvalidRequest(f"filter {name} must be text, not empty", field=f"native.{name}", rule="not empty")
        if name in params:
            raise InvalidRequest(f"filter {name} is given twice", field=f"native.{name}", rule="once")
        params[name] = Code(text) if name == "code" else text
    return list(params.items())


def validate_code(code: str | Code) -> Code:
    """Return the code if it can be looked for. An empty one could stand for no filter at all."""
    code = Code.of(code)
    if not code.reveal():
        raise InvalidRequest("code must not be empty", field="code", rule="not empty")
    return code
