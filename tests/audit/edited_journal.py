"""A copy of a journal, for edits by hand."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import attrs

from tests.support.simulators import JOURNAL_KEYS, make_journal_keys
from voucher_gateway.audit.report import AuditReport
from voucher_gateway.audit.verify import verify_journal
from voucher_gateway.journal.journal import Journal, open_journal


@attrs.frozen
class EditedJournal:
    """A copy of a journal in SQLite, for edits by hand.

    Attributes:
        path: the file.
    """

    path: Path

    def edit(self, statement: str, *values: object) -> int:
        """Execute SQL as a person does who has the file and not the key; return how many rows it changed."""
        with closing(sqlite3.connect(self.path)) as connection:
            cursor = connection.execute(statement, values)
            connection.commit()
            return cursor.rowcount

    def insert_copy(self, table: str, condition: str, **changes: str) -> int:
        """Insert copies of rows with other values, as SQL; return how many."""
        with closing(sqlite3.connect(self.path)) as connection:
            names = [column[1] for column in connection.execute(f"PRAGMA table_info({table})")]
            values = ", ".join(changes.get(name, name) for name in names)
            cursor = connection.execute(
                f"INSERT INTO {table} ({', '.join(names)}) SELECT {values} FROM {table} WHERE {condition} LIMIT 1"
            )
            connection.commit()
            return cursor.rowcount

    def select(self, statement: str) -> list[Any]:
        """Return the first column of the rows of a query."""
        with closing(sqlite3.connect(self.path)) as connection:
            return [row[0] for row in connection.execute(statement)]

    def open(self, keys: dict[str, str] | None = None) -> Journal:
        """Open it. The caller closes it."""
        return open_journal(f"sqlite:///{self.path}", make_journal_keys(keys or JOURNAL_KEYS))

    def verify(self, **options: Any) -> AuditReport:
        """Verify it."""
        journal = self.open()
        try:
            return verify_journal(journal, **options)
        finally:
            journal.close()
