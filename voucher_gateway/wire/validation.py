"""From decoded JSON to wire objects and on to the domain, with one error that names every wrong field."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final, TypeVar, get_args, get_type_hints

import cattrs
from cattrs.errors import ClassValidationError, IterableValidationError

from voucher_gateway.errors import MalformedResponse
from voucher_gateway.listing.unreadable import UnreadableEntry
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


def structure_page(
    converter: cattrs.Converter, cls: type[T], payload: object, *, array: str, what: str
) -> tuple[T, list[Any]]:
    """Return the payload of a page as an object of a wire class, and its entries.

    An entry that breaks the contract is an `UnreadableEntry` in its place, and the others are read all the same. So use
    it for a list of vouchers, and not for movements of money, which must be complete.

    Args:
        converter: from `strict_converter`.
        cls: a class of attrs with a field ``array`` of the type ``list[...]``.
        payload: what `decode` returned.
        array: the name of the array of the entries.
        what: what the payload is, for the message.

    Raises:
        MalformedResponse: if something else than an entry is wrong.
    """
    try:
        page = structure(converter, cls, payload, what=what)
        return page, list(getattr(page, array))
    except MalformedResponse as error:
        whole = error
    entries = payload.get(array) if isinstance(payload, dict) else None
    if not isinstance(entries, list) or not isinstance(payload, dict):
        del payload, entries
        raise whole
    page = structure(converter, cls, {**payload, array: []}, what=what)
    entry_type = get_args(get_type_hints(cls)[array])[0]
    return page, [_structure_entry(converter, entry_type, entry) for entry in entries]


def _structure_entry(converter: cattrs.Converter, cls: type[Any], entry: object) -> Any:
    try:
        return structure(converter, cls, entry, what="entry")
    except MalformedResponse as error:
        return UnreadableEntry.of(entry, error.problems)


def map_entries(
    make: Callable[[Wire, RawObject], Made], wires: Sequence[Wire | UnreadableEntry], raws: Sequence[RawObject]
) -> list[Made | UnreadableEntry]:
    """Return what `make` makes of each entry of a page and the vendor's own object.

    Where `make` raises MalformedResponse, it is an `UnreadableEntry`. So use it for a list of vouchers, and `map_page`
    for movements of money.

    Args:
        make: makes one; may raise MalformedResponse.
        wires: the wire objects, and entries that could not be read, in the order of `raws`.
        raws: the vendor's own objects.
    """
    return [
        wire if isinstance(wire, UnreadableEntry) else _map_entry(make, wire, raw)
        for wire, raw in zip(wires, raws, strict=True)
    ]


def _map_entry(make: Callable[[Wire, RawObject], Made], wire: Wire, raw: RawObject) -> Made | UnreadableEntry:
    try:
        return make(wire, raw)
    except MalformedResponse as error:
        return UnreadableEntry.of(raw, error.problems or (error.message,))


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
        rules = [(path.removeprefix(".") or "the whole", rule) for path, rule in _walk(error, "", converter)]
        return [f"{_with_id(payload, path)}: {rule}" for path, rule in rules]
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
