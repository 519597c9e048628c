"""The fields of requests, read as the program reads them: it converts much, and cuts blanks around texts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from voucher_gateway.simulator import InvalidJson, Refused, Reply, Request, decimals_of

HTML: Final = (("Content-Type", "text/html; charset=utf-8"),)

_CODE: Final = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9.-]+")
_TRUTH: Final = {True: True, False: False, "true": True, "false": False}
_NULL: Final = "This field may not be null."
_MISSING: Final = "This field is required."
_NO_NUMBER: Final = "A valid number is required."


class NotValid(Exception):
    """A field that the program refuses; the text is the program's."""


def read_body(request: Request) -> object:
    """Return a body as JSON. No body is an empty object."""
    try:
        return request.json() if request.body else {}
    except InvalidJson:
        raise Refused(Reply(400, {"detail": "JSON parse error - Expected object or value"})) from None


def read_object(request: Request) -> Mapping[str, Any]:
    """Return the members of a body."""
    fields = read_body(request)
    if not isinstance(fields, dict):
        kind = type(fields).__name__
        raise Refused(Reply(400, {"non_field_errors": [f"Invalid data. Expected a dictionary, but got {kind}."]}))
    return fields


def read_cents(value: object) -> int:
    """Return an amount in hundredths: 13 digits at most, two of them decimals."""
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise NotValid(_NO_NUMBER)
    try:
        number = Decimal(value)
    except InvalidOperation:
        raise NotValid(_NO_NUMBER) from None
    if not number.is_finite():
        raise NotValid(_NO_NUMBER)
    if number.copy_abs() >= Decimal(10) ** 11:
        raise NotValid("An amount has 13 digits at most.")
    if number * 100 != int(number * 100):
        raise NotValid("An amount has two decimals at most.")
    return int(number * 100)


def read_value(value: object) -> int:
    """Return the value of a card in hundredths: an amount that is not negative."""
    if value is None:
        raise NotValid(_NULL)
    cents = read_cents(value)
    if cents < 0:
        raise NotValid("The value must not be negative.")
    return cents


def read_text(value: object) -> str:
    """Return a text without the blanks around it. A number becomes a text."""
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise NotValid("Not a valid string.")
    return str(value).strip()


def read_optional_text(value: object) -> str | None:
    """Return a text, which may be null."""
    return None if value is None else read_text(value)


def read_code(value: object) -> str:
    """Return a code of 2 to 190 letters, digits, dots and dashes."""
    if value is None:
        raise NotValid(_NULL)
    code = read_text(value)
    if not code:
        raise NotValid("This field may not be blank.")
    if not _CODE.fullmatch(code):
        raise NotValid("A code has letters, digits, dots and dashes.")
    if len(code) > 190:
        raise NotValid("A code has 190 characters at most.")
    return code


def read_currency(value: object) -> str:
    """Return a currency. The program knows also such as have no minor unit."""
    if isinstance(value, str) and (value == "XXX" or _has_minor_unit(value)):
        return value
    raise NotValid(_NULL if value is None else f'"{value}" is not a valid choice.')


def read_truth(value: object) -> bool:
    """Return a boolean."""
    if isinstance(value, str | bool) and value in _TRUTH:
        return _TRUTH[value]
    raise NotValid(_NULL if value is None else "Must be a valid boolean.")


def read_instant(value: object) -> datetime | None:
    """Return an instant, which may be null. One without an offset is in the zone of the installation, here UTC."""
    if value is None:
        return None
    try:
        instant = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        instant = None
    if instant is None:
        raise NotValid("Datetime has wrong format.")
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)


_READERS: Final = {
    "secret": read_code,
    "value": read_value,
    "currency": read_currency,
    "testmode": read_truth,
    "expires": read_instant,
    "conditions": read_optional_text,
}


def read_card_fields(
    fields: Mapping[str, Any], required: tuple[str, ...] = ()
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the fields of a card that a body has, and the texts about those that are wrong. Others are ignored."""
    values: dict[str, Any] = {}
    problems: dict[str, Any] = {}
    for name, reader in _READERS.items():
        if name not in fields:
            if name in required:
                problems[name] = [_MISSING]
            continue
        try:
            values[name] = reader(fields[name])
        except NotValid as refusal:
            problems[name] = [str(refusal)]
    return values, problems


def _has_minor_unit(currency: str) -> bool:
    try:
        decimals_of(currency)
    except ValueError:
        return False
    return currency.isupper()
