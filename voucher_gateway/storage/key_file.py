"""A secret key in a file beside an SQLite database, for those who configure none."""

from __future__ import annotations

import secrets
from contextlib import suppress
from pathlib import Path
from typing import Final

from voucher_gateway.atomic_file import atomic_write
from voucher_gateway.errors import ConfigurationError, DatabaseUnavailable
from voucher_gateway.masking import Secret

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
