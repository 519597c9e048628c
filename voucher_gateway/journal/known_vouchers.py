"""Which voucher a code stood for in earlier operations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from voucher_gateway.journal.records import OperationRecord, OperationState
from voucher_gateway.journal.schema import holds, operations
from voucher_gateway.masking import Code
from voucher_gateway.outcome import Intent

if TYPE_CHECKING:
    from voucher_gateway.journal.journal import Journal

_LATEST: Final = (
    sa.select(operations.c.id, operations.c.voucher_id)
    .where(
        operations.c.provider == sa.bindparam("provider"),
        operations.c.host == sa.bindparam("host"),
        operations.c.fingerprint == sa.bindparam("mark"),
        operations.c.login.is_not_distinct_from(sa.bindparam("login")),
        operations.c.state == OperationState.SUCCEEDED.value,
        operations.c.voucher_id.is_not(None),
    )
    .order_by(operations.c.id.desc())
    .limit(1)
)


def known_voucher(journal: Journal, *, provider: str, host: str, login: str | None, code: Code) -> str | None:
    """Return the id of the voucher that the last operation on this code moved; None if there was none."""
    marks = journal.keys.fingerprints(code, provider=provider, host=host)
    named = {"provider": provider, "host": host, "login": login}
    with journal.database.read() as connection:
        rows = [connection.execute(_LATEST, {**named, "mark": mark}).mappings().first() for mark in marks]
    latest = max((row for row in rows if row is not None), key=lambda row: str(row["id"]), default=None)
    return None if latest is None else str(latest["voucher_id"])


def code_fingerprints(journal: Journal, entry: OperationRecord, intent: Intent) -> frozenset[str]:
    """Return the fingerprint of the code that an operation was about: its own, or its reservation's."""
    if entry.target.fingerprint is not None:
        return frozenset((entry.target.fingerprint,))
    if intent.subject is None:
        return frozenset()
    query = sa.select(holds.c.fingerprint).where(
        holds.c.host == entry.target.host, holds.c.reservation_id == intent.subject
    )
    with journal.database.read() as connection:
        return frozenset(connection.scalars(query))
