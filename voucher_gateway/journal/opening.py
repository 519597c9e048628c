"""Opening a journal: its database and its keys."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final

from voucher_gateway.adapter import ConfigurationError, Secret, SecretSource
from voucher_gateway.database import Database
from voucher_gateway.journal.journal import Journal
from voucher_gateway.journal.keys import JournalKeys

KEY_VARIABLE: Final = "VOUCHER_GATEWAY_JOURNAL_KEY"
"""The environment variable that holds the journal's key, where the configuration names none."""


def open_journal(url: str, keys: Mapping[str, SecretSource] | None = None) -> Journal:
    """Open the journal in a database, creating it if it is not there yet.

    Args:
        url: ``sqlite:///PATH`` or ``postgresql://...``.
        keys: the journal's keys by id, the newest last. Without any, the environment variable `KEY_VARIABLE` is one;
            without that too, SQLite has a key file beside the database.

    Raises:
        ConfigurationError: if PostgreSQL has no key, or the key or URL is wrong.
        DatabaseUnavailable: if the database cannot be opened.
    """
    database = Database(url)
    try:
        return Journal(database, _keys(database, keys))
    except BaseException:
        database.close()
        raise


def _keys(database: Database, keys: Mapping[str, SecretSource] | None) -> JournalKeys:
    if keys:
        return JournalKeys.of({name: source.get() for name, source in keys.items()})
    if given := os.environ.get(KEY_VARIABLE):
        return JournalKeys.of({"1": Secret(given)})
    if database.path is None:
        raise ConfigurationError(
            f"a journal in PostgreSQL needs journal_keys in the configuration, or {KEY_VARIABLE} in the environment:"
            " the same for every machine"
        )
    return JournalKeys.beside(database.path)
