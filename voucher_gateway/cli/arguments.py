"""Arguments of commands read into the domain, without repeating in any message what was given.

A code or PIN that lands in the wrong place must not come back on stderr, where it may be kept in a log.
"""

from __future__ import annotations

import getpass
import re
import sys
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Final

from voucher_gateway.cli.usage import did_you_mean_file
from voucher_gateway.errors import InvalidRequest, MalformedResponse
from voucher_gateway.instants import parse_instant
from voucher_gateway.masking import Code, Pin
from voucher_gateway.models.voucher import Interval, Metadata, Validity, metadata_of
from voucher_gateway.money import Money
from voucher_gateway.wire.json import decode

FROM_STDIN: Final = "-"
"""Stands for a code or PIN that is not on the command line."""

INSTANT: Final = "a moment with its offset from UTC, such as 2026-12-31T23:59:59Z"
"""What an option that gives an instant must be."""

_DAY: Final = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_DAY_OR_INSTANT: Final = f"a day, such as 2026-12-31, or {INSTANT}"
_LENGTH: Final = re.compile(r"(?:(\d{1,5})d)?(?:(\d{1,5})h)?(?:(\d{1,6})m(?:in)?)?(?:(\d{1,8})s)?", re.ASCII)
_LONGEST_LINE: Final = 4096
_LASTING: Final = re.compile(r"([0-9]{1,4}) *(days|weeks|months|years)", re.ASCII)


def parse_code(given: str | None, file: Path | None) -> Code | None:
    """Return the code that was given as text, as ``-`` or in a file, or None."""
    text = _text_from(given, file, "code")
    return None if text is None else Code(text)


def require_code(given: str, file: Path | None) -> Code:
    """Return the code that was given as text or as ``-``."""
    code = parse_code(given, file)
    assert code is not None
    return code


def parse_pin(given: str | None, file: Path | None) -> Pin | None:
    """Return the PIN that was given as text, as ``-`` or in a file, or None."""
    text = _text_from(given, file, "pin")
    return None if text is None else Pin(text)


def _text_from(given: str | None, file: Path | None, name: str) -> str | None:
    if given is None and file is None:
        return None
    if given not in (None, FROM_STDIN):
        if file is not None:
            raise InvalidRequest(
                f"the {name} is given twice: with --{name}-file it is - on the command line", field=name, rule="once"
            )
        return _strip_line_break(given, name)
    return _strip_line_break(_line_of_stdin(name) if file is None else _line_of(file, name), name)


def _line_of(file: Path, name: str) -> str:
    try:
        with file.open(encoding="utf-8-sig", newline="\n") as lines:
            return lines.readline(_LONGEST_LINE)
    except OSError as error:
        reason = did_you_mean_file(file) or error.strerror or "unreadable"
    except UnicodeDecodeError:
        reason = "it is not text in UTF-8"
    raise InvalidRequest(f"the file of the {name} cannot be read: {reason}", field=name, rule="a file of text in UTF-8")


def _line_of_stdin(name: str) -> str:
    try:
        if sys.stdin.isatty():
            return getpass.getpass(f"{name}: ")
        return sys.stdin.readline(_LONGEST_LINE)
    except (EOFError, UnicodeDecodeError):
        return ""


def _strip_line_break(line: str | None, name: str) -> str:
    """Drop the line break and nothing else: a code may begin or end with blanks."""
    text = (line or "").removesuffix("\n").removesuffix("\r")
    if not text:
        raise InvalidRequest(f"the {name} is empty", field=name, rule="not empty")
    return text


def parse_money(amount: str, currency: str) -> Money:
    """Return an amount in a currency.

    Raises:
        InvalidRequest: naming the argument and the rule that it breaks.
    """
    try:
        return Money(amount, currency)
    except InvalidRequest as error:
        kind, field, rule = type(error), error.field, error.rule
    raise kind(f"{field.upper()} breaks the rule: {rule}", field=field, rule=rule)


def parse_instant_option(text: str | None, option: str, *, rule: str = INSTANT) -> datetime | None:
    """Return the instant that an option gives; `rule` says what it may be, for who gives something else."""
    if text is None:
        return None
    with suppress(ValueError):
        return parse_instant(text)
    raise InvalidRequest(f"{option} must be {rule}", field=option, rule=rule)


def parse_period(since: str | None, until: str | None) -> tuple[datetime | None, datetime | None]:
    """Return the period that ``--since`` and ``--until`` give: from its beginning to the moment right after its end.

    A day means all of it, in UTC.
    """
    return _begin_of(since, "--since"), _begin_of(until, "--until", next_day=True)


def _begin_of(text: str | None, option: str, *, next_day: bool = False) -> datetime | None:
    if text is None or not _DAY.fullmatch(text):
        return parse_instant_option(text, option, rule=_DAY_OR_INSTANT)
    with suppress(ValueError, OverflowError):
        return datetime.combine(date.fromisoformat(text) + timedelta(days=next_day), time.min, UTC)
    raise InvalidRequest(f"{option} must be a day of the calendar", field=option, rule="a day of the calendar")


def parse_length(text: str, option: str) -> timedelta:
    """Read a length of time such as ``4h``, ``90m`` or ``1d12h``.

    Raises:
        InvalidRequest: if it is not one, or is nothing.
    """
    match = _LENGTH.fullmatch(text)
    days, hours, minutes, seconds = (int(group or 0) for group in match.groups()) if match else (0, 0, 0, 0)
    length = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    if not length:
        raise InvalidRequest(f"{option} must be a time such as 4h, 90m or 1d12h", field=option, rule="such as 4h")
    return length


def parse_validity(text: str | None) -> Validity | None:
    """Return the length of time that ``--valid-for`` gives."""
    if text is None:
        return None
    match = _LASTING.fullmatch(text)
    if match is None:
        rule = "a number of days, weeks, months or years, such as '3 years'"
        raise InvalidRequest(f"--valid-for must be {rule}", field="--valid-for", rule=rule)
    return Validity(int(match[1]), Interval(match[2]))


def parse_filters(given: Sequence[str]) -> dict[str, str]:
    """Return the filters that were given as NAME=VALUE."""
    filters: dict[str, str] = {}
    for text_ in given:
        name, equals, value = text_.partition("=")
        if not (name and equals) or name in filters:
            rule = "NAME=VALUE, each name once"
            raise InvalidRequest(f"--filter must be {rule}", field="--filter", rule=rule)
        filters[name] = value
    return filters


def parse_metadata(text: str | None) -> Metadata | None:
    """Return the JSON value that ``--metadata`` gives, its numbers exact."""
    if text is None:
        return None
    try:
        return metadata_of(decode(text.encode(), what="metadata"))
    except MalformedResponse as error:
        problem = error.message
    raise InvalidRequest(f"--metadata must be JSON: {problem}", field="--metadata", rule="JSON")
