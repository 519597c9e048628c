"""Text in a cell of a CSV file, so that no spreadsheet takes it for a formula.

A spreadsheet runs a cell that begins with ``=``, ``+``, ``-`` or ``@``, some do so behind blanks, quotes, a tab or a
line break, and with the full-width forms of these signs. One that expects other separators than commas (Excel does in
half of Europe) even begins a cell in the middle of ours, behind a semicolon, a tab or a line break. So an apostrophe
goes in front of whatever could start a formula at the beginning of a text or behind a separator in it. Reading takes
exactly one apostrophe off at each such place, so that every text comes back as it was. An empty text is an apostrophe
alone, which keeps it apart from a cell without anything.

Of a file that somebody else wrote, an apostrophe goes only where ours would have stood: ``'s-Hertogenbosch`` stays.
"""

from __future__ import annotations

import re
from typing import Final

_SIGNS: Final = "=+\\-@＝＋－＠﹦﹢﹣﹫⁼⁺⁻₌₊₋−"
"""What a formula begins with, and what some program or other reads as that: full-width, small, raised and lowered
forms, and the minus sign."""

_BETWEEN: Final = "[^\\S\\t\\r\\n]|[\"'`´‘’‚“”„«»‹›\\u200b-\\u200f\\u2060\\ufeff\\x00-\\x08\\x0e-\\x1f]"
"""What may stand before it and be overlooked: blanks, quotes, characters without width, control characters."""

# Runs are possessive (``*+``): going back into one never helps, and a long one would take for ever.
_STARTS: Final = re.compile(
    f"\\A(?P<first>'*+)(?=(?:{_BETWEEN})*+[{_SIGNS}\\t\\r\\n]|\\Z)"
    f"|(?P<separator>[;,|\\t\\r\\n])(?P<later>'*+)(?=(?:{_BETWEEN})*+[{_SIGNS}])"
)


def escape_formula(text: str) -> str:
    """Return the text as a cell holds it."""
    return _STARTS.sub(lambda match: f"{match['separator'] or ''}'{_apostrophes(match)}", text)


def unescape_formula(cell: str) -> str:
    """Return the text that a cell holds; the inverse of `guarded`."""
    return _STARTS.sub(lambda match: f"{match['separator'] or ''}{_apostrophes(match)[1:]}", cell)


def _apostrophes(match: re.Match[str]) -> str:
    return match["first"] or match["later"] or ""
