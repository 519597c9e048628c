"""Verifies the rows of small tables that have a seal, and how many rows each of these tables has.

These rows change without an event: names and pauses of accounts, places of feeds, movements that were found after a
restore, and where vouchers went.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import sqlalchemy as sa

from voucher_gateway.audit.known_keys import KnownKeys
from voucher_gateway.audit.removed_rows import name_removed_rows
from voucher_gateway.audit.report import DifferenceLog, RowChange
from voucher_gateway.journal.journal import Journal
from voucher_gateway.journal.keys.row_seals import (
    ACCOUNTS,
    ADOPTED,
    CURSORS,
    MOVED,
    PAUSES,
    REFERENCES,
    SEALED_TABLES,
    CountedTable,
    SealedTable,
)

_BATCH: Final = 1000

_SUBJECTS: Final = {
    ACCOUNTS: "the name {name} of the login {login!r} of {provider} at {host}",
    ADOPTED: "the movement {wire_reference} of the account {account}, which was imported after a restore,",
    CURSORS: "the place of the feed {name}",
    MOVED: "where the voucher {voucher_id} of {account} went",
    PAUSES: "the pause of the account {account}",
}
"""What a row is, as the begin of a sentence with its columns."""

_IDS: Final = {
    ACCOUNTS: "name",
    ADOPTED: "wire_reference",
    CURSORS: "name",
    MOVED: "voucher_id",
    PAUSES: "account",
}
"""The column by which a report names a row."""

_ADVICE: Final[Mapping[CountedTable, str]] = {
    ACCOUNTS: "rename no account until the rows are as in a backup: an old reference might be sent again",
    ADOPTED: "run `recover --after-restore` again before the shop repeats a call: it imports what is missing",
    CURSORS: "compare what its consumer has handled with `events`: it may have left events out",
    MOVED: "see where the vouchers are by `migrate verify` before anything is given back to one of them",
    PAUSES: "compare with `accounts list`, and pause or resume the account again",
    REFERENCES: "decide operations in doubt by hand until a call has succeeded, which writes the row again",
}
"""What to do."""


def verify_sealed_rows(journal: Journal, log: DifferenceLog, report_progress: Callable[[int], None]) -> None:
    """Verify the seals of all rows of these tables, and how many rows each of them has. Other workers may go on.

    Args:
        journal: the journal.
        log: notes what is wrong.
        report_progress: is called with the number of rows that were verified.
    """
    done = 0
    for table in SEALED_TABLES:
        done = _verify_seals(journal, log, table, done, report_progress)
        _verify_count(journal, log, table, f"rows of {table.table.name}")
    _verify_count(journal, log, REFERENCES, "rows that say that a vendor changes references")


def _verify_seals(
    journal: Journal, log: DifferenceLog, table: SealedTable, done: int, report_progress: Callable[[int], None]
) -> int:
    """Verify the seals of a table, and return how many rows were verified until now."""
    known = KnownKeys(journal.keys)
    columns = list(table.table.primary_key.columns)
    ordered = sa.select(table.table).order_by(*columns).limit(_BATCH)
    place: list[sa.BindParameter[Any]] | None = None
    while True:
        query = ordered if place is None else ordered.where(sa.tuple_(*columns) > sa.tuple_(*place))
        with journal.database.read() as connection:
            rows = [dict(row) for row in connection.execute(query).mappings()]
            for row in rows:
                if not (known.require(connection, row["key_id"]) and table.has_own_seal(journal.keys, row)):
                    _note_changed(log, table, row)
        done += len(rows)
        report_progress(done)
        if len(rows) < _BATCH:
            return done
        place = [sa.literal(rows[-1][column.name]) for column in columns]


def _verify_count(journal: Journal, log: DifferenceLog, table: CountedTable, rows: str) -> None:
    with journal.database.snapshot() as connection:
        KnownKeys(journal.keys).require_of_count(connection, table)
        expected = table.read_count(connection, journal.keys)
        count = table.count_rows(connection)
        names = name_removed_rows(connection, table) if expected is not None and count < expected else ()
    if expected is None:
        sentence = f"the number of {rows} is not as it was written"
        log.add(RowChange.CHANGED, table.name, "count", f"{sentence}: {_ADVICE[table]}")
    elif count < expected:
        listed = f" ({', '.join(names)})" if names else ""
        sentence = f"{expected - count} of {expected} {rows} are not there any more{listed}"
        log.add(RowChange.REMOVED, table.name, "count", f"{sentence}: {_ADVICE[table]}")
    elif count > expected:
        sentence = f"{count - expected} {rows} are more than were written"
        log.add(RowChange.INSERTED, table.name, "count", f"{sentence}: {_ADVICE[table]}")


def _note_changed(log: DifferenceLog, table: SealedTable, row: Mapping[str, Any]) -> None:
    subject = _SUBJECTS[table].format_map(row)
    log.add(RowChange.CHANGED, table.name, row[_IDS[table]], f"{subject} is not as it was written: {_ADVICE[table]}")
