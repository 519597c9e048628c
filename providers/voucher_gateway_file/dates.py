"""Reads the dates of a spreadsheet."""

from __future__ import annotations

import re
import zoneinfo
from datetime import UTC, datetime
from typing import Final

from voucher_gateway.provider_api import parse_instant
from voucher_gateway_file.settings import DateOrder
from voucher_gateway_file.voucher_record import FieldProblem

_DATE: Final = re.compile(
    r"([0-9]{1,4})([./-])([0-9]{1,2})\2([0-9]{1,4})(?:[ T]([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?)?", re.ASCII
)
_EXAMPLES: Final = {"ymd": "2026-12-31", "dmy": "31.12.2026", "mdy": "12/31/2026"}


def read_date(cell: str, *, order: DateOrder, time_zone: str, end_of_day: bool) -> datetime:
    """Return the instant of a cell, in UTC.

    Args:
        cell: the cell: RFC 3339, or a date in the order of its file, optionally with a time.
        order: the order of day, month and year; ``iso`` for RFC 3339 only.
        time_zone: the time zone of a date that does not name one.
        end_of_day: whether a date without a time is its last second. Otherwise it is its first second.

    Raises:
        FieldProblem: if it is not such a date.
    """
    try:
        return parse_instant(cell)
    except ValueError:
        pass
    instant = None if order == "iso" else _local_instant(cell.strip(), order, time_zone, end_of_day=end_of_day)
    if instant is not None:
        return instant
    example = "" if order == "iso" else f", or a date such as {_EXAMPLES[order]}"
    raise FieldProblem(f"must be a timestamp with its offset from UTC, such as 2026-12-31T23:59:59Z{example}")


def _local_instant(cell: str, order: DateOrder, time_zone: str, *, end_of_day: bool) -> datetime | None:
    match = _DATE.fullmatch(cell)
    if match is None:
        return None
    first, second, third = match[1], match[3], match[4]
    year, month, day = {"ymd": (first, second, third), "dmy": (third, second, first), "mdy": (third, first, second)}[
        order
    ]
    if len(year) != 4 or len(day) > 2 or len(month) > 2:
        return None
    time = (int(match[5]), int(match[6]), int(match[7] or 0)) if match[5] else (23, 59, 59) if end_of_day else (0, 0, 0)
    try:
        # Of two instants with the same local time, an end is the later one: a voucher must not end earlier.
        local = datetime(int(year), int(month), int(day), *time, tzinfo=zoneinfo.ZoneInfo(time_zone), fold=end_of_day)
        return local.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
