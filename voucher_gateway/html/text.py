"""Text on a page: what could steer the reader's eye is shown as an escape, and digits stand in groups."""

from __future__ import annotations

import re
from typing import Final

_NUMBER: Final = re.compile(r"(?P<sign>[-+−]?)(?P<whole>[0-9]+)(?P<rest>(?:\.[0-9]+)?(?: [A-Z]{3})?)")

MINUS: Final = "−"
"""The sign of a negative number: as wide as a plus, and never the end of a line."""


def escape_unprintable(text: str) -> str:
    """Return text that may come from a vendor or a customer, with what is not printable as escapes.

    Marks that turn the writing direction could make 10.00 look like 00.01, control characters are not allowed in HTML,
    and half of a surrogate pair cannot be written at all.
    """
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in text
    )


def groups(text: str) -> tuple[str, tuple[str, ...], str] | None:
    """Return the parts of a number: sign, groups of up to three digits, and what follows; None for any other text.

    Groups are told apart by a gap and never by a comma or a point, which half of the world reads the other way.
    """
    match = _NUMBER.fullmatch(text)
    if match is None:
        return None
    whole = match["whole"]
    first = len(whole) % 3 or 3
    parts = (whole[:first], *(whole[place : place + 3] for place in range(first, len(whole), 3)))
    return (MINUS if match["sign"] == "-" else match["sign"]), parts, match["rest"]
