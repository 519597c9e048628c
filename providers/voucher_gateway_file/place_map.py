"""A map from texts to the places of records, in 24 to 48 bytes a text. It does not keep the texts."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from typing import Final

_SMALLEST: Final = 1 << 10
_MAX_LOAD: Final = 0.6
_MASK_64: Final = (1 << 64) - 1


class PlaceMap:
    """Finds the places that may belong to a text: by 64 bits of its hash in this process.

    A place is a number from 0 to 4,294,967,294. Two texts can have the same bits. The caller compares the texts.
    """

    __slots__ = ("_bits", "_count", "_digests", "_places")

    def __init__(self) -> None:
        """Make an empty map."""
        self._make(_SMALLEST)

    def add(self, text: str, place: int, *, unequal: int = 0) -> int | None:
        """Add a text with its place, unless another place may belong to the same text. Return that place.

        Args:
            text: the text.
            place: its place.
            unequal: how many such places belong to other texts, as the caller knows.
        """
        if self._count > self._bits * _MAX_LOAD:
            self._grow()
        digest = text_digest(text)
        digests, bits = self._digests, self._bits
        slot = digest & bits
        while known := digests[slot]:
            if known == digest:
                if not unequal:
                    return self._places[slot]
                unequal -= 1
            slot = (slot + 1) & bits
        digests[slot] = digest
        self._places[slot] = place
        self._count += 1
        return None

    def insert(self, text: str, place: int) -> None:
        """Add a text with its place, whether or not the map has another place for it."""
        if self._count > self._bits * _MAX_LOAD:
            self._grow()
        digest, bits = text_digest(text), self._bits
        slot = digest & bits
        while self._digests[slot]:
            slot = (slot + 1) & bits
        self._digests[slot] = digest
        self._places[slot] = place
        self._count += 1

    def candidates(self, text: str) -> Iterator[int]:
        """Yield the places that may belong to a text, the first one first."""
        digest = text_digest(text)
        slot = digest & self._bits
        while known := self._digests[slot]:
            if known == digest:
                yield self._places[slot]
            slot = (slot + 1) & self._bits

    def _make(self, size: int) -> None:
        self._bits = size - 1
        self._digests = array("Q", (0,)) * size
        self._places = array("I", (0,)) * size
        self._count = 0

    def _grow(self) -> None:
        old = self._digests, self._places
        count = self._count
        self._make(2 * (self._bits + 1))
        digests, places, bits = self._digests, self._places, self._bits
        for digest, place in zip(*old, strict=True):
            if digest:
                slot = digest & bits
                while digests[slot]:
                    slot = (slot + 1) & bits
                digests[slot] = digest
                places[slot] = place
        self._count = count


def text_digest(text: str) -> int:
    """Return 64 bits of the hash of a text in this process. It is never zero."""
    return (hash(text) & _MASK_64) or 1


def text_digests(texts: Iterable[str]) -> list[int]:
    """Return the digest of each text; see `text_digest`."""
    return [(hash(text) & _MASK_64) or 1 for text in texts]
