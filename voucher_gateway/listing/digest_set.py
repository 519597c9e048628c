"""A set of 64-bit digests, in 14 to 28 bytes a digest. A set of Python's integers takes 80."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from typing import Final

_SMALLEST: Final = 1 << 8
_MAX_LOAD: Final = 0.6


class DigestSet:
    """A set of numbers below 2**64 whose bits are evenly spread, such as digests. It only grows."""

    __slots__ = ("_bits", "_count", "_has_zero", "_slots")

    def __init__(self, digests: Iterable[int] = ()) -> None:
        """Make a set of some digests."""
        self._make(_SMALLEST)
        self._count = 0
        self._has_zero = False
        self.update(digests)

    def add(self, digest: int) -> bool:
        """Add a digest. Return whether the set did not have it."""
        if not digest:  # an empty slot is zero
            is_new = not self._has_zero
            self._count += is_new
            self._has_zero = True
            return is_new
        slots, bits = self._slots, self._bits
        slot = digest & bits
        while known := slots[slot]:
            if known == digest:
                return False
            slot = (slot + 1) & bits
        slots[slot] = digest
        self._count += 1
        if self._count > bits * _MAX_LOAD:
            self._grow()
        return True

    def update(self, digests: Iterable[int]) -> None:
        """Add some digests."""
        for digest in digests:
            self.add(digest)

    def __contains__(self, digest: int) -> bool:
        if not digest:
            return self._has_zero
        slots, bits = self._slots, self._bits
        slot = digest & bits
        while known := slots[slot]:
            if known == digest:
                return True
            slot = (slot + 1) & bits
        return False

    def __len__(self) -> int:
        return self._count

    def _make(self, size: int) -> None:
        self._bits = size - 1
        self._slots = array("Q", (0,)) * size

    def _grow(self) -> None:
        old = self._slots
        self._make(2 * (self._bits + 1))
        slots, bits = self._slots, self._bits
        for digest in old:
            if digest:
                slot = digest & bits
                while slots[slot]:
                    slot = (slot + 1) & bits
                slots[slot] = digest
