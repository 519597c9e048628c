"""Appending to a file so that a record is there as a whole, or surely not, or nobody says that it is not."""

from __future__ import annotations

import os
from pathlib import Path

from voucher_gateway.provider_api import ProviderUnavailable


class PartialWrite(Exception):
    """A record could not be written to the end, nor taken back. The text says why, and quotes nothing of it."""


def append(file: int, body: bytes, *, at: int, path: Path) -> None:
    """Write at the end of a file that is locked, and see to it that the disk has it.

    The folder is synced too where the file is new: its name has to survive a power cut as well.

    Args:
        file: a descriptor for writing.
        body: what is to be written.
        at: where the file ends, in bytes. What is behind that was cut off, and goes.
        path: of the file.

    Raises:
        ProviderUnavailable: if it could not be written, the disk being full, say. The file is as it was.
        Stranded: if it is not known what the disk has of it.
    """
    try:
        if os.fstat(file).st_size > at:
            os.ftruncate(file, at)
        written = 0
        while written < len(body):
            written += os.pwrite(file, body[written:], at + written)
        os.fsync(file)
        if at == 0:
            _sync_folder(path)
    except OSError as error:
        reason = error.strerror or "unwritable"
    else:
        return
    try:
        # Works on a full disk too. Whatever the disk got of the record, it forgets with the length of the file.
        os.ftruncate(file, at)
        os.fsync(file)
    except OSError as error:
        raise PartialWrite(f"{path.name} could neither be written ({reason}) nor put back ({error.strerror})") from None
    raise ProviderUnavailable(f"{path.name} could not be written: {reason}; it is as it was")


def _sync_folder(path: Path) -> None:
    folder = os.open(path.absolute().parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
