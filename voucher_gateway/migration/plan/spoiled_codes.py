"""Finds codes in a file that a spreadsheet has probably changed.

A spreadsheet reads a code of digits as a number: ``00123`` becomes ``123``, and ``1234567890123456`` becomes
``1.23457E+15``. Such a code would be issued, and the card of the customer would not work. Nothing proves it, so
a person has to confirm the codes.
"""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Callable
from typing import Final

from voucher_gateway.masking import Code

_WITH_EXPONENT: Final = re.compile(r"[0-9]+(?:[.,][0-9]+)?[eE]\+?[0-9]{1,3}", re.ASCII)
_DIGITS: Final = re.compile(r"[0-9]+", re.ASCII)

EXPONENT = "a number with an exponent, such as 1.23E+15"
LENGTH = "digits only, of another length than most of the codes of digits, as if zeros in front were lost"
PATTERN = "outside of the code_pattern of the target"


class SpoiledCodes:
    """Counts the codes that look changed. Several threads may use it. It keeps no code.

    Args:
        matches_target: whether a code matches the pattern of the target account; None if the account has no pattern.
    """

    def __init__(self, matches_target: Callable[[Code], bool] | None) -> None:
        self._matches_target = matches_target
        self._counts: Counter[str] = Counter()
        self._lengths: Counter[int] = Counter()
        self._lock = threading.Lock()

    def add(self, code: Code) -> None:
        """Look at the code of a voucher that is to be carried."""
        text = code.reveal()
        outside = self._matches_target is not None and not self._matches_target(code)
        digits = _DIGITS.fullmatch(text) is not None
        exponent = not digits and _WITH_EXPONENT.fullmatch(text) is not None
        if not (outside or digits or exponent):
            return
        with self._lock:
            self._counts[PATTERN] += outside
            self._counts[EXPONENT] += exponent
            self._lengths[len(text)] += digits

    def counts(self) -> dict[str, int]:
        """Return how many codes look changed, by the way in which they do."""
        counts = {name: self._counts[name] for name in (EXPONENT, PATTERN) if self._counts[name]}
        lengths = +self._lengths
        if len(lengths) > 1:
            counts[LENGTH] = lengths.total() - max(lengths.values())
        return counts
