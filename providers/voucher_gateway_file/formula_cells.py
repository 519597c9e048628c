"""Cells of a spreadsheet that no spreadsheet reads as a formula, and that come back as they were."""

from __future__ import annotations

import re
from typing import Final

_SIGNS: Final = "=+\\-@＝＋－＠﹦﹢﹣﹫⁼⁺⁻₌₊₋−"
"""The characters that begin a formula, and those that some programs read like them: full-width, small, superscript and
subscript forms, and the minus sign."""

_BETWEEN: Final = "[^\\S\\t\\r\\n]|[\"'`´‘’‚“”„«»‹›\\u200b-\\u200f\\u2060\\ufeff\\x00-\\x08\\x0e-\\x1f]"
"""Characters before a formula that programs ignore: blanks, quotes, characters without width, control characters."""

# The quantifiers are possessive (``*+``): backtracking cannot help, and takes very long for a long run.
_STARTS: Final = re.compile(
    f"\\A(?P<first>'*+)(?=(?:{_BETWEEN})*+[{_SIGNS}\\t\\r\\n]|\\Z)"
    f"|(?P<separator>[;,|\\t\\r\\n])(?P<later>'*+)(?=(?:{_BETWEEN})*+[{_SIGNS}])"
)


def escape_formula(text: str) -> str:
    """Return the text with apostrophes before everything that a spreadsheet could read as a formula."""
    return _STARTS.sub(_with_apostrophe, text)


def unescape_formula(cell: str) -> str:
    """Return the text of a cell without the apostrophes of `escape_formula`."""
    if "'" not in cell:
        return cell
    return _STARTS.sub(_without_apostrophe, cell)


def _with_apostrophe(match: re.Match[str]) -> str:
    return f"{match['separator'] or ''}'{_apostrophes(match)}"


def _without_apostrophe(match: re.Match[str]) -> str:
    return f"{match['separator'] or ''}{_apostrophes(match)[1:]}"


def _apostrophes(match: re.Match[str]) -> str:
    return match["first"] or match["later"] or ""
