"""Values as JSON: what ``--json`` prints.

An attrs object becomes an object with the same field names, but for ``raw`` and ``replayed``. Money is
``{"amount": "10.53", "currency": "EUR"}``, an instant RFC 3339 in UTC, a code or PIN its mask unless it is to be
revealed.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import attrs

from voucher_gateway.instants import format_instant
from voucher_gateway.masking import Masked, Secret
from voucher_gateway.money import Money
from voucher_gateway.wire.json import encode

_LARGEST_EXPONENT: Final = 1000


def to_plain(value: Any, *, reveal: bool = False) -> Any:
    """Return the value in terms of JSON: dicts, lists, texts, ints, Decimals, booleans and None.

    Args:
        value: an attrs object, or anything that may be in one.
        reveal: whether codes and PINs show. Secrets never do.
    """
    match value:
        case None | bool() | int():
            return value
        case enum.Enum():
            return value.value
        case str():
            return value
        case Decimal():
            return _number(value)
        case datetime():
            return format_instant(value)
        case Money():
            return {"amount": f"{value.amount:f}", "currency": value.currency}
        case Masked():
            return value.reveal() if reveal and not isinstance(value, Secret) else str(value)
        case Mapping():
            return {str(name): to_plain(element, reveal=reveal) for name, element in value.items()}
        case list() | tuple():
            return [to_plain(element, reveal=reveal) for element in value]
        case set() | frozenset():
            return sorted(to_plain(element, reveal=reveal) for element in value)
    if attrs.has(type(value)):
        return to_plain({name: getattr(value, name) for name in printed_fields(type(value))}, reveal=reveal)
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def printed_fields(kind: type[attrs.AttrsInstance]) -> list[str]:
    """Return the fields of an attrs class that are told: not the vendor's own object, which may hold codes.

    ``replayed`` is told of the operation, not of what it brought about.
    """
    return [field.name for field in attrs.fields(kind) if field.eq]


def json_line(value: Any, *, reveal: bool = False) -> str:
    """Return the value as one line of JSON, without a line break."""
    return encode(to_plain(value, reveal=reveal)).decode()


def _number(value: Decimal) -> Decimal | str:
    """Return the number, as text where writing it without an exponent would take thousands of digits.

    A shop's own metadata can hold such a number; nothing of ours does.
    """
    exponent = value.as_tuple().exponent
    return value if isinstance(exponent, int) and abs(exponent) <= _LARGEST_EXPONENT else str(value)
