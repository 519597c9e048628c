"""Verifies that the rows of a journal are as this library wrote them.

Each event is in a chain of keyed digests, so that a changed, removed or inserted event is found without another copy.
The events of an operation, a payment or a sale carry keyed digests of its rows, so that these are found as well.
Whoever has the key can write what the library writes: keep it apart from the database.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from typing import Final

import sqlalchemy as sa

from voucher_gateway.audit.anchors import read_anchors
from voucher_gateway.audit.chains import ChainWalk
from voucher_gateway.audit.holds import verify_holds
from voucher_gateway.audit.operations import OperationComparison
from voucher_gateway.audit.payments import PaymentComparison
from voucher_gateway.audit.pruned import verify_pruned
from voucher_gateway.audit.report import AuditReport, DifferenceLog
from voucher_gateway.audit.sales import SaleComparison
from voucher_gateway.audit.sealed_rows import verify_sealed_rows
from voucher_gateway.audit.subjects import Comparison, SubjectWalk
from voucher_gateway.errors import OperationInProgress
from voucher_gateway.journal.journal import Journal
from voucher_gateway.journal.schema import chains, holds, moved, operations, pruned
from voucher_gateway.payments.rows.schema import payments
from voucher_gateway.sales.schema import sales
from voucher_gateway.storage.waits import allow_long_statements

UPKEEP_LOCK: Final = "upkeep"
"""The lock that `voucher_gateway.upkeep` holds while it removes rows."""

ProgressHook = Callable[[int, int], None]
"""Is called with how many rows were verified, and how many there are at about."""


@allow_long_statements()
def verify_journal(
    journal: Journal, *, anchors: Iterable[str] = (), on_progress: ProgressHook | None = None
) -> AuditReport:
    """Verify the whole journal. It only reads, and memory holds one batch. Other workers may go on.

    Args:
        journal: the journal.
        anchors: lines that `write_anchor` returned earlier.
        on_progress: is called after each batch.

    Raises:
        OperationInProgress: if another process removes old rows at the moment.
        InvalidRequest: if a line is not an anchor of this journal.
        ConfigurationError: if a key is not configured any more that events were written with.
    """
    log = DifferenceLog()
    walk = ChainWalk(journal, log, known_anchors := read_anchors(journal.keys, anchors))
    with ExitStack() as stack:
        try:
            stack.enter_context(journal.database.locks.hold(UPKEEP_LOCK, wait_s=0))
        except OperationInProgress:
            raise OperationInProgress("another process removes old rows from the journal; try again later") from None
        progress = _Progress(_count_rows(journal), on_progress)
        walk.run(progress.report)
        counts: dict[str, int] = {}
        for comparison in _comparisons(journal, walk):
            progress.begin_part()
            subjects = SubjectWalk(journal, log, comparison)
            subjects.run(progress.report)
            counts[comparison.table] = subjects.count
        progress.begin_part()
        verify_holds(journal, log, progress.report)
        progress.begin_part()
        verify_sealed_rows(journal, log, progress.report)
        progress.begin_part()
        verify_pruned(journal, log, progress.report)
    return AuditReport(
        differences=tuple(log.differences),
        difference_count=log.count,
        restored_at=tuple(sorted(walk.restored_at)),
        events=walk.events,
        chains=walk.chain_count,
        operations=counts.get("operations", 0),
        payments=counts.get("payments", 0),
        sales=counts.get("sales", 0),
        anchors=len(known_anchors),
    )


def _comparisons(journal: Journal, walk: ChainWalk) -> list[Comparison]:
    comparisons: list[Comparison] = [OperationComparison(journal.keys, walk.renamed)]
    with journal.database.read() as connection:
        tables = set(sa.inspect(connection).get_table_names())
    if payments.name in tables:
        comparisons.append(PaymentComparison(journal.keys, walk.renamed))
    if sales.name in tables:
        comparisons.append(SaleComparison(journal.keys, walk.renamed))
    return comparisons


def _count_rows(journal: Journal) -> int:
    """Return how many rows there are in the tables that may be large."""
    length = chains.c.length - chains.c.first_number + 1
    with journal.database.read() as connection:
        count = connection.scalar(sa.select(sa.func.coalesce(sa.func.sum(length), 0))) or 0
        for table in (operations, holds, moved, pruned):
            count += connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0
    return int(count)


class _Progress:
    """Adds up the parts of an audit."""

    def __init__(self, total: int, hook: ProgressHook | None) -> None:
        self._total = total
        self._hook = hook
        self._before = 0
        self._present = 0

    def begin_part(self) -> None:
        """Say that the next counts begin at zero."""
        self._before, self._present = self._before + self._present, 0

    def report(self, count: int) -> None:
        """Report how many rows of this part are done."""
        self._present = count
        done = self._before + count
        if self._hook is not None:
            self._hook(done, max(done, self._total))
