"""Tells a key that is not configured any more from one that never was."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from voucher_gateway.journal.keys.keys import CHECK_VALUE_PREFIX, JournalKeys, missing_key_error
from voucher_gateway.journal.keys.row_seals import CountedTable
from voucher_gateway.journal.schema import facts

_CHECK_VALUE: Final = sa.select(facts.c.value).where(facts.c.name == sa.bindparam("name"))


class KnownKeys:
    """The keys of a journal, as far as an audit meets them.

    Args:
        keys: those that are configured.
    """

    def __init__(self, keys: JournalKeys) -> None:
        self._keys = keys

    def require(self, connection: Connection, key_id: str) -> bool:
        """Return whether a row can have been written under a key.

        Returns:
            False if the journal never had such a key.

        Raises:
            ConfigurationError: if it had, and the key is not configured any more: the row cannot be verified.
        """
        if key_id in self._keys.keys:
            return True
        if connection.scalar(_CHECK_VALUE, {"name": f"{CHECK_VALUE_PREFIX}{key_id}"}) is None:
            return False
        raise missing_key_error(key_id, "add it to journal_keys before the others, so that all rows can be verified")

    def require_of_count(self, connection: Connection, table: CountedTable) -> None:
        """Check that the key of the number of rows of a table is there, if the journal ever had it.

        Raises:
            ConfigurationError: as `require`.
        """
        key_id = table.key_of_count(connection)
        if key_id is not None:
            self.require(connection, key_id)
