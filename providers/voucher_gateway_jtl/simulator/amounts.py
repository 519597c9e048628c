"""Amounts as JTL writes them, in integer cents inside."""

from __future__ import annotations

import re
from typing import Final

LARGEST_CENTS: Final = 99_999_999
"""999999.99: nine characters (seed: string length 4 to 9), although the seed's prose says five digits."""

# ASCII digits: `\d` of the seed's pattern would admit others in Python.
_AMOUNT: Final = re.compile(r"[0-9]+\.[0-9]{2}")


def to_cents(text: str) -> int | None:
    """The cents of an amount such as "10.53", or None when the text is none."""
    if not 4 <= len(text) <= 9 or _AMOUNT.fullmatch(text) is None:
        return None
    return int(text.replace(".", ""))


def from_cents(cents: int) -> str:
    """An amount such as "10.53"."""
    return f"{cents // 100}.{cents % 100:02d}"
