"""How a vendor treats codes, as data with the checks that follow from it."""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Collection
from string import ascii_lowercase, ascii_uppercase, digits
from typing import Final

import attrs

from voucher_gateway.errors import InvalidRequest
from voucher_gateway.masking import Code

_MOST_RANGES: Final = 8
"""An alphabet of more ranges is written out as it is."""


@attrs.frozen(kw_only=True)
class CodeRules:
    """How a vendor treats voucher codes.

    Attributes:
        choosable: whether the caller may choose the code of a new voucher.
        readable: whether the codes of existing vouchers can be read back.
        min_length: in characters.
        max_length: in characters; None for no documented limit.
        alphabet: the only characters that a code may have; None if any may stand in it but the forbidden ones.
        forbidden: characters that a code must not have, where the vendor names those instead.
        pattern: a regular expression that the whole code matches; None for none.
        example: a code that may be chosen; needed with a pattern, because tests make codes like it.
        ids_choosable: whether the caller may choose the id too.
    """

    choosable: bool
    readable: bool
    min_length: int = 1
    max_length: int | None = None
    alphabet: str | None = None
    forbidden: str = ""
    pattern: str | None = None
    example: str | None = None
    ids_choosable: bool = False

    def __attrs_post_init__(self) -> None:
        if self.pattern is not None and (self.example is None or self.find_broken_rule(self.example) is not None):
            raise ValueError("a pattern of codes needs an example that keeps all rules of codes")

    def find_broken_rule(self, text: str) -> str | None:
        """Return the rule that a code breaks, such as ``8 to 20 characters``; None if it may be chosen."""
        if len(text) < self.min_length or (self.max_length is not None and len(text) > self.max_length):
            if self.max_length is None:
                return f"{self.min_length} or more characters"
            return f"{self.min_length} to {self.max_length} characters"
        if self.alphabet is not None and not set(text) <= set(self.alphabet):
            return f"only the characters {describe_alphabet(self.alphabet)}"
        if self.forbidden and set(text) & set(self.forbidden):
            return f"none of the characters {self.forbidden!r}"
        if self.pattern is not None and re.fullmatch(self.pattern, text) is None:
            return f"the pattern {self.pattern}"
        return None

    def check(self, code: Code) -> None:
        """Check that a code may be chosen.

        Raises:
            InvalidRequest: if it breaks a rule. The message names the rule, and not the code.
        """
        rule = self.find_broken_rule(code.reveal())
        if rule is not None:
            raise InvalidRequest(f"code must have {rule}", field="code", rule=rule)

    def allows_all_of(self, other: CodeRules) -> bool:
        """Whether every code that other rules allow may be chosen under these, as far as that can be said."""
        if self.min_length > other.min_length or self.pattern not in (None, other.pattern):
            return False
        if self.max_length is not None and (other.max_length is None or other.max_length > self.max_length):
            return False
        if self.alphabet is not None and (
            other.alphabet is None or not set(other.alphabet) - set(other.forbidden) <= set(self.alphabet)
        ):
            return False
        possible = set(self.forbidden) if other.alphabet is None else set(self.forbidden) & set(other.alphabet)
        return possible <= set(other.forbidden)

    def make_code(self, choose: Callable[[str], str], usual: str, length: int = 16) -> str:
        """Return a code that may be chosen, for tests.

        Args:
            choose: returns one of some characters, at random.
            usual: the characters to choose from, as far as they are allowed.
            length: how many, as far as that is allowed.

        Raises:
            ValueError: if no code like the example keeps the rules.
        """
        if self.pattern is None or self.example is None:
            letters = self.letters(usual)
            length = max(self.min_length, min(length, self.max_length or length))
            return "".join(choose(letters) for _ in range(length))
        for kept in range(len(self.example)):  # a pattern may demand how codes begin
            end = "".join(choose(self._like(character)) for character in self.example[kept:])
            if self.find_broken_rule(self.example[:kept] + end) is None:
                return self.example[:kept] + end
        raise ValueError(f"no code like the example keeps the pattern {self.pattern}")

    def _like(self, character: str) -> str:
        """Return the allowed characters of the same kind: digits for a digit, capitals for a capital."""
        kinds = (digits, ascii_uppercase, ascii_lowercase)
        kind = next((kind for kind in kinds if character in kind), character)
        allowed = [other for other in kind if self.alphabet is None or other in self.alphabet]
        return "".join(other for other in allowed if other not in self.forbidden) or character

    def letters(self, usual: str) -> str:
        """Return the characters from which a code can be made: the usual ones, as far as they are allowed."""
        allowed = [letter for letter in usual if self.alphabet is None or letter in self.alphabet]
        if len(allowed) < len(usual) // 2 and self.alphabet is not None:
            allowed = list(dict.fromkeys(self.alphabet))
        return "".join(letter for letter in allowed if letter not in self.forbidden)


def describe_alphabet(alphabet: str) -> str:
    """Return an alphabet for people, such as ``A-Z a-z 0-9``: neighbours as ranges, the rest one by one."""
    ranges: list[tuple[str, str]] = []
    for character in sorted(set(alphabet)):
        if ranges and ord(character) == ord(ranges[-1][1]) + 1 and character.isalnum():
            ranges[-1] = (ranges[-1][0], character)
        else:
            ranges.append((character, character))
    if len(ranges) > _MOST_RANGES:
        return repr("".join(sorted(set(alphabet))))
    return " ".join(first if first == last else f"{first}-{last}" for first, last in ranges)


class CodeNormalization(enum.StrEnum):
    """What is done to a code that a person typed, before it is looked up.

    Attributes:
        UPPER_CASE: the letters a to z become capitals.
        LOWER_CASE: the letters A to Z become small.
        NO_BLANKS: blanks and other white space are left out.
        NO_DASHES: hyphens and dashes are left out.
    """

    UPPER_CASE = "upper-case"
    LOWER_CASE = "lower-case"
    NO_BLANKS = "no-blanks"
    NO_DASHES = "no-dashes"


_UPPER: Final = str.maketrans(ascii_lowercase, ascii_uppercase)
_LOWER: Final = str.maketrans(ascii_uppercase, ascii_lowercase)
_DASHES: Final = dict.fromkeys(map(ord, "-\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe63\uff0d"))
"""The hyphens and dashes that keyboards and word processors put in the place of a hyphen."""


def normalize_code(code: Code, normalizations: Collection[CodeNormalization]) -> Code:
    """Return the code in the form in which the vendor has it."""
    text = code.reveal()
    if CodeNormalization.NO_BLANKS in normalizations:
        text = "".join(text.split())
    if CodeNormalization.NO_DASHES in normalizations:
        text = text.translate(_DASHES)
    if CodeNormalization.UPPER_CASE in normalizations:
        text = text.translate(_UPPER)
    if CodeNormalization.LOWER_CASE in normalizations:
        text = text.translate(_LOWER)
    return Code(text)
