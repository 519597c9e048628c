"""From decoded JSON to wire objects and on to the domain, with one error that names every wrong field."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final, TypeVar

import cattrs
from cattrs.errors import ClassValidationError, IterableValidationError

from voucher_gateway.errors import MalformedResponse
from voucher_gateway.models.voucher import RawObject
from voucher_gateway.money import Money
from voucher_gateway.wire.amounts import AmountFormat, NotRepresentable, WireError

T = TypeVar("T")
Wire = TypeVar("Wire")
Made = TypeVar("Made")

_SHOWN: Final = 5
"""How many problems the message itself names; `MalformedResponse.problems` has them all."""


def structure(converter: cattrs.Converter, cls: type[T], payload: object, *, what: str) -> T:
    """Return the payload as an object of a wire class.

    Args:
        converter: from `strict_converter`.
        cls: a class of attrs, or a type such as ``list[Movement]``.
        payload: what `decode` returned.
        what: what the payload is, for the message, e.g. ``voucher list``.

    Raises:
        MalformedResponse: naming every wrong field by its path in the vendor's words, and never a value but the id.
    """
    try:
        value: T = converter.get_structure_hook(cls)(payload, cls)
        return value
    except (KeyError, ValueError):
        pass  # the problems are collected below: in the handler, the error's context would keep the value
    problems = _problems(converter, cls, payload)
    del payload
    raise malformed_error(what, problems)


def money_from(amount_format: AmountFormat, number: Decimal, currency: str, field: str) -> Money:
    """Return the money that the number of a wire object stands for.

    Args:
        amount_format: the format of the field.
        number: what the field holds.
        currency: the ISO 4217 code.
        field: what the vendor calls the field.

    Raises:
        MalformedResponse: if the currency has no such amount, or it is negative.
    """
    try:
        money = amount_format.money(number, currency)
        if money.amount >= 0:
            return money
        rule = "expected an amount that is not negative"
    except NotRepresentable as error:
        rule = str(error)
    raise malformed_error("reply", [f"{field}: {rule}"])


def map_page(
    make: Callable[[Wire, RawObject], Made],
    wires: Sequence[Wire],
    raws: Sequence[RawObject],
    *,
    what: str,
    at: str,
) -> list[Made]:
    """Return what `make` makes of each wire object of a page and the vendor's own: a `Voucher`, a `Movement`.

    Args:
        make: makes one; may raise MalformedResponse.
        wires: the wire objects, in the order of `raws`.
        raws: the vendor's own objects.
        what: what the payload is, for the message.
        at: what the vendor calls the array.

    Raises:
        MalformedResponse: with the problems of all objects together, by their paths. Of one object they are what
            `make` found, which is its first amount off the grid.
    """
    try:
        return [make(wire, raw) for wire, raw in zip(wires, raws, strict=True)]
    except MalformedResponse:
        pass
    problems = []
    for index, (wire, raw) in enumerate(zip(wires, raws, strict=True)):
        try:
            make(wire, raw)
        except MalformedResponse as error:
            where = f"{at}[{index}]"
            problems += [f"{where}.{problem}" for problem in error.problems] or [f"{where}: {error.message}"]
    raise malformed_error(what, problems)


def malformed_error(what: str, problems: Sequence[str]) -> MalformedResponse:
    """Return the error for a payload with these problems."""
    rest = f" and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
    details = "; ".join(problems[:_SHOWN])
    return MalformedResponse(f"the {what} breaks the vendor's contract: {details}{rest}", problems=tuple(problems))


@lru_cache(maxsize=32)
def _with_detailed_validation(converter: cattrs.Converter) -> cattrs.Converter:
    return converter.copy(detailed_validation=True)


def _problems(converter: cattrs.Converter, cls: type[Any], payload: object) -> list[str]:
    try:
        _with_detailed_validation(converter).get_structure_hook(cls)(payload, cls)
    except (KeyError, ValueError, ClassValidationError, IterableValidationError) as error:
        found = [(path.removeprefix(".") or "the whole", rule) for path, rule in _walk(error, "", converter)]
        return [f"{_with_id(payload, path)}: {rule}" for path, rule in found]
    return []


def _with_id(payload: object, path: str) -> str:
    """Return a path into an array, with the vendor's id of the object in it: by the id a person finds a voucher."""
    match = _ENTRY.match(path)
    if match is None:
        return path
    entries: Any = payload.get(match["array"]) if match["array"] and isinstance(payload, dict) else payload
    index = int(match["index"])
    entry = entries[index] if isinstance(entries, list) and index < len(entries) else None
    id = next((entry[name] for name in _IDS if name in entry), None) if isinstance(entry, dict) else None
    if not isinstance(id, str | int) or not _ID.fullmatch(str(id)):
        return path
    return f"{match[0]} (id {id}){path[match.end() :]}"


_ENTRY: Final = re.compile(r"(?P<array>\w*)\[(?P<index>[0-9]+)\]", re.ASCII)
_IDS: Final = ("id", "_id")
_ID: Final = re.compile(r"[A-Za-z0-9_:.-]{1,64}", re.ASCII)


def _walk(error: BaseException, path: str, converter: cattrs.Converter) -> Iterator[tuple[str, str]]:
    if isinstance(error, IterableValidationError):
        for item_error, item in error.group_exceptions()[0]:
            yield from _walk(item_error, f"{path}[{item.index}]", converter)
    elif isinstance(error, ClassValidationError):
        fields, others = error.group_exceptions()
        for field_error, field in fields:
            yield from _walk(field_error, f"{path}.{vendor_name(converter, error.cl, field.name)}", converter)
        for other in others:
            yield from _walk(other, path, converter)
    elif isinstance(error, KeyError):
        yield path, "is missing"
    elif isinstance(error, WireError):
        yield path, str(error)
    else:  # a validator of the class; its message might quote the value
        yield path, "breaks a rule of the class"


def vendor_name(converter: cattrs.Converter, cls: type[Any], name: str) -> str:
    """Return what the vendor calls a field of a wire class."""
    overrides = getattr(converter.get_structure_hook(cls), "overrides", {})
    return (overrides[name].rename if name in overrides else None) or name
