"""Text of a page: unprintable characters become escapes, and the digits of numbers are grouped."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

from voucher_gateway.instants import format_instant

_NUMBER: Final = re.compile(r"(?P<sign>[-+−]?)(?P<whole>[0-9]+)(?P<rest>(?:\.[0-9]+)?(?: [A-Z]{3})?)")

MINUS: Final = "−"
"""The sign of a negative number. It is as wide as a plus sign, and a line is never broken after it."""


def escape_unprintable(text: str) -> str:
    """Return text, which may come from a vendor or a customer, with escapes for all characters that cannot be printed.

    Characters that change the writing direction could make 10.00 look like 00.01. HTML does not allow control
    characters. Half of a surrogate pair cannot be encoded.
    """
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in text
    )


def digit_groups(text: str) -> tuple[str, tuple[str, ...], str] | None:
    """Return the parts of a number: its sign, its groups of up to three digits, and the rest; None for other text.

    A page separates groups by a gap. A comma or a point has the opposite meaning in half of the world.
    """
    match = _NUMBER.fullmatch(text)
    if match is None:
        return None
    whole = match["whole"]
    first = len(whole) % 3 or 3
    parts = (whole[:first], *(whole[place : place + 3] for place in range(first, len(whole), 3)))
    return (MINUS if match["sign"] == "-" else match["sign"]), parts, match["rest"]


def display_instant(instant: datetime) -> str:
    """Return an instant for people, to the second: ``2026-01-31 23:59:59 UTC``."""
    return format_instant(instant.replace(microsecond=0)).replace("T", " ").replace("Z", " UTC")
