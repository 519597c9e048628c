"""One file of vouchers, opened, known and locked, for reading or for one more record."""

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


log: Final = logging.getLogger(__name__)


class VoucherFile:
    """One file of vouchers, for all threads of a process.

    Attributes:
        path: the file's absolute path.
        form: its form.
        contents: what was learnt of it so far; see `opened`.
    """

    def __init__(self, account: str, settings: FileSettings) -> None:
        """Make it; the file is not looked at yet."""
        self.path = Path(settings.path).absolute()
        self.form: FileFormat = JsonLines() if settings.actual_format == "jsonl" else CsvFormat()
        self._account = account
        self._private = settings.reveal
        self.renew_after_fork()
        fork_safety.register(self)

    def renew_after_fork(self) -> None:
        """Forget all that was learnt: a thread of the parent may have held the guard, or known half of a file."""
        self.contents = FileIndex(self._account, self.form)
        self._guard = threading.Lock()

    @property
    def columns(self) -> Sequence[str]:
        """The columns of the file, or of the one that would be made."""
        return self.contents.columns or (self.form.columns(self.form.top()) if self.form.header else ())

    @contextmanager
    def open(self, operation: str, *, writing: bool = False) -> Iterator[BinaryIO | None]:
        """Give the file, locked and with all of it known; None if it is not there. Writing makes it.

        Args:
            operation: what it is opened for; errors of the block name it.
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
                    self.contents.forget()
                    yield None
                    return
                if writing and self._private:
                    self._check_private(descriptor)
                with open(descriptor, "rb", closefd=False) as file:
                    self._learn(file)
                    yield file
        except VoucherGatewayError as error:
            error.with_context(account=self._account, operation=operation)
            raise

    def write(self, file: BinaryIO, line: NewLine) -> None:
        """Append the record of a voucher, in an `opened` file. A last one that was cut off goes.

        Raises:
            ProviderUnavailable: if it could not be written; the file is as it was.
            Stranded: if that is not certain.
        """
        known, record = self.contents, line.body
        if known.torn is not None:
            log.warning("%s: line %d, which was cut off while it was written, goes", self.path, known.torn)
        if known.end == 0:
            record = self.form.top() + record
        elif os.pread(file.fileno(), 1, known.end - 1) != b"\n":
            record = b"\n" + record  # behind somebody else's last line
        append(file.fileno(), record, at=known.end, path=self.path)
        try:
            known.note_append(file)
        except Exception:  # noqa: BLE001 - the voucher is there: nothing may look as if it were not
            known.forget()

    def _learn(self, file: BinaryIO) -> None:
        before = self.contents.torn
        with hide_frames():
            self.contents.refresh(file)
        if self.contents.torn not in (None, before):
            log.warning("%s: line %d is cut off, and counts for nothing", self.path, self.contents.torn)

    def _check_private(self, descriptor: int) -> None:
        if os.fstat(descriptor).st_mode & 0o077:
            raise ConfigurationError(
                f"{self.path.name} can be read by other users, and codes are money: chmod 600 makes it yours alone"
            )


def identity(file: BinaryIO) -> str:
    """Return what tells a file apart from another one in its place."""
    status = os.fstat(file.fileno())
    return f"{status.st_dev}:{status.st_ino}"
