"""Detects that a key of the journal was lost or exchanged.

The table of facts keeps a check value for each key id: a digest that is made with the key and does not reveal it. With
another key the journal would derive other codes from its entries, and would recognise no voucher: it would replay codes
that no voucher has, and let one reservation end another.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from voucher_gateway.errors import ConfigurationError
from voucher_gateway.journal.keys import JournalKeys
from voucher_gateway.journal.schema import facts, operations
from voucher_gateway.storage.engine import Database
from voucher_gateway.storage.key_file import key_file
from voucher_gateway.storage.locks import lock_in_transaction

KEY_VARIABLE: Final = "VOUCHER_GATEWAY_JOURNAL_KEY"
"""The environment variable that holds the journal's key, where the configuration names none."""

_PREFIX: Final = "key:"
_SELECT: Final = sa.select(facts.c.name, facts.c.value).where(facts.c.name.startswith(_PREFIX))
_HAS_ENTRIES: Final = sa.select(operations.c.id).where(operations.c.key_id == sa.bindparam("key")).limit(1)


def require_right_keys(database: Database, keys: JournalKeys) -> None:
    """Compare the keys with their check values, and keep the check values of new keys.

    Raises:
        ConfigurationError: if a key is another than the one of its id, or if entries need a key that is not there.
    """
    with database.read() as connection:
        check_values = _check_values(connection)
        _compare(connection, check_values, keys, database)
    if keys.keys.keys() <= check_values.keys():
        return  # without writing, so that a standby can be read
    with database.write() as connection:
        lock_in_transaction(connection, "journal keys")
        check_values = _check_values(connection)
        _compare(connection, check_values, keys, database)
        for key_id in keys.keys.keys() - check_values.keys():
            value = keys.check_value(key_id)
            connection.execute(sa.insert(facts).values(name=f"{_PREFIX}{key_id}", value=value))


def require_all_keys(connection: Connection, keys: JournalKeys) -> None:
    """Make sure that a process that is running has the keys which others configured since it started.

    Raises:
        ConfigurationError: if entries need a key that is not there.
    """
    _require_present(connection, _check_values(connection), keys, "configure it here too, and restart this process")


def must_have_a_key(connection: Connection) -> str | None:
    """Return the id of a key that the journal was used with; None if any key can be its first."""
    key_ids = sorted(_check_values(connection))
    return key_ids[0] if key_ids else connection.scalar(sa.select(operations.c.key_id).limit(1))


def missing_key(key_id: str, remedy: str) -> ConfigurationError:
    """Return the error of a key that is needed and is not there."""
    return ConfigurationError(f"journal key {key_id!r:.20} is missing, and the journal has entries of it: {remedy}")


def _check_values(connection: Connection) -> Mapping[str, str]:
    return {row["name"].removeprefix(_PREFIX): row["value"] for row in connection.execute(_SELECT).mappings()}


def _compare(connection: Connection, check_values: Mapping[str, str], keys: JournalKeys, database: Database) -> None:
    for key_id in sorted(keys.keys.keys() & check_values.keys()):
        if not hmac.compare_digest(check_values[key_id], keys.check_value(key_id)):
            raise ConfigurationError(
                f"journal key {key_id!r:.20} does not fit: the journal {database.safe_url} was written with another key"
                f" of this id; restore that key (in journal_keys, {KEY_VARIABLE} or the key file), or add yours to"
                " journal_keys under a new id, after the old one"
            )
    remedy = "add it to journal_keys before the others"
    if database.path is not None and key_file(database.path).exists():
        remedy = f'{remedy}, as {{ file = "{key_file(database.path)}" }} if it is the key of that file'
    _require_present(connection, check_values, keys, remedy)


def _require_present(connection: Connection, check_values: Mapping[str, str], keys: JournalKeys, remedy: str) -> None:
    for key_id in sorted(check_values.keys() - keys.keys.keys()):
        if connection.execute(_HAS_ENTRIES, {"key": key_id}).first() is not None:
            raise missing_key(key_id, remedy)
