"""Instants as this vendor writes them: RFC 3339 in, milliseconds and Z out (`2030-01-23T23:00:00.123Z`, seed)."""

import re
from datetime import UTC, datetime

_DATE_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.(?P<fraction>[0-9]+))?"
    r"(?P<offset>[Zz]|[+-][0-9]{2}:[0-5][0-9])"
)


def parse_instant(text: str) -> datetime:
    """The instant, cut to milliseconds, in UTC; raises ValueError for a naive one and for anything else.

    The schema says `date-time`, which is RFC 3339 with an offset; that others are refused is not documented.
    """
    match = _DATE_TIME.fullmatch(text)
    if match is None:
        raise ValueError("not an RFC 3339 date-time with an offset")
    milliseconds = (match["fraction"] or "").ljust(3, "0")[:3]
    offset = "+00:00" if match["offset"] in "Zz" else match["offset"]
    try:
        return datetime.fromisoformat(f"{text[:19]}.{milliseconds}{offset}").astimezone(UTC)
    except OverflowError:  # 9999-12-31T23:59:59-01:00 lies in the year 10000
        raise ValueError("outside the years 1 to 9999") from None


def write_instant(moment: datetime) -> str:
    """The instant with exactly three decimals of a second and Z."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"
