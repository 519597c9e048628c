"""Opening a journal: its database and its keys."""

from __future__ import annotations

import os
from collections.abc import Mapping

from voucher_gateway.errors import ConfigurationError
from voucher_gateway.journal.journal import Journal
from voucher_gateway.journal.keycheck import KEY_VARIABLE, missing_key, must_have_a_key
from voucher_gateway.journal.keys import JournalKeys
from voucher_gateway.journal.schema import JOURNAL
from voucher_gateway.masking import Secret
from voucher_gateway.setting_types import SecretSource
from voucher_gateway.storage.engine import Database
from voucher_gateway.storage.key_file import key_file
from voucher_gateway.tracebacks import hide_arguments

__all__ = ["KEY_VARIABLE", "open_journal"]


@hide_arguments
def open_journal(url: str, keys: Mapping[str, SecretSource] | None = None) -> Journal:
    """Open the journal in a database, creating it if it is not there yet.

    Args:
        url: ``sqlite:///PATH`` or ``postgresql://...``.
        keys: the journal's keys by id, the newest last. Without any, the environment variable `KEY_VARIABLE` is one;
            without that too, SQLite has a key file beside the database.

    Raises:
        ConfigurationError: if PostgreSQL has no key, the URL is wrong, or a key is missing or another than the one that
            the journal was written with.
        DatabaseUnavailable: if the database cannot be opened.
    """
    database = Database(url, JOURNAL)
    try:
        return Journal(database, _keys(database, keys))
    except BaseException:
        database.close()
        raise


def _keys(database: Database, keys: Mapping[str, SecretSource] | None) -> JournalKeys:
    if keys:
        return JournalKeys.of({name: source.get() for name, source in keys.items()})
    if os.environ.get(KEY_VARIABLE):
        return JournalKeys.of({"1": Secret(os.environ[KEY_VARIABLE])})
    if database.path is None:
        raise ConfigurationError(
            f"a journal in PostgreSQL needs journal_keys in the configuration, or {KEY_VARIABLE} in the environment:"
            " the same for every machine"
        )
    path = key_file(database.path)
    if not path.exists():
        # A new key would not recognise what was written under the old one.
        with database.read() as connection:
            needed = must_have_a_key(connection)
        if needed is not None:
            raise missing_key(needed, f"the file {path} is gone; restore it from its backup, or configure journal_keys")
    return JournalKeys.from_key_file(database.path)
