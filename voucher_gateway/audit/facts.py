"""Compares facts of the journal with the events that tell of them: when it was restored, and what was pruned."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import attrs
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from voucher_gateway.audit.report import DifferenceLog, RowChange
from voucher_gateway.journal.keys.keys import JournalKeys
from voucher_gateway.journal.keys.row_seals import PRUNED
from voucher_gateway.journal.pruned.pruned import PRUNED_BEFORE
from voucher_gateway.journal.restore_guard import RESTORED_AT
from voucher_gateway.journal.schema import facts


@attrs.define
class EventFacts:
    """What the events tell of facts.

    Attributes:
        restored_at: when the journal was restored the last time; None if no event tells of it.
        restored_by: the id of that event.
        pruned_before: what changed last before this moment may have been pruned; None if no event tells of it.
        pruned_rows: how many rows the prunes have left at least.
        are_complete: whether no event was removed by a prune.
    """

    restored_at: str | None = None
    restored_by: int = 0
    pruned_before: str | None = None
    pruned_rows: int = 0
    are_complete: bool = True

    def note_restored(self, event: Mapping[str, Any]) -> None:
        """Note an event of a restoration, which is as it was written."""
        if event["id"] > self.restored_by:
            self.restored_at, self.restored_by = event["at"], event["id"]

    def note_pruned(self, event: Mapping[str, Any]) -> None:
        """Note an event of a prune, which is as it was written."""
        data = json.loads(event["data"] or "{}")
        self.pruned_before = max(self.pruned_before or "", data.get("before", "")) or None
        self.pruned_rows = max(self.pruned_rows, data.get("rows", 0))


def compare_facts(connection: Connection, keys: JournalKeys, log: DifferenceLog, expected: EventFacts) -> None:
    """Compare the facts with what the events tell.

    Args:
        connection: for reading, in the snapshot of the last events.
        keys: the journal's.
        log: notes what is wrong.
        expected: what the events tell.
    """
    _compare_restored(log, expected, _read(connection, RESTORED_AT))
    before = _read(connection, PRUNED_BEFORE)
    # A prune that was killed has written the moment, and no event.
    if expected.pruned_before is not None and (before is None or before < expected.pruned_before):
        kind = RowChange.REMOVED if before is None else RowChange.CHANGED
        sentence = (
            f"the journal was pruned until {expected.pruned_before}, and its row says {before or 'nothing'!s:.32}"
        )
        log.add(kind, "facts", PRUNED_BEFORE, f"{sentence}: `reconcile` may report movements of removed operations")
    count = PRUNED.read_count(connection, keys)
    if count is not None and count < expected.pruned_rows:
        sentence = f"the journal counts {count} rows of removed references, and a prune has left {expected.pruned_rows}"
        log.add(RowChange.REMOVED, "pruned", "count", f"{sentence}: an older number was put in its place")


def _compare_restored(log: DifferenceLog, expected: EventFacts, present: str | None) -> None:
    if present == expected.restored_at or (expected.restored_at is None and not expected.are_complete):
        return
    if expected.restored_at is None:
        sentence = f"a row says that the journal was restored at {present!s:.32}, and no event tells of it"
        log.add(RowChange.INSERTED, "facts", RESTORED_AT, sentence)
        return
    kind = RowChange.REMOVED if present is None else RowChange.CHANGED
    sentence = f"the journal was restored at {expected.restored_at}, and its row says {present or 'nothing'!s:.32}"
    log.add(kind, "facts", RESTORED_AT, f"{sentence}: roll no migration back, and run `recover --after-restore` again")


def _read(connection: Connection, name: str) -> str | None:
    value = connection.scalar(sa.select(facts.c.value).where(facts.c.name == name))
    return None if value is None else str(value)
