"""Files that appear under their name complete or not at all, even if the process or the machine stops."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, Self

from voucher_gateway.errors import ConfigurationError

OWNER_ONLY: Final = 0o600
"""The file mode that lets only the owner read and write."""


class AtomicFile:
    """A file that is written beside its final name and renamed by `commit`; use it in a ``with`` block.

    Without `commit`, the end of the block deletes the draft, and an earlier file of that name stays as it is.

    Args:
        path: the final name. A file that has it is replaced.
        mode: the file mode; the umask is taken off it.

    Attributes:
        draft: the path of the unfinished file.
        file: the unfinished file, open for reading and writing.

    Raises:
        OSError: if the draft cannot be created. The other methods raise it as well if the disk is full, for example.
    """

    def __init__(self, path: Path, *, mode: int = OWNER_ONLY) -> None:
        self._path = path
        self.draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
        self.file = os.fdopen(os.open(self.draft, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode), "w+b")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):  # only what was not committed can fail to be written here
            self.file.close()
        self.draft.unlink(missing_ok=True)

    def commit(self, *, replace: bool = True) -> None:
        """Write everything to the disk and give the file its name.

        Args:
            replace: False keeps a file that already has the name.

        Raises:
            FileExistsError: if `replace` is False and another file has the name.
            OSError: if the file cannot be written or renamed.
        """
        self.file.flush()
        os.fsync(self.file.fileno())
        if replace:
            self.draft.replace(self._path)
        else:
            os.link(self.draft, self._path)
        sync_folder(self._path)


def atomic_write(path: Path, content: bytes, *, mode: int = OWNER_ONLY, replace: bool = True) -> None:
    """Write a whole file; arguments and errors as of `AtomicFile`."""
    with AtomicFile(path, mode=mode) as draft:
        draft.file.write(content)
        draft.commit(replace=replace)


@contextmanager
def report_write_errors(subject: str) -> Iterator[None]:
    """Report an error of the system in the block as one of a file that cannot be written.

    Args:
        subject: names the file in the message: ``the plan move.plan``.

    Raises:
        ConfigurationError: instead of an OSError.
    """
    try:
        yield
    except OSError as error:
        reason = error.strerror or "the file cannot be written"
    else:
        return
    raise ConfigurationError(f"{subject} cannot be written: {reason}")


def sync_folder(path: Path) -> None:
    """Write the name of a file to the disk: the ``fsync`` of a file does not cover its entry in the folder."""
    folder = os.open(path.absolute().parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
