"""Seals and counts the rows of small tables, so that an audit finds what something else than this library did.

These rows change without an event of an operation, a payment or a sale. Each row carries a keyed digest of its columns,
so that a changed or an inserted row is found. The table of facts holds how many rows each table has, with a keyed
digest, so that a removed row is found.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import attrs
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from voucher_gateway.journal.keys.keys import JournalKeys, is_same_digest, missing_key_error
from voucher_gateway.journal.schema import accounts, adopted, cursors, events, facts, moved, operations, pauses, pruned
from voucher_gateway.storage.engine import Database
from voucher_gateway.storage.locks import lock_in_transaction

_LENGTH: Final = 16
"""The length of a seal: 64 bits."""
_SUFFIX: Final = "-count"
"""The name of the fact that holds the number of rows of a table ends with this."""


@attrs.frozen
class CountedTable:
    """A table whose number of rows is recorded.

    Attributes:
        name: its name in reports.
        table: the table.
        condition: which of its rows are counted; None for all.
    """

    name: str
    table: sa.Table = attrs.field(eq=False)
    condition: sa.ColumnElement[bool] | None = attrs.field(default=None, eq=False, kw_only=True)

    def add_to_count(self, connection: Connection, keys: JournalKeys, added: int) -> None:
        """Record that the caller's transaction inserted rows, or deleted some if the number is below zero.

        PostgreSQL lets other transactions wait here until the caller's ends.
        """
        if not added:
            return
        lock_in_transaction(connection, f"{self.name} count")
        count = self.read_count(connection, keys)
        if count is not None:  # else something else changed it, and an audit reports that
            of_count = facts.c.name == self._fact
            connection.execute(sa.update(facts).where(of_count).values(value=self._value(keys, count + added)))

    def read_count(self, connection: Connection, keys: JournalKeys) -> int | None:
        """Return how many rows the table has; None if something else changed that number, or removed it."""
        value = connection.scalar(sa.select(facts.c.value).where(facts.c.name == self._fact))
        number, key_id, digest = (*str(value).split(":"), "", "")[:3]
        is_own = key_id in keys.keys and is_same_digest(self._digest(keys, number, key_id), digest)
        return int(number) if is_own else None

    def count_rows(self, connection: Connection) -> int:
        """Return how many rows the table has."""
        query = sa.select(sa.func.count()).select_from(self.table)
        return connection.scalar(query if self.condition is None else query.where(self.condition)) or 0

    def write_count(self, connection: Connection, keys: JournalKeys, count: int) -> None:
        """Record a number of rows under the newest key, in place of the one that is recorded."""
        connection.execute(sa.delete(facts).where(facts.c.name == self._fact))
        connection.execute(sa.insert(facts), {"name": self._fact, "value": self._value(keys, count)})

    def key_of_count(self, connection: Connection) -> str | None:
        """Return the id of the key under which the number of rows is recorded; None if it is not recorded."""
        value = connection.scalar(sa.select(facts.c.value).where(facts.c.name == self._fact))
        return None if value is None else (*str(value).split(":"), "")[1]

    @property
    def _fact(self) -> str:
        return f"{self.name}{_SUFFIX}"

    def _value(self, keys: JournalKeys, count: int) -> str:
        return f"{count}:{keys.newest}:{self._digest(keys, str(count), keys.newest)}"

    def _digest(self, keys: JournalKeys, number: str, key_id: str) -> str:
        return keys.keyed_digest("row count", self.name, number, key_id=key_id)


@attrs.frozen
class SealedTable(CountedTable):
    """A table whose rows have a seal as well, in the columns ``key_id`` and ``seal``.

    Attributes:
        columns: the columns that the seal covers.
    """

    columns: tuple[str, ...]

    def seal_row(self, keys: JournalKeys, row: Mapping[str, Any]) -> dict[str, Any]:
        """Return a row with its seal under the newest key. The caller writes it."""
        sealed = {**row, "key_id": keys.newest}
        return {**sealed, "seal": self.seal_of(keys, sealed)}

    def seal_again(self, keys: JournalKeys, before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
        """Return a row as it is after a change, with its seal. A row that something else changed gets none.

        Args:
            keys: the journal's.
            before: the row as it is stored.
            after: the row after the change.

        Raises:
            ConfigurationError: if the key of its seal is not configured any more.
        """
        if before["key_id"] not in keys.keys:
            raise missing_key_error(str(before["key_id"]), "add it to journal_keys before the others")
        sealed = self.seal_row(keys, after)
        return sealed if self.has_own_seal(keys, before) else {**sealed, "seal": ""}

    def has_own_seal(self, keys: JournalKeys, row: Mapping[str, Any]) -> bool:
        """Whether a row is as the library wrote it. False if its key is not configured."""
        return row["key_id"] in keys.keys and is_same_digest(self.seal_of(keys, row), row["seal"])

    def seal_of(self, keys: JournalKeys, row: Mapping[str, Any]) -> str:
        """Return the seal of a row under the key that it names."""
        values = [_text_of(row[name]) for name in self.columns]
        return keys.keyed_digest(self.name, *values, key_id=row["key_id"])[:_LENGTH]


def _text_of(value: object) -> str:
    """Return a value as text. A text that is missing differs from an empty one."""
    return "-" if value is None else f"+{int(value) if isinstance(value, bool) else value}"


ACCOUNTS: Final = SealedTable("accounts", accounts, ("provider", "host", "login", "name", "known_as"))
"""The names of accounts; see `voucher_gateway.journal.names`."""
ADOPTED: Final = SealedTable(
    "adopted",
    adopted,
    (
        "account",
        "host",
        "mark",
        "kind",
        "voucher_id",
        "movement_id",
        "wire_reference",
        "amount",
        "currency",
        "pending",
        "moved_at",
    ),
)
"""The movements that a restored journal had forgotten; see `voucher_gateway.journal.restore_guard`."""
CURSORS: Final = SealedTable("cursors", cursors, ("name", "transaction_id", "event_id", "updated_at"))
"""How far each consumer of events has read; see `voucher_gateway.journal.events.feed`."""
MOVED: Final = SealedTable(
    "moved", moved, ("account", "voucher_id", "to_account", "to_voucher_id", "plan_id", "moved_at")
)
"""Where vouchers went; see `voucher_gateway.journal.moves`."""
PAUSES: Final = SealedTable("pauses", pauses, ("account", "everything", "paused_at", "ends_at", "reason", "paused_by"))
"""The pauses of accounts; see `voucher_gateway.journal.pauses`."""
PRUNED: Final = CountedTable("pruned", pruned)
"""What is left of removed rows, which have seals of their own kind; see `voucher_gateway.journal.pruned.pruned`."""

CHANGED_REFERENCE: Final = "changes-ref:"
"""The name of the fact that a vendor changes the references of a login begins with this."""
REFERENCES: Final = CountedTable("references", facts, condition=facts.c.name.startswith(CHANGED_REFERENCE))
"""The logins whose vendor changes references; see `voucher_gateway.journal.resolution_queries`."""

SEALED_TABLES: Final = (ACCOUNTS, ADOPTED, CURSORS, MOVED, PAUSES)
_COUNTED: Final[tuple[CountedTable, ...]] = (*SEALED_TABLES, PRUNED, REFERENCES)


def prepare_counts(database: Database, keys: JournalKeys) -> None:
    """Record of a new journal that these tables have no row yet, and seal the numbers again under another newest key.

    A number that is missing later, or that something else has written, stays so.
    """
    with database.read() as connection:
        key_ids = _keys_of_counts(connection)
        has_older = not keys.keys.keys().isdisjoint(key_ids - {keys.newest})
        if key_ids == {keys.newest} or not (has_older or not _was_used(connection)):
            return  # without writing, so that a standby can be read
    with database.write() as connection:
        lock_in_transaction(connection, "row counts")
        for table in reversed(_COUNTED):  # in the order in which a renamed account takes them
            lock_in_transaction(connection, f"{table.name} count")
        key_ids = _keys_of_counts(connection)
        if key_ids == {None} or not key_ids <= {None, *keys.keys}:
            if not _was_used(connection):  # before there are operations, a key can be exchanged
                for table in _COUNTED:
                    table.write_count(connection, keys, table.count_rows(connection))
            return
        for table in _COUNTED:
            count = table.read_count(connection, keys)
            if count is not None and table.key_of_count(connection) != keys.newest:
                table.write_count(connection, keys, count)


def _keys_of_counts(connection: Connection) -> set[str | None]:
    """Return the ids of the keys under which the numbers are recorded; None stands for one that is not recorded."""
    return {table.key_of_count(connection) for table in _COUNTED}


def _was_used(connection: Connection) -> bool:
    """Whether the journal has, or had, an operation, a payment or a sale, or a voucher that was moved."""
    return any(
        connection.scalar(sa.select(sa.exists().select_from(table))) for table in (operations, pruned, moved, events)
    )
