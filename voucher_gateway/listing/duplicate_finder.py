"""Finds the digests that come more than once among millions, in memory that does not grow with them."""

from __future__ import annotations

import os
import tempfile
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import IO, Final, Self

import attrs

_RUN: Final = 1 << 16
"""The number of digests in memory. They are then sorted, and written to a temporary file."""
_PARTS: Final = 1 << 8
_PART_BITS: Final = 64 - 8
_BYTES: Final = 8


@attrs.frozen
class _Run:
    """Some digests, sorted.

    Attributes:
        begin: where they begin in the temporary file.
        bounds: how many of them are below each part of the numbers, and how many they are.
    """

    begin: int
    bounds: Sequence[int]


class DuplicateFinder:
    """Finds the digests that were added more than once. Use it in a ``with`` block, or call `close`.

    Memory holds some 65,000 of them. The others are in a temporary file without a name. If that cannot be written, all
    stay in memory.
    """

    def __init__(self) -> None:
        self._recent: list[int] = []
        self._file: IO[bytes] | None = None
        self._runs: list[_Run] = []
        self._kept = array("Q")
        self._can_write = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Remove the temporary file, and forget all digests."""
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
        self._file = None
        self._recent.clear()
        self._runs.clear()
        self._kept = array("Q")

    def add(self, digest: int) -> None:
        """Add a digest: a number below 2**64 whose bits are evenly spread."""
        self._recent.append(digest)
        if len(self._recent) >= _RUN:
            self._move_recent()

    def update(self, digests: Iterable[int]) -> None:
        """Add some digests."""
        self._recent.extend(digests)
        if len(self._recent) >= _RUN:
            self._move_recent()

    def duplicates(self) -> set[int]:
        """Return the digests that were added more than once.

        Raises:
            OSError: if the temporary file cannot be read.
        """
        repeated: set[int] = set()
        for digests in self._parts():
            if len(set(digests)) < len(digests):
                known: set[int] = set()
                for digest in digests:
                    if digest in known:
                        repeated.add(digest)
                    known.add(digest)
        return repeated

    def _parts(self) -> Iterator[Sequence[int]]:
        """Yield all digests in parts, so that equal ones are in one part."""
        if self._file is None:
            yield [*self._recent, *self._kept]
            return
        rest = sorted([*self._recent, *self._kept])
        bounds = _bounds_of(rest)
        for part in range(_PARTS):
            digests = array("Q", rest[bounds[part] : bounds[part + 1]])
            for run in self._runs:
                first, last = run.bounds[part], run.bounds[part + 1]
                digests.frombytes(_read(self._file, run.begin + first * _BYTES, (last - first) * _BYTES))
            yield digests

    def _move_recent(self) -> None:
        """Move the recent digests to the temporary file."""
        digests = array("Q", sorted(self._recent))
        self._recent.clear()
        if self._can_write:
            try:
                if self._file is None:
                    self._file = tempfile.TemporaryFile(prefix="voucher-gateway-", buffering=0)  # noqa: SIM115 - see `close`
                begin = self._file.seek(0, os.SEEK_END)
                _write(self._file, digests.tobytes())
            except OSError:  # such as a full disk
                self._can_write = False
            else:
                self._runs.append(_Run(begin, _bounds_of(digests)))
                return
        self._kept.extend(digests)


def _bounds_of(digests: Sequence[int]) -> array[int]:
    bounds = [bisect_left(digests, part << _PART_BITS) for part in range(_PARTS)]
    return array("I", [*bounds, len(digests)])


def _write(file: IO[bytes], body: bytes) -> None:
    rest = memoryview(body)
    while rest:
        rest = rest[file.write(rest) :]


def _read(file: IO[bytes], begin: int, size: int) -> bytes:
    body = b""
    while len(body) < size:
        part = os.pread(file.fileno(), size - len(body), begin + len(body))
        if not part:
            raise OSError("a temporary file is shorter than it was written")
        body += part
    return body
