"""What seeded vouchers are made of: drawn texts, and codes that trip up careless clients."""

from __future__ import annotations

import string
from random import Random
from typing import Final

CAPITALS_AND_DIGITS: Final = string.ascii_uppercase + string.digits
"""The usual alphabet of ids and codes."""

ODD_TEXTS: Final = (
    "SUMMER/2030",
    "100%2e50",
    "what?now=1&then=2",
    "two  words",
    "Grüße für Änne",
    "🎟🎁🎉🎈",
    "a#b&c=d+e",
    "../../etc",
    "....",
    "%2F%2F",
    'quo"te\\s',
    "semi;colon",
    "z" * 200,
)
"""Codes that a customer may well have, and that are lost or changed by a client who does not encode them."""


def random_text(draw: Random, length: int, alphabet: str = CAPITALS_AND_DIGITS) -> str:
    """Return a text of so many characters; the same random state draws the same one."""
    return "".join(draw.choices(alphabet, k=length))
