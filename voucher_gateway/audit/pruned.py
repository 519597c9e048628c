"""Verifies what a prune left of the rows that it removed: by these, no old reference is sent again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import sqlalchemy as sa

from voucher_gateway.audit.known_keys import KnownKeys
from voucher_gateway.audit.operations import OperationComparison
from voucher_gateway.audit.report import DifferenceLog, RowChange
from voucher_gateway.journal.journal import Journal
from voucher_gateway.journal.keys.keys import is_same_digest
from voucher_gateway.journal.keys.row_seals import PRUNED
from voucher_gateway.journal.pruned.accounts import has_own_seal
from voucher_gateway.journal.pruned.pruned import seal_of
from voucher_gateway.journal.schema import pruned, pruned_accounts
from voucher_gateway.storage.statements import PreparedStatement

_BATCH: Final = 1000
_PLACE: Final = sa.tuple_(pruned.c.digest, pruned.c.account_id)
_NEXT: Final = PreparedStatement(
    sa.select(pruned, pruned_accounts.c.key_id)
    .outerjoin(pruned_accounts, pruned_accounts.c.id == pruned.c.account_id)
    .where(sa.tuple_(sa.bindparam("digest"), sa.bindparam("account_id")) < _PLACE)
    .order_by(pruned.c.digest, pruned.c.account_id)
    .limit(_BATCH)
)


def verify_pruned(journal: Journal, log: DifferenceLog, report_progress: Callable[[int], None]) -> None:
    """Verify the seals of all rows, and how many they are. The lock of the upkeep must be held.

    Args:
        journal: the journal.
        log: notes what is wrong.
        report_progress: is called with the number of rows that were verified.
    """
    known = KnownKeys(journal.keys)
    place: dict[str, object] = {"digest": "", "account_id": 0}
    count, size = 0, _BATCH
    while size == _BATCH:
        with journal.database.read() as connection:
            rows = _NEXT.all_rows(connection, place)
            known.require_of_count(connection, PRUNED)
            expected = PRUNED.read_count(connection, journal.keys)
            for row in rows:
                key_id = row["key_id"]
                is_known = key_id is not None and known.require(connection, key_id)
                seal = seal_of(journal.keys, row, key_id) if is_known else ""
                if not (is_known and is_same_digest(seal, row["seal"])):
                    sentence = f"what is left of a removed {row['verb']} of {row['month']} is not as it was written"
                    log.add(RowChange.CHANGED, "pruned", row["digest"], sentence)
        if rows:
            place = {name: rows[-1][name] for name in place}
        count, size = count + len(rows), len(rows)
        if size < _BATCH:
            _check_count(log, count, expected)
            _check_accounts(journal, log, known)
        report_progress(count)


def _check_accounts(journal: Journal, log: DifferenceLog, known: KnownKeys) -> None:
    with journal.database.read() as connection:
        for row in connection.execute(sa.select(pruned_accounts).order_by(pruned_accounts.c.id)).mappings():
            if not (known.require(connection, row["key_id"]) and has_own_seal(journal.keys, dict(row))):
                sentence = (
                    f"the account {row['account']!r:.80} under which removed references are recognised is not as it was"
                    " written"
                )
                log.add(RowChange.CHANGED, "pruned", row["id"], sentence)


def _check_count(log: DifferenceLog, count: int, expected: int | None) -> None:
    if expected is None:
        log.add(RowChange.CHANGED, "pruned", "count", "the number of these rows is not as it was written")
    elif count < expected:
        sentence = f"{expected - count} of {expected} rows that recognise removed references are not there any more"
        log.add(RowChange.REMOVED, "pruned", "count", f"{sentence}: {OperationComparison.removal}")
    elif count > expected:
        log.add(RowChange.INSERTED, "pruned", "count", f"{count - expected} rows are more than were written")
