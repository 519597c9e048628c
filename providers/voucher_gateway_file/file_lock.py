"""The lock of a file of vouchers, which the system frees when its holder dies.

It is ``flock`` on the file itself: unlike ``lockf`` it is not lost when the same process closes another descriptor of
the file. Writers hold it alone, for one voucher at a time; whoever reads the end of the file shares it. It holds
between the processes of one machine; over NFS it holds as far as the mount says so.
"""

from __future__ import annotations

import fcntl
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from voucher_gateway.provider_api import ConfigurationError, ProviderUnavailable, fork_safety

WAIT_S: Final = 30.0
"""How long to wait for another process."""

_POLL_S: Final = 0.005
_held: Final[set[int]] = set()


@contextmanager
def lock_file(path: Path, *, writing: bool) -> Iterator[int | None]:
    """Hold the lock of a file, and give a descriptor of it; None if it is not there, and not to be made.

    Args:
        path: the file. Writing makes it, with mode 0600, if it is not there.
        writing: whether to hold it alone, and to be able to write.

    Raises:
        ConfigurationError: if it is not a regular file.
        ProviderUnavailable: if it cannot be opened, or another process keeps it for `WAIT_S`.
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
            if _is_still(file, path):
                try:
                    yield file
                finally:
                    # Closing alone would leave the lock to a child that was forked meanwhile.
                    fcntl.flock(file, fcntl.LOCK_UN)
                return
        finally:
            _held.discard(file)
            os.close(file)


def _open_file(path: Path, *, writing: bool) -> int | None:
    flags = os.O_RDWR | os.O_CREAT if writing else os.O_RDONLY
    try:
        # A pipe in the place of the file must not keep us waiting.
        file = os.open(path, flags | os.O_CLOEXEC | os.O_NONBLOCK, 0o600)
    except FileNotFoundError:
        if not writing:
            return None
        reason = "its folder is not there"
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
                raise ProviderUnavailable(f"another process keeps {path.name} locked; try again") from None
            time.sleep(_POLL_S)
        else:
            return


def _is_still(file: int, path: Path) -> bool:
    """Whether the path still leads to the file that is locked: an editor that saves puts another in its place."""
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except FileNotFoundError:
        return False


def _close_inherited() -> None:
    # The child's copies would keep the parent's locks alive after the parent's death.
    for file in _held:
        os.close(file)
    _held.clear()


fork_safety.call_after_fork(_close_inherited)
