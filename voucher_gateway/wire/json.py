"""Strict JSON with exact numbers, in both directions."""

from __future__ import annotations

import json
import re
from decimal import Clamped, Context, Decimal, Inexact, InvalidOperation, Overflow, Rounded, Subnormal
from itertools import islice
from typing import Final, NoReturn

import attrs

from voucher_gateway.errors import InvalidRequest, MalformedResponse
from voucher_gateway.masking import drop_frames

_MAX_EXPONENT: Final = 1000
"""The largest exponent, in scientific notation, of a number that is read. A binary float has 324 at most."""
_MAX_DIGITS: Final = 1000
"""The most digits of a number with a point or an exponent."""

exact_decimal: Final = Context(
    prec=_MAX_DIGITS,
    Emax=_MAX_EXPONENT,
    Emin=-_MAX_EXPONENT,
    traps=[InvalidOperation, Overflow, Inexact, Rounded, Subnormal, Clamped],
).create_decimal
"""Read a number's text with every digit, or raise ArithmeticError; an absurd exponent raises, too.

``Decimal(text)`` would ask the caller's context, which may turn a number whose exponent does not fit into NaN without
a word; it also takes twice as long.
"""

_SURROGATE: Final = re.compile(r"\\u[dD][89a-fA-F]")

_quote: Final = json.encoder.encode_basestring
"""Returns a string in the quotes and with the escapes of JSON."""


class _Refused(ValueError):
    """JSON that Python would read, and we do not."""


def _constant(name: str) -> NoReturn:
    raise _Refused(f"{name} is not a JSON number")


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    # The last one would win silently, and the other amount would be lost.
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _Refused("an object has the same name twice")
    return members


_DECODER: Final = json.JSONDecoder(parse_float=exact_decimal, parse_constant=_constant, object_pairs_hook=_object)


_UP_TO_NEXT_VALUE: Final = re.compile(
    rb'[^",\[{]*+(?:"(?:[^"\\]++|\\.)*+"?[^",\[{]*+)*+(?:(?P<punctuation>[,\[{])|\Z)', re.DOTALL
)
"""Matches at every place of a text, so that a search takes linear time: up to the next punctuation, or to the end."""


def decode(body: bytes, *, what: str = "reply", max_values: int | None = None) -> object:
    """Read a JSON text: numbers with a point or an exponent become `Decimal` with all their digits, others int.

    A byte order mark is skipped, as RFC 8259 section 8.1 allows: it is a usual accident of PHP servers, and refusing
    it would turn a call that succeeded into one whose outcome is unknown.

    Args:
        body: the whole text, in UTF-8.
        what: what the text is, for the message.
        max_values: a text with more values is refused before it is read; None for no limit.

    Raises:
        MalformedResponse: if the text has too many values; if it is cut off, followed by something, nested too deeply
            or no UTF-8; if it holds NaN or an infinity, a number that is too long to read or has an absurd exponent,
            half a surrogate pair, or one name twice in an object. The message never quotes the text.
    """
    if max_values is not None and _has_more_values(body, max_values):
        del body  # it may hold codes, and the frame stays with the error
        raise MalformedResponse(f"the {what} has more than {max_values} values")
    value = _read(body)
    if not isinstance(value, _Problem):
        return value
    # Raised out here so that no exception with the whole text inside hangs on to this one as its context.
    problem = value.text
    del body, value
    raise MalformedResponse(f"the {what} is not strict JSON: {problem}")


@attrs.frozen
class _Problem:
    text: str


def _read(body: bytes) -> object:
    """Return what a JSON text stands for, or the `_Problem` that it has."""
    try:
        text = body.decode("utf-8").removeprefix("\ufeff")
        value: object = _DECODER.decode(text)
        if "\\u" in text and _SURROGATE.search(text):
            _require_whole_characters(value)
        return value
    except _Refused as refused:
        return _Problem(str(refused))
    except RecursionError:
        return _Problem("it is nested too deeply")
    except UnicodeDecodeError:
        return _Problem("it is not UTF-8")
    except UnicodeEncodeError:
        return _Problem("a text holds half a surrogate pair")
    except json.JSONDecodeError as error:
        return _Problem(f"it goes wrong at character {error.pos}")
    except (ArithmeticError, ValueError):
        return _Problem("a number is out of all bounds")


def _has_more_values(body: bytes, limit: int) -> bool:
    """Return whether a JSON text has more values than the limit. An empty object or array counts as two.

    A million values take some hundred megabytes of memory, so they are counted before any of them is made, and without
    a list of the texts between them.
    """
    # Punctuation in texts counts here too, so this is never too few. A text has one value more than it has punctuation.
    if body.count(b",") + body.count(b"[") + body.count(b"{") < limit:
        return False
    last_allowed = next(islice(_UP_TO_NEXT_VALUE.finditer(body), limit - 1, None), None)
    return last_allowed is not None and last_allowed["punctuation"] is not None


def _require_whole_characters(value: object) -> None:
    """Raise UnicodeEncodeError if a text could not be written as UTF-8 again, wherever in the value it is."""
    json.dumps(value, ensure_ascii=False, default=str).encode("utf-8")


def encode(value: object) -> bytes:
    """Write a value as compact UTF-8 JSON; a `Decimal` becomes a plain number with the same digits, never ``1E+1``.

    Raises:
        TypeError: for a float, a name that is not a str, and every other value that JSON does not have (also masked
            text).
        ValueError: for NaN, infinities and exponents beyond those that `decode` reads.
        InvalidRequest: for text with half a surrogate pair, which no caller meant to send.
    """
    failure: Exception | None = None
    try:
        return _write(value).encode("utf-8")
    except UnicodeEncodeError:
        pass  # its context would carry the whole text along
    except (TypeError, ValueError) as error:
        failure = drop_frames(error)  # they hold the whole value
    del value
    if failure is not None:
        raise failure
    raise InvalidRequest("a text to be sent holds half a surrogate pair", field="text", rule="valid Unicode")


def _write(value: object) -> str:
    """Return the JSON text of a value.

    Written by hand because the standard encoder takes no Decimal (and writes a subclass of int or float by that
    type's own repr), and simplejson writes one as ``str`` does: 1E+1. The bodies that we send are small.
    """
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case str():
            return _quote(value)
        case int():
            return int.__repr__(value)
        case Decimal():
            return _plain(value)
        case dict():
            return "{" + ",".join(f"{_name(name)}:{_write(member)}" for name, member in value.items()) + "}"
        case list() | tuple():
            return "[" + ",".join(map(_write, value)) + "]"
        case _:
            raise TypeError(f"{type(value).__name__} has no exact form in JSON")


def _name(name: object) -> str:
    if not isinstance(name, str):
        raise TypeError(f"a name in JSON is a str, not {type(name).__name__}")
    return _quote(name)


def _plain(number: Decimal) -> str:
    exponent = number.as_tuple().exponent
    if not isinstance(exponent, int):
        raise ValueError("only a finite number has a form in JSON")
    if not -_MAX_EXPONENT - _MAX_DIGITS < exponent <= _MAX_EXPONENT:
        raise ValueError("the exponent of a number is beyond all amounts")
    return f"{number:f}"
