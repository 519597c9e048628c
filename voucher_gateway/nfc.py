"""References and order numbers in one normal form: two spellings that look the same are the same name.

"ü" can be one character or two. A keyboard, a database and a file system may each write it in another way, so the
name of an order may come back in another form than it was sent. Unicode's normal form C (NFC) makes both the same.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Callable
from typing import Final, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

# Unicode's Default_Ignorable_Code_Point, as far as `str.isprintable` calls it printable.
_IGNORABLE: Final = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)


def nfc(text: str) -> str:
    """Return a text in normal form C; what is not a text stays as it is, for others to refuse."""
    given: object = text
    return unicodedata.normalize("NFC", text) if isinstance(given, str) else text


def nfc_or_none(text: str | None) -> str | None:
    """Return a text in normal form C; None for None."""
    return None if text is None else nfc(text)


def is_visible(text: str) -> bool:
    """Whether each character of a text shows: none is a control, and none is one that displays ignore."""
    return text.isprintable() and _IGNORABLE.search(text) is None


def with_names_in_nfc(verb: Callable[P, R]) -> Callable[P, R]:
    """Make a verb take its keywords ``reference`` and ``order`` in normal form C."""

    @functools.wraps(verb)
    def call(*args: P.args, **keywords: P.kwargs) -> R:
        for name in ("reference", "order"):
            if name in keywords:
                keywords[name] = nfc(keywords[name])  # type: ignore[arg-type]
        try:
            return verb(*args, **keywords)
        finally:
            del args, keywords  # they may hold a code, and the frame stays with an error

    return call
