"""The file of an account: opened under its lock, indexed, and appended to."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from voucher_gateway.provider_api import (
    ConfigurationError,
    ProviderUnavailable,
    VoucherGatewayError,
    fork_safety,
    hide_frames,
)
from voucher_gateway_file.csv_format import CsvFormat
from voucher_gateway_file.file_lock import lock_file
from voucher_gateway_file.index import FileFormat, FileIndex
from voucher_gateway_file.jsonl_format import JsonLines
from voucher_gateway_file.records import NewLine
from voucher_gateway_file.settings import FileSettings

log: Final = logging.getLogger(__name__)


class PartialWrite(Exception):
    """A record could neither be written completely nor removed. The text says why, and has nothing of the record."""


def append(file: int, body: bytes, *, at: int, path: Path) -> None:
    """Write at the end of a locked file, and sync it to the disk.

    The folder of a new file is synced too, so that its name survives a power failure.

    Args:
        file: a descriptor for writing.
        body: the bytes to write.
        at: the end of the last complete record, in bytes. A record behind it was cut off, and is removed.
        path: the file's path.

    Raises:
        ProviderUnavailable: if it could not be written, for example because the disk is full. The file is unchanged.
        PartialWrite: if it is not known what the disk has of it.
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
        # This works on a full disk too, and removes any part of the record that reached the disk.
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


class VoucherFile:
    """One file of vouchers, for all threads of a process.

    Attributes:
        path: the file's absolute path.
        form: its form.
        index: its index, up to date inside of `open`.
    """

    def __init__(self, account: str, settings: FileSettings) -> None:
        """Make it; the file is not opened yet."""
        self.path = Path(settings.path).absolute()
        self.form: FileFormat = JsonLines() if settings.actual_format == "jsonl" else CsvFormat()
        self._account = account
        self._private = settings.reveal
        self.renew_after_fork()
        fork_safety.register(self)

    def renew_after_fork(self) -> None:
        """Make a new guard and an empty index: a thread of the parent may have held the guard, or loaded a part."""
        self.index = FileIndex(self._account, self.form)
        self._guard = threading.Lock()

    @property
    def columns(self) -> Sequence[str]:
        """The columns of the file; those of a new file if there is none."""
        return self.index.columns or (self.form.columns(self.form.top()) if self.form.header else ())

    @contextmanager
    def open(self, operation: str, *, writing: bool = False) -> Iterator[BinaryIO | None]:
        """Yield the file, locked and indexed; None if it does not exist. Writing creates it.

        Args:
            operation: the operation that errors of the block name.
            writing: whether a record is to be appended.

        Raises:
            MalformedResponse: if anything in it is wrong.
            ProviderUnavailable: if it cannot be read or locked.
            ConfigurationError: if other users could read the codes that are to be written.
        """
        fork_safety.renew_if_forked()
        try:
            with self._guard, lock_file(self.path, writing=writing) as descriptor:
                if descriptor is None:
                    self.index.clear()
                    yield None
                    return
                if writing and self._private:
                    self._check_private(descriptor)
                with open(descriptor, "rb", closefd=False) as file:
                    self._load_index(file)
                    yield file
        except VoucherGatewayError as error:
            error.with_context(account=self._account, operation=operation)
            raise

    def write(self, file: BinaryIO, line: NewLine) -> None:
        """Append the record of a voucher to the file that `open` yielded. A last record that was cut off is removed.

        Raises:
            ProviderUnavailable: if it could not be written; the file is unchanged.
            PartialWrite: if that is not certain.
        """
        index, record = self.index, line.body
        if index.cut_off is not None:
            log.warning("%s: line %d, which was cut off while it was written, goes", self.path, index.cut_off)
        if index.end == 0:
            record = self.form.top() + record
        elif os.pread(file.fileno(), 1, index.end - 1) != b"\n":
            record = b"\n" + record  # the last line was written by another program, without a line break
        append(file.fileno(), record, at=index.end, path=self.path)
        try:
            index.add_appended(file)
        except Exception:  # noqa: BLE001 - the voucher was written, so this must not raise
            index.clear()

    def _load_index(self, file: BinaryIO) -> None:
        before = self.index.cut_off
        with hide_frames():
            self.index.refresh(file)
        if self.index.cut_off not in (None, before):
            log.warning("%s: line %d is cut off, and counts for nothing", self.path, self.index.cut_off)

    def _check_private(self, descriptor: int) -> None:
        if os.fstat(descriptor).st_mode & 0o077:
            raise ConfigurationError(
                f"{self.path.name} can be read by other users, and codes are money: chmod 600 makes it yours alone"
            )


def identity(file: BinaryIO) -> str:
    """Return the device and inode, which differ if another file is at the same path."""
    status = os.fstat(file.fileno())
    return f"{status.st_dev}:{status.st_ino}"
