"""What an audit of a journal found."""

from __future__ import annotations

import enum
from datetime import datetime
from typing import Final

import attrs

MAX_DIFFERENCES: Final = 1000
"""How many differences a report names. More are only counted."""


class RowChange(enum.StrEnum):
    """What is wrong with a row.

    Attributes:
        CHANGED: it is not as the library wrote it.
        REMOVED: the library wrote it, and it is not there.
        INSERTED: the library did not write it.
    """

    CHANGED = "changed"
    REMOVED = "removed"
    INSERTED = "inserted"


@attrs.frozen(kw_only=True)
class AuditDifference:
    """A row that is not as the library wrote it.

    Attributes:
        kind: what is wrong.
        table: which rows: ``operations``, ``requests``, ``payments``, ``legs``, ``refunds``, ``refund parts``,
            ``sales``, ``events``, ``chains``, ``holds`` (reservations), ``moved`` (where vouchers went), ``accounts``
            (their names), ``pauses``, ``cursors`` (places of feeds), ``adopted`` (movements that were imported after a
            restore), ``references`` (vendors that change references), ``facts`` (when the journal was restored and
            pruned) or ``pruned`` (what is left of removed rows).
        id: the id of the operation, the payment or the sale, the number of the event or the chain, or what names
            another row; ``count`` for the number of the rows of a table.
        reference: the reference, the order or the name by which the shop knows it; None if it is not known.
        explanation: a sentence.
    """

    kind: RowChange
    table: str
    id: str
    reference: str | None
    explanation: str


@attrs.frozen(kw_only=True)
class AuditReport:
    """The result of an audit.

    Attributes:
        differences: the rows that are not as the library wrote them, at most `MAX_DIFFERENCES`.
        difference_count: how many they are.
        restored_at: when the journal was restored from a backup, the oldest first. What was written between the backup
            and that moment is not in it.
        events: how many events were verified.
        chains: how many chains they are in.
        operations: how many operations were compared with their events.
        payments: how many payments.
        sales: how many sales.
        anchors: how many anchors were compared.
    """

    differences: tuple[AuditDifference, ...]
    difference_count: int
    restored_at: tuple[datetime, ...]
    events: int
    chains: int
    operations: int
    payments: int
    sales: int
    anchors: int

    @property
    def is_clean(self) -> bool:
        """Whether no row differs."""
        return self.difference_count == 0


class DifferenceLog:
    """Collects differences.

    Attributes:
        differences: the first ones.
        count: how many there were.
    """

    def __init__(self) -> None:
        self.differences: list[AuditDifference] = []
        self.count = 0

    def add(
        self, kind: RowChange, table: str, row_id: object, explanation: str, *, reference: str | None = None
    ) -> None:
        """Note a difference."""
        self.count += 1
        if len(self.differences) < MAX_DIFFERENCES:
            self.differences.append(
                AuditDifference(kind=kind, table=table, id=str(row_id), reference=reference, explanation=explanation)
            )
