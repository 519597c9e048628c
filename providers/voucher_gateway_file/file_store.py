"""The file of an account: its lock, its index, and appending to it.

The lock is ``flock`` on the file itself. Unlike ``lockf``, it is not lost when the process closes another descriptor of
the file. The system releases it when its owner dies. A writer holds it exclusively, for one voucher at a time. Readers
share it. It holds between the processes of one machine; over NFS it depends on the mount.
"""

from __future__ import annotations

import fcntl
import logging
import os
import stat
import threading
import time
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
from voucher_gateway_file.formats import FileFormat, JsonLines
from voucher_gateway_file.index import FileIndex
from voucher_gateway_file.records import NewLine
from voucher_gateway_file.settings import FileSettings

WAIT_S: Final = 30.0
"""How long to wait for the lock of another process."""

_POLL_S: Final = 0.005
_held: Final[set[int]] = set()


@contextmanager
def lock_file(path: Path, *, writing: bool) -> Iterator[int | None]:
    """Hold the lock of a file, and yield a descriptor of it; None if the file does not exist and is only read.

    Args:
        path: the file. For writing it is created with mode 0600, if it does not exist.
        writing: whether to lock it exclusively, and to open it for writing.

    Raises:
        ConfigurationError: if it is not a regular file.
        ProviderUnavailable: if it cannot be opened, or another process holds the lock for `WAIT_S`.
    """
    fork_safety.renew_if_forked()
    deadline = time.monotonic() + WAIT_S
    while True:
        file = _open_file(path, writing=writing)
        if file is None:
            yield None
            return
        _held.add(file)
        try:
            _lock(file, path, fcntl.LOCK_EX if writing else fcntl.LOCK_SH, deadline)
            if _is_at_path(file, path):
                try:
                    yield file
                finally:
                    # Without this, a child that was forked since then would keep the lock.
                    fcntl.flock(file, fcntl.LOCK_UN)
                return
        finally:
            _held.discard(file)
            os.close(file)


def _open_file(path: Path, *, writing: bool) -> int | None:
    flags = os.O_RDWR | os.O_CREAT if writing else os.O_RDONLY
    try:
        # O_NONBLOCK, so that a pipe in the place of the file does not block.
        file = os.open(path, flags | os.O_CLOEXEC | os.O_NONBLOCK, 0o600)
    except FileNotFoundError:
        if not writing:
            return None
        reason = "its folder does not exist"
    except OSError as error:
        reason = error.strerror or "unreadable"
    else:
        if stat.S_ISREG(os.fstat(file).st_mode):
            return file
        os.close(file)
        raise ConfigurationError(f"{path.name} is not a regular file")
    raise ProviderUnavailable(f"{path.name} cannot be opened: {reason}")


def _lock(file: int, path: Path, kind: int, deadline: float) -> None:
    while True:
        try:
            fcntl.flock(file, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise ProviderUnavailable(f"another process has locked {path.name}; try again") from None
            time.sleep(_POLL_S)
        else:
            return


def _is_at_path(file: int, path: Path) -> bool:
    """Return whether the locked file is still at the path: an editor that saves may put another file there."""
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except FileNotFoundError:
        return False


def _close_inherited() -> None:
    # A copy in the child would keep the parent's lock after the parent's death.
    for file in _held:
        os.close(file)
    _held.clear()


fork_safety.call_after_fork(_close_inherited)


log: Final = logging.getLogger(__name__)


class PartialWrite(Exception):
    """A record could neither be written completely nor removed. The message does not have the record."""


def append(file: int, body: bytes, *, at: int, path: Path) -> None:
    """Write at the end of a locked file, and sync it to the disk.

    The folder of a new file is synced too, so that its name survives a power failure.

    Args:
        file: a descriptor for writing.
        body: the bytes to write.
        at: the end of the last complete record, in bytes. An incomplete record after it is removed.
        path: the file's path.

    Raises:
        ProviderUnavailable: if it could not be written, for example because the disk is full. The file is unchanged.
        PartialWrite: if it is not known how much of it is on the disk.
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
        raise PartialWrite(f"{path.name} could neither be written ({reason}) nor restored ({error.strerror})") from None
    raise ProviderUnavailable(f"{path.name} could not be written: {reason}; it is unchanged")


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
        index: its index, up to date inside of `open`.
    """

    def __init__(self, account: str, settings: FileSettings) -> None:
        """Make the object; the file is not opened yet."""
        self.path = Path(settings.path).absolute()
        self._new_form: FileFormat = JsonLines() if settings.actual_format == "jsonl" else CsvFormat(settings)
        self._problems = settings.problems
        self._account = account
        self._private = settings.reveal
        self._skips_unreadable = settings.skip_unreadable
        self.renew_after_fork()
        fork_safety.register(self)

    def renew_after_fork(self) -> None:
        """Make a new lock and an empty index: a thread of the parent may have held the lock, or loaded a part."""
        self.index = FileIndex(self._account, self._new_form, self._problems, skips_unreadable=self._skips_unreadable)
        self._thread_lock = threading.Lock()

    @property
    def form(self) -> FileFormat:
        """The format of the file, as it was read."""
        return self.index.form

    @property
    def columns(self) -> Sequence[str]:
        """The columns of the file; those of a new file if the file does not exist."""
        return self.index.columns or (self.form.columns(self.form.top()) if self.form.header else ())

    @contextmanager
    def open(self, operation: str, *, writing: bool = False) -> Iterator[BinaryIO | None]:
        """Yield the file, locked and indexed; None if it does not exist. Writing creates it.

        Args:
            operation: the operation that errors of the block name.
            writing: whether a record is to be appended.

        Raises:
            MalformedFile: if anything in it is wrong.
            ProviderUnavailable: if it cannot be read or locked.
            ConfigurationError: if other users could read the codes that are to be written.
        """
        fork_safety.renew_if_forked()
        try:
            with self._thread_lock, lock_file(self.path, writing=writing) as descriptor:
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
            log.warning("%s: line %d is incomplete and is removed", self.path, index.cut_off)
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
            log.warning("%s: line %d is incomplete and is ignored", self.path, self.index.cut_off)

    def _check_private(self, descriptor: int) -> None:
        if os.fstat(descriptor).st_mode & 0o077:
            raise ConfigurationError(
                f"other users can read {self.path.name}, which would contain codes; run chmod 600 on it"
            )


def identity(file: BinaryIO) -> str:
    """Return the device and inode, which differ if another file is at the same path."""
    status = os.fstat(file.fileno())
    return f"{status.st_dev}:{status.st_ino}"
