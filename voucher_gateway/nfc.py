"""References and order numbers: what they may contain, and one normal form for them.

"ü" can be one character or two. A keyboard, a database and a file system may each write it in another way, so an order
number may come back in another form than it was sent. Unicode's normal form C (NFC) makes both the same.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from voucher_gateway.errors import InvalidRequest

MAX_REFERENCE_LENGTH: Final = 200
"""Characters of a reference or an order. The name that a vendor sees is derived and has the vendor's own limit."""

# Unicode's Default_Ignorable_Code_Point, as far as `str.isprintable` calls it printable.
_IGNORABLE: Final = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)


def nfc(text: str) -> str:
    """Return a text in normal form C, and anything else unchanged: `require_name` rejects that."""
    given: object = text
    return unicodedata.normalize("NFC", text) if isinstance(given, str) else text


def nfc_or_none(text: str | None) -> str | None:
    """Return a text in normal form C, and None for None."""
    return None if text is None else nfc(text)


def is_visible(text: str) -> bool:
    """Whether each character of a text is visible: not a control, and not one that displays ignore."""
    return text.isprintable() and _IGNORABLE.search(text) is None


def require_name(name: str, field: str) -> None:
    """Make sure that a text can be a reference or an order.

    Args:
        name: the text.
        field: the argument that it was given for.

    Raises:
        TypeError: if it is not a str.
        InvalidRequest: if it is empty, longer than `MAX_REFERENCE_LENGTH`, or has invisible characters or white space
            around it.
    """
    if not isinstance(name, str):
        raise TypeError(f"{field} is a str, not {type(name).__name__}")
    if not 1 <= len(name) <= MAX_REFERENCE_LENGTH or not is_visible(name) or name != name.strip():
        rule = f"1 to {MAX_REFERENCE_LENGTH} printable characters without white space around"
        raise InvalidRequest(f"{field} must have {rule}", field=field, rule=rule)
