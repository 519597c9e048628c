"""Looks at the source before a run: one list finds the vouchers that have changed since the plan, before any is frozen.

A list takes one request for each page of vouchers. Such a voucher would not be moved, and a vendor may count its
validity from the beginning when it was frozen and is activated again (JTL). Each voucher is also read just before it is
frozen, because it may change after this look.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Final

import sqlalchemy as sa

from voucher_gateway.errors import MalformedResponse, NotExecuted, RateLimited, VoucherNotFound
from voucher_gateway.instants import format_micros, now
from voucher_gateway.listing.digest_set import DigestSet
from voucher_gateway.listing.page import key_digest
from voucher_gateway.migration.plan.model import PlannedVoucher
from voucher_gateway.migration.plan.scan import IdSet
from voucher_gateway.migration.run.context import MigrationContext
from voucher_gateway.migration.run.rows import MoveResult, VoucherRow
from voucher_gateway.migration.run.source_check import SourceChanged, SourceCheck
from voucher_gateway.migration.run.state import MigrationState
from voucher_gateway.migration.schema import RowState, vouchers
from voucher_gateway.models.requests import VoucherQuery
from voucher_gateway.models.voucher import Voucher
from voucher_gateway.request_hooks import use_rate_limiter

_PAUSES_S: Final = (0.2, 1.0, 4.0)
_LONGEST_PAUSE_S: Final = 300.0
_MOST_REFUSALS: Final = 20
"""The list ends in an error after this many refusals because of too many requests."""


def exclude_changed_vouchers(
    context: MigrationContext, state: MigrationState, *, limit: int | None = None
) -> Iterator[MoveResult]:
    """Find the vouchers that have changed since the plan, write that they are not moved, and yield their results.

    Only vouchers that no run has claimed are looked at: a claimed one may have been frozen by the plan itself. A
    voucher that the list shows in another way is read before it counts as changed.

    Args:
        context: what all moves of the plan share.
        state: the state of the plan.
        limit: the largest number of vouchers that the run moves; None for all that are left. If a list would take more
            requests than these vouchers, nothing is looked at: each of them is read before it is frozen anyway.

    Raises:
        VoucherGatewayError: if the source cannot be listed.
    """
    if not context.freezes_source or not _is_list_shorter(context, state, limit):
        return
    # A voucher that another plan has frozen looks changed. Its claim is refused, and names that plan.
    moves = context.journal.moves_of_other_plans(context.source, context.plan_id)
    moved = IdSet(move.voucher_id for move in moves)
    unclaimed = (row.planned for row in _rows_without_claim(state) if row.planned.source_id not in moved)
    with closing(_KnownVouchers(unclaimed)) as known:
        if not known:
            return
        with use_rate_limiter(context.rates().wait):
            suspects = DigestSet(key_digest(listed.id) for listed in _iterate_source(context) if known.differs(listed))
    if not len(suspects):
        return
    rows = (row for row in _rows_without_claim(state) if key_digest(row.planned.source_id) in suspects)
    check = SourceCheck(context)

    def read_again(row: VoucherRow) -> MoveResult | None:
        try:
            voucher = context.retry_while_safe(context.gateway.get, context.source, row.planned.source_id)
            check.require_unchanged(voucher, row.planned)
        except SourceChanged as change:
            return MoveResult(row=row, state=RowState.CHANGED, reason=str(change))
        except (VoucherNotFound, MalformedResponse):
            return None  # its move says why it cannot be moved
        return None

    for result in context.ordered_map(read_again, rows):
        if result is not None and _write_changed(state, result):
            yield result


class _KnownVouchers:
    """What the plan knows of some vouchers, in a temporary file: hashes of a million would take 120 MB."""

    def __init__(self, planned: Iterator[PlannedVoucher]) -> None:
        # Without a name SQLite creates a temporary file that no other process sees.
        self._connection = sqlite3.connect("")
        self._connection.execute("CREATE TABLE known (id TEXT, remaining TEXT, status TEXT, valid_until TEXT)")
        rows = ((voucher.source_id, *_fields_of(voucher)) for voucher in planned)
        self._connection.executemany("INSERT INTO known VALUES (?, ?, ?, ?)", rows)
        self._connection.execute("CREATE INDEX by_id ON known (id)")

    def close(self) -> None:
        """Delete everything."""
        self._connection.close()

    def __bool__(self) -> bool:
        """Return whether the plan knows any of these vouchers."""
        return self._connection.execute("SELECT 1 FROM known LIMIT 1").fetchone() is not None

    def differs(self, voucher: Voucher) -> bool:
        """Return whether a listed voucher is planned and has another value, status or end than planned.

        A field that the list does not show is not compared.
        """
        query = "SELECT remaining, status, valid_until FROM known WHERE id = ?"
        known = self._connection.execute(query, (voucher.id,)).fetchone()
        fields = _fields_of(voucher)
        return known is not None and any(listed not in (None, text) for listed, text in zip(fields, known, strict=True))


def _fields_of(voucher: PlannedVoucher | Voucher) -> tuple[str | None, str | None, str | None]:
    remaining, status, until = voucher.remaining, voucher.status, voucher.valid_until
    return (
        None if remaining is None else str(remaining),
        None if status is None else str(status),
        None if until is None else str(until),
    )


def _iterate_source(context: MigrationContext) -> Iterator[Voucher]:
    """Yield the vouchers of the source. After an error that a repeat may mend, the list is continued."""
    resume: str | None = None
    failures = refusals = 0
    while True:
        with context.gateway.vouchers(context.source, VoucherQuery(resume=resume)) as listing:
            try:
                yield from listing
                return
            except RateLimited as error:
                refusals += 1
                wait_s = min(error.retry_after or _PAUSES_S[-1], _LONGEST_PAUSE_S)
                if refusals > _MOST_REFUSALS or context.stop.wait(wait_s):
                    raise
            except NotExecuted:
                failures += 1
                if failures > len(_PAUSES_S) or context.stop.wait(_PAUSES_S[failures - 1]):
                    raise
            resume = listing.resume_token


def _is_list_shorter(context: MigrationContext, state: MigrationState, limit: int | None) -> bool:
    """Return whether a list of the source takes at most as many requests as vouchers are to be moved."""
    counts = state.counts_by_state()
    left = counts[RowState.PLANNED]
    to_move = left if limit is None else min(limit, left)
    return to_move * context.source_can.listing.page_size >= sum(counts.values()) and to_move > 0


def _rows_without_claim(state: MigrationState) -> Iterator[VoucherRow]:
    return (row for row in state.rows(RowState.PLANNED) if row.attempts == 0)


def _write_changed(state: MigrationState, result: MoveResult) -> bool:
    """Write that a voucher has changed, unless another process has claimed it. Return whether it was written."""
    unclaimed = (
        vouchers.c.plan_id == state.plan_id,
        vouchers.c.number == result.row.number,
        vouchers.c.state == RowState.PLANNED.value,
        vouchers.c.attempts == 0,
    )
    with state.database.write() as connection:
        written = connection.execute(
            sa.update(vouchers)
            .where(*unclaimed)
            .values(state=result.state.value, reason=result.reason, updated_at=format_micros(now()))
        )
    return bool(written.rowcount)
