"""A voucher as a JSON object: the fields of `Voucher` with the same names, as ``voucher-gateway --json`` prints them.

Amounts are strings (``{"amount": "10.53", "currency": "EUR"}``), instants RFC 3339, enum members their values. Nothing
is converted: a number as an amount is refused, because a program may have made a binary float of it.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

from voucher_gateway.provider_api import (
    JSON_NULL,
    Code,
    Interval,
    InvalidRequest,
    Medium,
    Money,
    Pin,
    Status,
    Validity,
    Voucher,
    parse_instant,
    to_json,
)

MASKED: Final = str(Pin("0"))
"""The beginning of the mask of a code or PIN. A code in a file cannot begin like this."""

LIKE_A_NAME: Final = re.compile(r"[A-Za-z_ ]{1,40}", re.ASCII)
"""Error messages quote only names of this form: another string in the place of a name may be a code."""

_SECRETS: Final = ("code", "pin")
"""The fields that can be masked."""

_NONE_UNREAD: Final[frozenset[str]] = frozenset()
_NOTHING: Final = (None, JSON_NULL)

Object = dict[str, Any]
Problem = tuple[str, str]
"""The place of an invalid value in an object, and the rule that it breaks. It never has the value."""


class FieldProblem(ValueError):
    """A value breaks a rule.

    Attributes:
        part: the invalid part of the value, if it is an object.
    """

    def __init__(self, rule: str, part: str = "") -> None:
        super().__init__(rule)
        self.part = part


class ParsedRecord(NamedTuple):
    """What was read of one record.

    Attributes:
        given: the object of the record; its ``account`` stays in `Voucher.raw`.
        fields: the values of the fields of a voucher. A masked code or PIN is None.
        problems: what is wrong.
    """

    given: Object
    fields: dict[str, Any]
    problems: list[Problem]


def read_object(given: Object) -> ParsedRecord:
    """Return the fields of an object, and its problems."""
    fields: dict[str, Any] = {}
    problems: list[Problem] = []
    for name, value in given.items():
        read = READERS.get(name)
        try:
            if read is None:
                problems.append(_unknown(name))
                continue
            fields[name] = None if value is None else read(value)
        except FieldProblem as wrong:
            problems.append((f"{name}.{wrong.part}" if wrong.part else name, str(wrong)))
    initial, remaining = fields.get("initial"), fields.get("remaining")
    if initial is not None and remaining is not None and initial.currency != remaining.currency:
        problems.append(("remaining", "must have the currency of the initial value"))
    return ParsedRecord(given, fields, problems)


def make_voucher(account: str, record: ParsedRecord, *, id: str) -> Voucher:
    """Return the voucher of a record without problems. A masked code or PIN is None, and listed in `unread`.

    Args:
        account: the account's name.
        record: the record.
        id: the id, if the record has none.
    """
    given, fields = record.given, {**record.fields, "account": account}
    if not fields.get("id"):
        fields["id"] = id
    unread = _NONE_UNREAD
    for name in _SECRETS:
        if given.get(name) is not None and fields[name] is None:
            unread |= {name}
    return Voucher(**fields, raw=given, unread=unread)


def object_from(voucher: Voucher, *, reveal: bool) -> Object:
    """Return a voucher as an object, without unknown fields. In a file, null and a missing field mean the same.

    Args:
        voucher: the voucher.
        reveal: whether its code and PIN are written; otherwise their masks are.
    """
    values = {name: getattr(voucher, name) for name in READERS if name != "account"}
    values["links"] = dict(voucher.links) or None
    return {name: to_json(value, reveal=reveal) for name, value in values.items() if value not in _NOTHING}


def _unknown(name: str) -> Problem:
    known = f"no field of a voucher; the fields are {', '.join(READERS)}"
    return (name, f"is {known}") if LIKE_A_NAME.fullmatch(name) else ("", f"has a name that is {known}")


def _prefix_problem(wrong: FieldProblem, name: str) -> FieldProblem:
    return FieldProblem(str(wrong), f"{name}.{wrong.part}" if wrong.part else name)


def _text(value: Any) -> str:
    if type(value) is not str:
        raise FieldProblem("must be a string")
    return value


def _require_text(value: Any) -> str:
    if not (text := _text(value)):
        raise FieldProblem("must not be empty")
    return text


def _code(value: Any) -> Code | None:
    text = value if type(value) is str and value else _require_text(value)
    return None if text.startswith(MASKED) else Code(text)


def _pin(value: Any) -> Pin | None:
    text = _require_text(value)
    return None if text.startswith(MASKED) else Pin(text)


def _money(value: Any) -> Money:
    if type(value) is not dict or value.keys() != {"amount", "currency"}:
        if type(value) is not dict:
            raise FieldProblem(
                'must be an object such as {"amount": "10.50", "currency": "EUR"}, with the amount as a string'
            )
        raise FieldProblem("must have an amount and a currency, and nothing else")
    if type(value["amount"]) is not str:
        raise FieldProblem('must be a string such as "10.50": a number may have gone through a binary float', "amount")
    if type(value["currency"]) is not str:
        raise FieldProblem("must be a string such as EUR", "currency")
    try:
        money = Money(value["amount"], value["currency"])
    except InvalidRequest as error:
        field, rule = error.field, error.rule
    else:
        if value["amount"].startswith("-"):  # -0.00 as well
            raise FieldProblem("must not be negative", "amount")
        return money
    raise FieldProblem(f"must be {rule}" if field == "currency" else f"must have {rule}", field)


def _instant(value: Any) -> datetime:
    try:
        return parse_instant(_text(value))
    except ValueError:
        pass
    raise FieldProblem("must be a timestamp with its offset from UTC, such as 2026-12-31T23:59:59Z")


def _flag(value: Any) -> bool:
    if type(value) is not bool:
        raise FieldProblem("must be true or false")
    return value


def _member(kind: type[enum.StrEnum]) -> Callable[[Any], enum.StrEnum]:
    members: Mapping[str, enum.StrEnum] = {member.value: member for member in kind}

    def read(value: Any) -> enum.StrEnum:
        member = members.get(value) if type(value) is str else None
        if member is None:
            raise FieldProblem(f"must be one of {', '.join(members)}")
        return member

    return read


_interval: Final = _member(Interval)


def _validity(value: Any) -> Validity:
    if type(value) is not dict or value.keys() != {"value", "interval"}:
        raise FieldProblem("must have a value and an interval, such as 3 years")
    if type(value["value"]) is not int or value["value"] < 0:
        raise FieldProblem("must be an integer", "value")
    try:
        return Validity(value["value"], Interval(_interval(value["interval"])))
    except FieldProblem as wrong:
        raise _prefix_problem(wrong, "interval") from None


def _any_json(value: Any) -> Any:
    return value


def _links(value: Any) -> Object:
    if type(value) is not dict or not all(type(text) is str for text in value.values()):
        raise FieldProblem("must be a JSON object with string values")
    return value


READERS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "account": _text,
    "id": _require_text,
    "code": _code,
    "pin": _pin,
    "initial": _money,
    "remaining": _money,
    "status": _member(Status),
    "medium": _member(Medium),
    "valid_until": _instant,
    "validity": _validity,
    "taxable": _flag,
    "tax_rate": _text,
    "sku": _text,
    "batch": _text,
    "order": _text,
    "metadata": _any_json,
    "login": _text,
    "origin": _text,
    "links": _links,
    "created_at": _instant,
    "updated_at": _instant,
    "deletable": _flag,
}
"""The fields in the order in which they are written, with the function that reads each."""
