"""Recognises the bytes of a file that were read: whether they are unchanged, and whether the file only grew."""

from __future__ import annotations

import hashlib
import os
from typing import BinaryIO, Final

_CHUNK: Final = 1 << 16
"""The number of bytes that are read at once."""


class FileState:
    """The state of a file when it was last read."""

    def __init__(self) -> None:
        """Make the state of a file that was not read."""
        self._state: tuple[int, ...] = ()
        self._digest, self._digested = _new_digest(), 0

    def is_same(self, file: BinaryIO) -> bool:
        """Return whether the file was neither replaced, appended to nor edited."""
        return self._state == _state_of(file)

    def only_grew(self, file: BinaryIO, end: int) -> bool:
        """Return whether this is still the same file, and the bytes before `end` are complete lines and unchanged."""
        if self._state[:2] != _state_of(file)[:2] or end == 0:
            return False
        if os.pread(file.fileno(), 1, end - 1) != b"\n":
            return False  # another program can have continued the last line
        digest = _new_digest()
        _update_digest(digest, file, 0, end)
        return digest.digest() == self._digest.digest()

    def note(self, file: BinaryIO, end: int) -> None:
        """Note that the file was read up to `end`."""
        _update_digest(self._digest, file, self._digested, end)
        self._digested = end
        self._state = _state_of(file)


def _state_of(file: BinaryIO) -> tuple[int, ...]:
    """Return what changes whenever the file is replaced, appended to or edited."""
    status = os.fstat(file.fileno())
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _new_digest() -> hashlib.blake2b:
    return hashlib.blake2b(digest_size=16)


def _update_digest(digest: hashlib.blake2b, file: BinaryIO, start: int, end: int) -> None:
    """Add some bytes of a file to a digest."""
    while start < end and (chunk := os.pread(file.fileno(), min(end - start, _CHUNK), start)):
        digest.update(chunk)
        start += len(chunk)
