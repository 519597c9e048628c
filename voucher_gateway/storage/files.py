"""The files of an SQLite database: the database, private and checked before each use, and the key beside it."""

from __future__ import annotations

import os
import secrets
import weakref
from contextlib import suppress
from pathlib import Path
from typing import Final

from voucher_gateway.atomic_file import atomic_write
from voucher_gateway.errors import ConfigurationError, DatabaseUnavailable
from voucher_gateway.masking import Secret

MODE: Final = 0o600
_LOGS: Final = ("-wal", "-shm")
_Identity = tuple[int, int]
_path_descriptors: Final[set[int]] = set()


def make_private(path: str | os.PathLike[str]) -> bool:
    """Create an empty file that only its owner may use. Return False if a file exists; it stays as it is.

    SQLite gives its log and its index the mode of the database file.

    Raises:
        OSError: if it cannot be made.
    """
    try:
        # Exclusive: closing a file that this process has open elsewhere would end SQLite's locks on it.
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, MODE))
    except FileExistsError:
        return False
    return True


def mode_warning(path: str | os.PathLike[str]) -> str | None:
    """Return a warning about the mode of a database's file; None if only its owner may use it."""
    try:
        mode = os.stat(path).st_mode & 0o777
    except OSError:
        return None
    if not mode & 0o077:
        return None
    return f"{path} has the mode {mode:04o}, so other users of this machine can read it: `chmod 600` if they must not"


class DatabaseFile:
    """The file of a database, and the log beside it, as this process has them open.

    If the file is replaced, this process would continue with a file that other processes cannot find. What it writes
    there is lost, and other processes take its references for new ones. So it refuses to continue. It does not use the
    other file either: what it knows belongs to the first one.

    Args:
        path: the file, which is made if it is not there.

    Raises:
        DatabaseUnavailable: if it cannot be made, or has other names besides this one.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        try:
            make_private(path)
            status = os.lstat(path)
        except OSError as error:
            reason = error.strerror
        else:
            _require_single_name(path, status)
            self._keep_number_in_use()
            self._identity: _Identity = status.st_dev, status.st_ino
            self._logs: dict[str, _Identity] = {}
            return
        raise DatabaseUnavailable(f"the database {path} cannot be opened: {reason}")

    def _keep_number_in_use(self) -> None:
        """Keep the file system from giving the inode's number to a new file once this one is deleted.

        No connection is open after a fork, or after a turn that failed. A descriptor for the path alone does not touch
        SQLite's locks when it is closed. Systems without such descriptors do not use a number twice.
        """
        if not hasattr(os, "O_PATH"):
            return
        descriptor = os.open(self._path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
        _path_descriptors.add(descriptor)
        weakref.finalize(self, _close, descriptor)

    def must_be_in_place(self) -> None:
        """Check that other processes that open the path find this file.

        Raises:
            DatabaseUnavailable: if they do not.
        """
        if _identity(self._path) != self._identity:
            raise DatabaseUnavailable(
                f"the database {self._path} was deleted, moved or replaced while this process used it. Nothing more is"
                " written. Stop all processes that use it, put the right file in its place, and start them again. After"
                " a restore, run `voucher-gateway recover --after-restore` first"
            )

    def forget_logs(self) -> None:
        """Forget the log of a closed connection. The process that closes the last connection deletes it."""
        self._logs.clear()

    def logs_must_be_in_place(self) -> None:
        """Check that the log is the one that the open connection writes, and was not deleted.

        Raises:
            DatabaseUnavailable: if it is not.
        """
        for name in _LOGS:
            identity = _identity(self._path + name)
            first_identity = self._logs.get(name)
            if first_identity is None and identity is not None:
                self._logs[name] = identity
            elif first_identity != identity:
                raise DatabaseUnavailable(
                    f"{self._path}{name} was deleted or replaced while this process used the database: other processes"
                    " no longer see what this one has written. Stop all processes that use it, and start them again;"
                    " what was committed in between may be lost, so run `voucher-gateway recover --after-restore` first"
                )


def is_path_descriptor(descriptor: int) -> bool:
    """Whether a descriptor only keeps the number of a database's inode in use."""
    return descriptor in _path_descriptors


def _close(descriptor: int) -> None:
    _path_descriptors.discard(descriptor)
    os.close(descriptor)


def _require_single_name(path: str, status: os.stat_result) -> None:
    """Refuse a file with several names. SQLite's log and the lock file go by the name of the database.

    Processes that open the file by different names do not see what the others write, and damage it.
    """
    if status.st_nlink > 1:
        raise DatabaseUnavailable(
            f"the database {path} cannot be opened: the file has {status.st_nlink} names (hard links). Processes that"
            " use different names would damage it. Remove the other names, or copy the file"
        )


def _identity(path: str) -> _Identity | None:
    """Return the device and inode of a file; None if it cannot be read.

    A symbolic link is another file, even if it leads to the same one.
    Whoever opens the database through the link writes the log beside the file that the link leads to.
    """
    try:
        status = os.lstat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


# --- the key, for those who configure none ---

MIN_KEY_BYTES: Final = 16
"""The shortest key that is taken, in bytes."""


def key_file(database: Path) -> Path:
    """Return where the key of an SQLite database is."""
    return database.with_name(database.name + ".key")


def make_key(path: Path) -> None:
    """Create a key file (mode 0600), complete or not at all. A file that another process created first stays.

    Raises:
        DatabaseUnavailable: if the file cannot be created.
    """
    try:
        with suppress(FileExistsError):
            atomic_write(path, secrets.token_hex(32).encode("ascii"), replace=False)
    except OSError as error:
        reason = error.strerror
    else:
        return
    raise DatabaseUnavailable(f"the key file {path} cannot be created: {reason}")


def read_key(path: Path) -> Secret:
    """Read a key file.

    Raises:
        ConfigurationError: if it is not there, others may read it, or it is damaged.
    """
    try:
        if path.stat().st_mode & 0o077:
            raise ConfigurationError(f"the key {path} must be readable by its owner only (mode 0600)")
        key = Secret(path.read_text(encoding="ascii").strip())
    except OSError as error:
        reason = f": {error.strerror}"
    except ValueError:  # its error holds what was read
        reason = ", as it is not text in ASCII"
    else:
        if len(key.reveal()) < MIN_KEY_BYTES:
            raise ConfigurationError(f"the key {path} is damaged: restore it from the backup of the database")
        return key
    raise ConfigurationError(f"the key {path} cannot be read{reason}")
