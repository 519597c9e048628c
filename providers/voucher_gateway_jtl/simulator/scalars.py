"""Amounts, instants and validities as this vendor writes them."""

from __future__ import annotations

import calendar
import re
from datetime import UTC, datetime, timedelta
from typing import Final

LARGEST_CENTS: Final = 99_999_999
"""999999.99. The seed's schema allows 4 to 9 characters; its prose says five digits before the point."""

# ASCII digits only. `\d` of the seed's pattern would match others in Python.
_AMOUNT: Final = re.compile(r"[0-9]+\.[0-9]{2}")


def to_cents(text: str) -> int | None:
    """Return the cents of an amount such as "10.53"; None if the text is not an amount."""
    if not 4 <= len(text) <= 9 or _AMOUNT.fullmatch(text) is None:
        return None
    return int(text.replace(".", ""))


def from_cents(cents: int) -> str:
    """Return an amount such as "10.53"."""
    return f"{cents // 100}.{cents % 100:02d}"


_RFC3339: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_LAST_INSTANT: Final = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)


def instant_to_text(instant: datetime) -> str:
    """Return an instant as RFC 3339 in UTC with whole seconds and the offset `+00:00`, as in the seeds."""
    return instant.astimezone(UTC).isoformat(timespec="seconds")


def instant_from_text(text: str) -> datetime | None:
    """Return the instant of an RFC 3339 text with an offset; None for any other text."""
    if _RFC3339.fullmatch(text) is None:
        return None
    seconds, offset = text[:19].upper(), re.sub("[zZ]$", "+00:00", text[19:])
    fraction, offset = (offset[:-6], offset[-6:])
    try:
        instant = datetime.fromisoformat(seconds + offset)
        return instant.astimezone(UTC) + timedelta(microseconds=int(fraction[1:7].ljust(6, "0")) if fraction else 0)
    except (ValueError, OverflowError):
        return None


def end_of_validity(start: datetime, value: int, interval: str) -> datetime:
    """Return when a validity ends. Months and years are those of the calendar; 31 January plus a month is 28 February.

    Args:
        start: the time of the activation.
        value: the number of intervals, at least 1.
        interval: days, weeks, months or years.
    """
    try:
        if interval in {"days", "weeks"}:
            return start + timedelta(**{interval: value})
        months = start.month - 1 + (value if interval == "months" else 12 * value)
        year, month = start.year + months // 12, months % 12 + 1
        day = min(start.day, calendar.monthrange(year, month)[1])
        return start.replace(year=year, month=month, day=day)
    except (OverflowError, ValueError):  # Python's calendar ends with the year 9999
        return _LAST_INSTANT
