"""Instants: aware datetimes in UTC, read from and written as RFC 3339."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from voucher_gateway.errors import InvalidRequest

# Narrower than datetime.fromisoformat, which also reads week dates, basic format and times without an offset.
_RFC3339: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ](?:[01][0-9]|2[0-3]):[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?"
    r"(?:[Zz]|[+-][0-9]{2}:[0-5][0-9])"
)
_LEAP_SECOND: Final = slice(17, 19)
_AFTER_LEAP_SECONDS: Final = ((1, 1, 0, 0), (7, 1, 0, 0))
"""Month, day, hour and minute in UTC of the moments right after a leap second (RFC 3339, appendix D)."""


def now() -> datetime:
    """Return the present instant by this machine's clock."""
    return datetime.now(UTC)


def parse_instant(text: str) -> datetime:
    """Read an RFC 3339 timestamp and return it in UTC; digits beyond microseconds are dropped.

    Raises:
        ValueError: if the text is not RFC 3339 with an offset, or no such instant exists. A second 60 exists only
            where a leap second can be: at 23:59:60 UTC on the last day of June or December.
    """
    if not _RFC3339.fullmatch(text):
        raise ValueError("not an RFC 3339 timestamp with an offset")
    # RFC 3339 5.7 allows a leap second, which datetime cannot hold: it is the first moment of the next second.
    leap = text[_LEAP_SECOND] == "60"
    if leap:
        text = f"{text[:17]}59{text[19:]}"
    try:
        instant = datetime.fromisoformat(text.upper()).astimezone(UTC)
        after = instant.replace(microsecond=0) + timedelta(seconds=1) if leap else instant
    except OverflowError:
        raise ValueError("outside the years 1 to 9999 in UTC") from None
    if leap and (after.month, after.day, after.hour, after.minute) not in _AFTER_LEAP_SECONDS:
        raise ValueError("not the time of a leap second")
    return after


def format_instant(instant: datetime) -> str:
    """Write an aware datetime as RFC 3339 in UTC: ``2026-01-31T23:59:59Z``, with a fraction only where it has one."""
    return _utc(instant).isoformat().replace("+00:00", "Z")


def format_seconds(instant: datetime) -> str:
    """Write an aware datetime as RFC 3339 with whole seconds and a numeric offset, cutting the fraction off."""
    return _utc(instant).isoformat(timespec="seconds")


def format_milliseconds(instant: datetime) -> str:
    """Write an aware datetime with exactly three decimals and Z: ``2030-01-23T23:00:00.123Z``; finer parts are cut."""
    return _utc(instant).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def require_aware(instant: datetime, field: str) -> datetime:
    """Return the instant in UTC.

    Raises:
        TypeError: if it is not a datetime.
        InvalidRequest: if it has no time zone, or if it lies outside the years 1 to 9999 in UTC.
    """
    if not isinstance(instant, datetime):
        raise TypeError(f"{field} is a datetime, not {type(instant).__name__}")
    if instant.utcoffset() is None:
        raise InvalidRequest(f"{field} has no time zone: give an aware datetime", field=field, rule="an aware datetime")
    try:
        return instant.astimezone(UTC)
    except OverflowError:
        raise InvalidRequest(f"{field} is out of range in UTC", field=field, rule="the years 1 to 9999") from None


def _utc(instant: datetime) -> datetime:
    if type(instant) is datetime and instant.tzinfo is UTC:
        return instant
    return require_aware(instant, "instant")


def format_micros(instant: datetime) -> str:
    """Write an aware datetime with exactly six decimals and Z, so that texts sort in the order of time."""
    if type(instant) is not datetime or instant.tzinfo is not UTC:
        instant = require_aware(instant, "instant")
    return instant.isoformat(timespec="microseconds")[:-6] + "Z"  # in the place of +00:00
