"""The JSON of our objects: one spelling of each type, for the journal, plan files, the file provider and the CLI.

`to_json` writes any object, for people and programs that read our output. `make_converter` returns a converter for
what we also read back. Both spell:

- `Money` as ``{"amount": "10.50", "currency": "EUR"}``,
- `datetime` as RFC 3339 in UTC, with a fraction of a second only where there is one,
- `timedelta` as text with the exact number of seconds, such as ``"1.5"``,
- enum members as their values,
- codes, PINs and secrets as their masks.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import attrs
import cattrs

from voucher_gateway.instants import format_instant, parse_instant
from voucher_gateway.masking import Masked, Secret
from voucher_gateway.money import Money

_MAX_EXPONENT: Final = 1000
_MICROSECOND: Final = timedelta(microseconds=1)


def to_json(value: Any, *, reveal: bool = False) -> Any:
    """Return a value in terms of JSON: dicts, lists, strings, ints, Decimals, booleans and None.

    Args:
        value: an attrs object, or anything that may be in one.
        reveal: whether codes and PINs are written in plain text. A `Secret` is always masked.

    Raises:
        TypeError: for a type that has no form in JSON, binary floats among them.
        ValueError: for NaN and infinities.
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
        case Masked():
            return value.reveal() if reveal and not isinstance(value, Secret) else str(value)
        case Mapping():
            return {str(name): to_json(element, reveal=reveal) for name, element in value.items()}
        case list() | tuple():
            return [to_json(element, reveal=reveal) for element in value]
        case set() | frozenset():
            return sorted(to_json(element, reveal=reveal) for element in value)
    if write := _WRITERS.get(type(value)):
        return write(value)
    if attrs.has(type(value)):
        return {name: to_json(getattr(value, name), reveal=reveal) for name in equality_fields(type(value))}
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def equality_fields(kind: type[attrs.AttrsInstance]) -> list[str]:
    """Return the names of the fields that make two objects of an attrs class equal.

    The others describe how an object was obtained, not what it is: ``raw``, which may hold codes, and ``replayed``.
    """
    return [field.name for field in attrs.fields(kind) if field.eq]


def make_converter() -> cattrs.Converter:
    """Return a converter that writes objects as `to_json` does and reads them back; defaults are left out.

    It does not read masks back, and callers must not let a binary float reach it: read JSON by `wire.json.decode`.
    """
    converter = cattrs.Converter(
        omit_if_default=True, detailed_validation=False, unstruct_collection_overrides={frozenset: sorted}
    )
    for kind, write in _WRITERS.items():
        converter.register_unstructure_hook(kind, write)
    for kind, read in _READERS.items():
        converter.register_structure_hook(kind, _structure_hook(read))
    converter.register_unstructure_hook(Masked, str)
    return converter


def _structure_hook(read: Callable[[Any], Any]) -> Callable[[Any, Any], Any]:
    return lambda value, _: read(value)


def _number(value: Decimal) -> Decimal | str:
    """Return the number, or its text if it needs thousands of digits without an exponent.

    Only metadata of a shop can hold such a number.
    """
    exponent = value.as_tuple().exponent
    if not isinstance(exponent, int):
        raise ValueError("only a finite number has a form in JSON")
    return value if abs(exponent) <= _MAX_EXPONENT else str(value)


def _money_object(money: Money) -> dict[str, str]:
    return {"amount": f"{money.amount:f}", "currency": money.currency}


def _parse_money(value: Mapping[str, str]) -> Money:
    return Money(value["amount"], value["currency"])


def _seconds_text(length: timedelta) -> str:
    seconds = Decimal(length // _MICROSECOND).scaleb(-6)
    return f"{seconds.to_integral() if seconds == seconds.to_integral() else seconds.normalize():f}"


def _parse_seconds(text: str) -> timedelta:
    return timedelta(microseconds=int(Decimal(text).scaleb(6)))


_WRITERS: Final[Mapping[type[Any], Callable[[Any], Any]]] = {
    Money: _money_object,
    datetime: format_instant,
    timedelta: _seconds_text,
}
_READERS: Final[Mapping[type[Any], Callable[[Any], Any]]] = {
    Money: _parse_money,
    datetime: parse_instant,
    timedelta: _parse_seconds,
}
