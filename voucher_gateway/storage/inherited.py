"""Closes connections to SQLite files that a child has inherited through a fork that ran no hooks.

SQLite notes for each process and file which locks the process holds. In the child it believes in shared locks that only
the parent holds, for as long as one inherited connection is open. To close the last one is dangerous: SQLite then tries
for an exclusive lock, and whoever gets it moves the log into the file and deletes the log by its name, which may be
another log by then. So the child holds a lock of an open file description meanwhile, which the exclusive lock never
passes, not even in the same process.
"""

from __future__ import annotations

import fcntl
import gc
import os
import struct
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from voucher_gateway.storage.files import is_path_descriptor

if TYPE_CHECKING:
    from voucher_gateway.storage.connections import SharedConnection

# The bytes that SQLite locks (its os.h): readers share a range, a last user takes it all.
_SHARED_FIRST: Final = 0x40000000 + 2
_SHARED_SIZE: Final = 510
_WAIT_S: Final = 5.0
_POLL_S: Final = 0.005
_OPEN_FILES: Final = "/proc/self/fd"


def close_inherited(connections: Sequence[SharedConnection]) -> set[str]:
    """Close connections that are in no turn, and return the paths of the files that may still be open afterwards.

    Nobody else notices: no lock of the parent ends, and no log is moved or deleted.
    """
    guards: dict[str, int] = {}
    paths = {shared.path for shared in connections}
    try:
        for path in paths:
            if (guard := _guard(path)) is not None:
                guards[path] = guard
        for shared in connections:
            if shared.path in guards:
                shared.drop()
        if any(map(_is_open_besides, guards.values())):
            gc.collect()  # the error of a failed turn may keep a cursor alive, and with it a closed connection
        return {path for path in paths if path not in guards or _is_open_besides(guards[path])}
    finally:
        # SQLite has no lock in this process that could be lost by this: what it believed in is forgotten.
        for guard in guards.values():
            os.close(guard)


def _guard(path: str) -> int | None:
    """Return a descriptor that keeps everybody from the exclusive lock of a file; None if there is none to be had."""
    if not hasattr(fcntl, "F_OFD_SETLK"):
        return None
    try:
        guard = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    shared_lock = struct.pack("hhqqi", fcntl.F_RDLCK, os.SEEK_SET, _SHARED_FIRST, _SHARED_SIZE, 0)
    deadline = time.monotonic() + _WAIT_S
    while True:
        try:
            fcntl.fcntl(guard, fcntl.F_OFD_SETLK, shared_lock)
        except OSError:  # a last user of the file holds the exclusive lock just now
            if time.monotonic() >= deadline:
                os.close(guard)
                return None
            time.sleep(_POLL_S)
        else:
            return guard


def _is_open_besides(guard: int) -> bool:
    """Whether this process has the guarded file open by another descriptor, too."""
    guarded = os.fstat(guard)
    try:
        numbers = [int(name) for name in os.listdir(_OPEN_FILES)]
    except OSError:
        return True  # it cannot be known
    others = (number for number in numbers if number != guard and not is_path_descriptor(number))
    return any(_leads_to(number, guarded) for number in others)


def _leads_to(number: int, file: os.stat_result) -> bool:
    try:
        return os.path.samestat(os.fstat(number), file)
    except OSError:
        return False
