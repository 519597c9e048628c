"""Places on a time axis. An empty month or year has a place as well: a gap in time is visible."""

from __future__ import annotations

from collections.abc import Sequence


def all_months(months: Sequence[str]) -> list[str]:
    """Return all months from the first to the last of some months, such as ``2026-12``, which are in order."""
    if not months:
        return []
    numbers = range(month_number(months[0]), month_number(months[-1]) + 1)
    return [f"{number // 12:04}-{number % 12 + 1:02}" for number in numbers]


def all_years(months: Sequence[str]) -> list[str]:
    """Return all years from the first to the last of some months, such as ``2026-12``, which are in order."""
    if not months:
        return []
    return [f"{year:04}" for year in range(int(months[0][:4]), int(months[-1][:4]) + 1)]


def month_number(month: str) -> int:
    """Return the number of a month such as ``2026-12``; that of the next month is one more."""
    year, number = month.split("-")
    return int(year) * 12 + int(number) - 1
