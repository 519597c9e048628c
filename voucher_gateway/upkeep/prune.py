"""Removes what is over and old from a journal, in small transactions, while other workers go on.

Each transaction removes some rows and writes what stays of them, so that a process may be killed at any moment. The
next call goes on. Payments and sales go first: an operation stays as long as its order has one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import attrs
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from voucher_gateway.errors import InvalidRequest, OperationInProgress
from voucher_gateway.instants import format_micros, now
from voucher_gateway.journal.events.append import append_event
from voucher_gateway.journal.events.erase import drop_chain_start, list_chains
from voucher_gateway.journal.events.kinds import EventKind
from voucher_gateway.journal.journal import Journal
from voucher_gateway.journal.keys.row_seals import PRUNED
from voucher_gateway.journal.pruned.pruned import PRUNED_BEFORE
from voucher_gateway.journal.schema import facts, operations
from voucher_gateway.journal.search import first_id_at
from voucher_gateway.payments.rows.schema import payments
from voucher_gateway.process.loggers import get_logger
from voucher_gateway.sales.schema import sales
from voucher_gateway.storage.engine import Database
from voucher_gateway.storage.waits import allow_long_statements
from voucher_gateway.upkeep.archive import write_archive
from voucher_gateway.upkeep.archive_reader import check_archive, iterate_archived_batches
from voucher_gateway.upkeep.batches import BATCH, OPERATIONS, PAYMENTS, SALES, iterate_batches
from voucher_gateway.upkeep.eligibility import Scope, removable_operations, removable_payments, removable_sales
from voucher_gateway.upkeep.removal import remove_operations, remove_payments, remove_sales

log: Final = get_logger("voucher_gateway.upkeep")

OnProgress = Callable[[int, int], None]
"""Is called with the number of old operations that were removed, and with that of all that are old."""

SHORTEST_AGE: Final = timedelta(days=30)
"""What changed within this time is never removed by age: vendors still know the keys and the movements of it."""

LONGEST_AGE: Final = timedelta(days=365 * 1000)
"""No entry is older."""

EVENT_BATCH: Final = 2_000
"""How many events one transaction deletes."""

_PAUSE_S: Final = 0.01
"""How long other workers may write between two transactions at least; and half as long as the first one took."""


@attrs.frozen(kw_only=True)
class PruneSummary:
    """What was removed from a journal, or would be.

    Attributes:
        before: what changed last before this moment is old.
        operations: how many operations.
        payments: how many payments of orders.
        sales: how many sales.
        kept: how many operations are old and stay, because something may still happen with them.
    """

    before: datetime
    operations: int
    payments: int
    sales: int
    kept: int


def check_age(older_than: timedelta) -> datetime:
    """Return the moment before which everything is old.

    Raises:
        InvalidRequest: if that is too short or too long ago.
    """
    if not _is_age(older_than):
        rule = f"at least {SHORTEST_AGE.days} days and at most {LONGEST_AGE.days // 365} years"
        raise InvalidRequest(f"older_than must be {rule}", field="older_than", rule=rule)
    return now() - older_than


def _is_age(older_than: object) -> bool:
    return isinstance(older_than, timedelta) and SHORTEST_AGE <= older_than <= LONGEST_AGE


@allow_long_statements()
def prune(
    journal: Journal, before: datetime, *, archive: Path | None = None, on_progress: OnProgress | None = None
) -> PruneSummary:
    """Remove what is over and changed last before a moment.

    Args:
        journal: the journal.
        before: the moment.
        archive: a file that holds all that is removed; see `write_archive`. It is written first if it does not exist.
            If it exists, an earlier call has written it: then only what it holds is removed.
        on_progress: is called with the number of old operations that were removed, and with that of all old ones.

    Raises:
        OperationInProgress: if another process prunes the journal.
        MalformedFile: if the file is not a complete archive of this journal.
        DatabaseUnavailable: if the database fails. What was removed until then stays removed.
    """
    database = journal.database
    with hold_upkeep_lock(database):
        if archive is None:
            batches = iterate_batches(database, before)
        else:
            if not archive.exists():
                write_archive(journal, archive, before)
            check_archive(archive, journal.keys)
            batches = iterate_archived_batches(archive, size=BATCH)
        total = count_old_operations(database, before)
        if total:
            _note_pruned_before(database, before)
        counts = {PAYMENTS: 0, SALES: 0, OPERATIONS: 0}
        for kind, known in batches:
            begin = time.monotonic()
            with database.write() as connection:
                scope = Scope.read(connection, at=now(), before=before)
                counts[kind] += _REMOVE[kind](connection, journal.keys, scope, known)
            if on_progress is not None:
                on_progress(counts[OPERATIONS], total)
            time.sleep(max(_PAUSE_S, (time.monotonic() - begin) / 2))
        if any(counts.values()):
            with database.write() as connection:
                rows = PRUNED.read_count(connection, journal.keys)
                data = {"before": format_micros(before), **counts, "rows": rows}
                append_event(connection, journal.keys, EventKind.JOURNAL_PRUNED, "journal", data)
            _drop_events(journal, before)  # after that event, so that the newest one always stays
    log.info("pruned: %(operations)d operations, %(payments)d payments, %(sales)d sales", counts)
    return PruneSummary(before=before, kept=count_old_operations(database, before), **counts)


_REMOVE: Final = {PAYMENTS: remove_payments, SALES: remove_sales, OPERATIONS: remove_operations}


@allow_long_statements()
def plan_prune(journal: Journal, before: datetime) -> PruneSummary:
    """Return what `prune` would remove. Nothing is changed."""
    with journal.database.read() as connection:
        scope = Scope.read(connection, at=now(), before=before)
        counts = {
            "operations": _count(connection, operations, removable_operations(scope, with_order=True)),
            "payments": _count(connection, payments, removable_payments(scope)) if scope.has_payments else 0,
            "sales": _count(connection, sales, removable_sales(scope)) if scope.has_sales else 0,
        }
    return PruneSummary(
        before=before, kept=count_old_operations(journal.database, before) - counts["operations"], **counts
    )


def _drop_events(journal: Journal, before: datetime) -> None:
    """Delete the oldest events, as far as they are erased."""
    text = format_micros(before)
    with journal.database.read() as connection:
        chain_ids = list_chains(connection)
    for chain_id in chain_ids:
        dropped = EVENT_BATCH
        while dropped == EVENT_BATCH:
            with journal.database.write() as connection:
                dropped = drop_chain_start(connection, journal.keys, chain_id, text, limit=EVENT_BATCH)
            time.sleep(_PAUSE_S)


def count_old_operations(database: Database, before: datetime) -> int:
    """Return how many operations changed last before a moment."""
    old = (operations.c.id < first_id_at(before), operations.c.updated_at < format_micros(before))
    with database.read() as connection:
        return _count(connection, operations, old)


@contextmanager
def hold_upkeep_lock(database: Database) -> Iterator[None]:
    """Keep other processes from removing rows of the journal at the same time.

    Raises:
        OperationInProgress: if one does.
    """
    with ExitStack() as stack:
        try:
            stack.enter_context(database.locks.hold("upkeep", wait_s=0))
        except OperationInProgress:
            raise OperationInProgress("another process removes old rows from the journal; try again later") from None
        yield


def _count(connection: Connection, table: sa.Table, conditions: Any) -> int:
    return int(connection.scalar(sa.select(sa.func.count()).select_from(table).where(*conditions)) or 0)


def _note_pruned_before(database: Database, before: datetime) -> None:
    """Write from which moment on nothing was pruned, before any operation is removed."""
    text = format_micros(before)
    with database.write() as connection:
        known = connection.scalar(sa.select(facts.c.value).where(facts.c.name == PRUNED_BEFORE))
        if known is None:
            connection.execute(sa.insert(facts), {"name": PRUNED_BEFORE, "value": text})
        elif known < text:
            connection.execute(sa.update(facts).where(facts.c.name == PRUNED_BEFORE).values(value=text))
