"""Reads requests by the limits that the vendor documents, and refuses others with 400."""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import datetime
from decimal import Decimal
from typing import Final, cast

import attrs

from voucher_gateway.simulator import InvalidJson, NotAnAmount, Request
from voucher_gateway_ticketing.simulator.responses import bad_request
from voucher_gateway_ticketing.simulator.scalars import SellerCurrency, parse_instant

DEFAULT_TOP: Final = 25  # vendor page
LARGEST_TOP: Final = 1000  # seed; the vendor's introduction says 100
_NUMBER: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?")
_LARGEST_FLOAT: Final = Decimal("1.7976931348623157e308")


@attrs.frozen
class VoucherListQuery:
    """The requested part of a list, and its filters."""

    top: int
    skip: int
    code: str | None
    transaction_id: str | None


def read_fields(request: Request, known: Collection[str], *, strict: bool) -> dict[str, object]:
    """Return the JSON object of a body. Unknown fields are refused only if `strict` is set.

    The vendor's introduction names form-encoded bodies, but all its examples are JSON. So only JSON is accepted.
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
    """Return the required amount in minor units. It is a JSON number, not a string (seed)."""
    amount = fields.get("amount")
    if isinstance(amount, bool) or not isinstance(amount, int | Decimal):
        raise bad_request("amount is required and must be a number.")
    try:
        return currency.minor_units(Decimal(amount))
    except NotAnAmount as error:
        raise bad_request(f"amount {error}.") from None


def read_code(fields: dict[str, object]) -> str | None:
    """Return the code that the caller chose, or None.

    It is a string (seed) of at least four characters, without a semicolon (vendor page).
    """
    if "code" not in fields:
        return None
    code = fields["code"]
    if not isinstance(code, str) or len(code) < 4 or ";" in code:
        raise bad_request("code must be a string of at least four characters without a semicolon.")
    return code


def read_valid_until(fields: dict[str, object]) -> datetime | None:
    """Return the expiry. Without one, or with null, the voucher never expires (vendor page)."""
    valid_until = fields.get("validUntil")
    if valid_until is None:
        return None
    if not isinstance(valid_until, str):
        raise bad_request("validUntil must be a string.")
    try:
        return parse_instant(valid_until)
    except ValueError:
        raise bad_request("validUntil must be a date-time with an offset.") from None


def read_list_query(request: Request, *, strict: bool) -> VoucherListQuery:
    """Return paging and filters of a list. Both numbers have the type float (seed), so `25.0` and `1e2` are valid."""
    known = ("top", "skip", "code", "transactionId")
    if strict and not request.query.keys() <= set(known):
        raise bad_request("The query has a field that this call does not take.")
    top = _number(request, "top", DEFAULT_TOP)
    if not 1 <= top <= LARGEST_TOP:
        raise bad_request(f"top must be between 1 and {LARGEST_TOP}.")
    skip = _number(request, "skip", 0)
    if skip < 0:
        raise bad_request("skip must not be negative.")
    # What a fraction means is not documented. Its integer part is used.
    return VoucherListQuery(
        int(top), int(skip), read_parameter(request, "code"), read_parameter(request, "transactionId")
    )


def read_parameter(request: Request, name: str) -> str | None:
    """Return a query parameter that may be given once; None if it is missing."""
    values = request.query.getlist(name)
    if len(values) > 1:
        raise bad_request(f"{name} must be given once.")
    return values[0] if values else None


def _number(request: Request, name: str, default: int) -> Decimal:
    text = read_parameter(request, name)
    if text is None:
        return Decimal(default)
    if _NUMBER.fullmatch(text) is None:
        raise bad_request(f"{name} must be a number.")
    number = Decimal(text)
    if abs(number) > _LARGEST_FLOAT:
        raise bad_request(f"{name} is too large.")
    return number
