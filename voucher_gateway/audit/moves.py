"""Verifies where the journal says that vouchers went: a refund of an old redemption follows that."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import sqlalchemy as sa

from voucher_gateway.audit.known_keys import KnownKeys
from voucher_gateway.audit.report import DifferenceLog, RowChange
from voucher_gateway.journal.journal import Journal
from voucher_gateway.journal.moves import has_own_seal
from voucher_gateway.journal.schema import moved
from voucher_gateway.storage.statements import PreparedStatement

_BATCH: Final = 1000
_NEXT: Final = PreparedStatement(
    sa.select(moved)
    .where(
        sa.tuple_(sa.bindparam("account"), sa.bindparam("voucher_id")) < sa.tuple_(moved.c.account, moved.c.voucher_id)
    )
    .order_by(moved.c.account, moved.c.voucher_id)
    .limit(_BATCH)
)


def verify_moves(journal: Journal, log: DifferenceLog, report_progress: Callable[[int], None]) -> None:
    """Verify the seals of all rows.

    Args:
        journal: the journal.
        log: notes what is wrong.
        report_progress: is called with the number of rows that were verified.
    """
    known = KnownKeys(journal.keys)
    place: dict[str, object] = {"account": "", "voucher_id": ""}
    count, size = 0, _BATCH
    while size == _BATCH:
        with journal.database.read() as connection:
            rows = _NEXT.all_rows(connection, place)
            for row in rows:
                if not (known.require(connection, row["key_id"]) and has_own_seal(journal.keys, row)):
                    sentence = (
                        f"where the voucher {row['voucher_id']} of {row['account']} went is not as it was written"
                    )
                    log.add(RowChange.CHANGED, "moved", row["voucher_id"], sentence)
        if rows:
            place = {name: rows[-1][name] for name in place}
        count, size = count + len(rows), len(rows)
        report_progress(count)
