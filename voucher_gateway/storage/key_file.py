"""A secret key in a file beside an SQLite database, for those who configure none."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Final

from voucher_gateway.errors import ConfigurationError, DatabaseUnavailable
from voucher_gateway.masking import Secret

MIN_KEY_BYTES: Final = 16
"""The shortest key that is taken, in bytes."""


def key_file(database: Path) -> Path:
    """Return where the key of an SQLite database is."""
    return database.with_name(database.name + ".key")


def make_key(path: Path) -> None:
    """Make a key file (mode 0600). It appears under its name whole or not at all, and the first of several makers wins.

    Raises:
        DatabaseUnavailable: if the folder does not let us.
    """
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_hex(32))
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(draft, path)
        draft.unlink()
    except OSError as error:
        reason = error.strerror
    else:
        return
    raise DatabaseUnavailable(f"the key {path} cannot be made: {reason}")


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
