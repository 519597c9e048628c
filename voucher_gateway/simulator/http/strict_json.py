"""JSON that is read strictly and written with exact decimals."""

from __future__ import annotations

import json
import re
import secrets
from decimal import Decimal
from typing import Final, Never

# The standard encoder writes numbers from int and float only. Decimals pass through it as marked strings; the mark and
# the quotes are removed afterwards. Each process draws another mark, so that no text of a caller can look like one.
_MARK: Final = secrets.token_hex(16)
_MARKED: Final = re.compile(f'"{_MARK}([^"]*)"')
_LARGEST_EXPONENT: Final = 1000
"""A larger number is written with its exponent: all its digits would fill the memory."""
_SURROGATE_ESCAPE: Final = re.compile(r"\\u[dD][89a-fA-F]")


class InvalidJson(ValueError):
    """A body that is not strict JSON; the message says why and quotes nothing of it."""


def read_json(body: bytes) -> object:
    """Read a JSON text of any kind; numbers with a fraction or exponent become `Decimal`, others `int`.

    Raises:
        InvalidJson: for anything but UTF-8, a key that is given twice, NaN and the infinities, lone surrogates,
            nesting that is too deep, and numbers that are too long.
    """
    try:
        text = body.decode("utf-8")
        value: object = json.loads(text, parse_float=_decimal, parse_constant=_no_constant, object_pairs_hook=_object)
    except InvalidJson:
        raise
    except RecursionError:
        raise InvalidJson("the JSON is nested too deeply") from None
    except ValueError:  # bad UTF-8, bad syntax and integers of thousands of digits
        raise InvalidJson("the body is not JSON") from None
    if _SURROGATE_ESCAPE.search(text):
        _refuse_lone_surrogates(value)
    return value


def write_json(value: object) -> bytes:
    """Write ASCII JSON; a `Decimal` appears with its own digits, without an exponent up to a thousand places."""
    text = json.dumps(value, default=_mark_decimal, separators=(",", ":"), allow_nan=False)
    if _MARK in text:
        text = _MARKED.sub(r"\1", text)
    return text.encode("ascii")


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except ArithmeticError:  # an exponent of more than eighteen digits
        raise InvalidJson("a number is out of range") from None


def _no_constant(name: str) -> Never:
    raise InvalidJson(f"{name} is not JSON")


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise InvalidJson("a key is given twice")
    return value


def _refuse_lone_surrogates(value: object) -> None:
    match value:
        case str():
            try:
                value.encode("utf-8")
            except UnicodeEncodeError:
                raise InvalidJson("a text holds half a surrogate pair") from None
        case dict():
            for key, item in value.items():
                _refuse_lone_surrogates(key)
                _refuse_lone_surrogates(item)
        case list():
            for item in value:
                _refuse_lone_surrogates(item)


def _mark_decimal(value: object) -> str:
    if isinstance(value, Decimal) and value.is_finite():
        exponent = value.as_tuple().exponent
        assert isinstance(exponent, int)  # finite
        return f"{_MARK}{value:f}" if abs(exponent) <= _LARGEST_EXPONENT else f"{_MARK}{value}"
    raise TypeError(f"{type(value).__name__} has no place in JSON")
