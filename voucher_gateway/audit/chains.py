"""Verifies the chains of events: that no event was changed, removed or inserted.

The events are read in the order of their ids. Within a chain that is the order of the numbers, because a transaction
keeps its chain locked from the reading of the last number to the commit. In PostgreSQL, a transaction that began
earlier may commit later: its events are then behind the place of reading, and are fetched when the next number of their
chain is missing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import attrs
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from voucher_gateway.audit.anchors import Anchor
from voucher_gateway.audit.facts import EventFacts, compare_facts
from voucher_gateway.audit.known_keys import KnownKeys
from voucher_gateway.audit.report import DifferenceLog, RowChange
from voucher_gateway.instants import parse_instant
from voucher_gateway.journal.events.append import CHAIN_COUNT
from voucher_gateway.journal.events.digests import (
    event_digest,
    has_own_content,
    is_own_chain,
    read_count,
)
from voucher_gateway.journal.events.kinds import EventKind
from voucher_gateway.journal.journal import Journal
from voucher_gateway.journal.keys.keys import is_same_digest
from voucher_gateway.journal.schema import chains, events, facts
from voucher_gateway.storage.statements import PreparedStatement

_BATCH: Final = 1000
_NEXT: Final = PreparedStatement(
    sa.select(events).where(events.c.id > sa.bindparam("last")).order_by(events.c.id).limit(_BATCH)
)
_AFTER_ALL: Final = 2**62
_MISSED: Final = PreparedStatement(
    sa.select(events)
    .where(
        events.c.id > sa.bindparam("after"),
        events.c.id < sa.bindparam("before"),
        events.c.chain == sa.bindparam("chain"),
        events.c.number > sa.bindparam("last"),
    )
    .order_by(events.c.id)
)


@attrs.define
class _Chain:
    """How far a chain is verified.

    Attributes:
        id: its number.
        number: the number of the last event.
        digest: the digest of that one.
        event_id: the id of that one; 0 for none.
    """

    id: int
    number: int
    digest: str
    event_id: int = 0


class ChainWalk:
    """Reads all events once.

    Args:
        journal: the journal.
        log: notes what is wrong.
        anchors: the anchors to compare.

    Attributes:
        events: how many events were read.
        renamed: which name an account got after each name that it had.
        restored_at: when the journal was restored from a backup.
        event_facts: what the events tell of facts of the journal.
    """

    def __init__(self, journal: Journal, log: DifferenceLog, anchors: Sequence[Anchor]) -> None:
        self._journal = journal
        self._keys = journal.keys
        self._keys_known = KnownKeys(journal.keys)
        self._log = log
        self._anchors = anchors
        self._chains: dict[int, _Chain] = {}
        self._anchored: dict[tuple[int, int], str] = {}
        self._wanted = {(chain, length) for anchor in anchors for chain, (length, _) in anchor.heads.items()}
        self._last = 0
        self.events = 0
        self.renamed: dict[str, set[str]] = {}
        self.restored_at: list[datetime] = []
        self.event_facts = EventFacts()

    @property
    def chain_count(self) -> int:
        """How many chains there are."""
        return len(self._chains)

    def run(self, report_progress: Callable[[int], None]) -> None:
        """Verify all chains.

        Args:
            report_progress: is called with the number of events that were verified.
        """
        is_last = False
        while not is_last:
            with self._journal.database.snapshot() as connection:
                rows = _NEXT.all_rows(connection, {"last": self._last})
                self._check_batch(connection, rows)
                is_last = len(rows) < _BATCH
                if is_last:  # in the same snapshot, so that the chains are as long as the events that were read
                    self._check_ends(connection)
                    compare_facts(connection, self._keys, self._log, self.event_facts)
            report_progress(self.events)

    # --- events ---

    def _check_batch(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        for row in rows:
            self._check_event(connection, row)
            self._last = row["id"]

    def _check_event(self, connection: Connection, row: Mapping[str, Any]) -> None:
        if not isinstance(row["number"], int):  # SQLite keeps what is not a number, too
            self._note(RowChange.CHANGED, row, "its number is not one")
            return
        chain = self._chain(connection, row["chain"])
        if row["number"] > chain.number + 1:
            self._check_missed(connection, chain, row["id"])
        self.events += 1
        if row["number"] <= chain.number:
            self._note(RowChange.INSERTED, row, f"its number {row['number']} was used before")
            return
        is_whole = self._keys_known.require(connection, row["key_id"]) and has_own_content(self._keys, row)
        if row["number"] > chain.number + 1:
            self._note_gap(chain, row["number"] - 1)
        else:
            is_whole = is_whole and self._continues(chain, row)
        if not is_whole:
            self._note(RowChange.CHANGED, row, "its digest is not that of its content and of the event before it")
        chain.number, chain.digest, chain.event_id = row["number"], row["digest"], row["id"]
        if (chain.id, chain.number) in self._wanted:
            self._anchored[chain.id, chain.number] = row["digest"]
        if is_whole:
            self._collect(row)

    def _check_missed(self, connection: Connection, chain: _Chain, before: int) -> None:
        """Check the events of a chain, up to an id, that were committed after their ids were passed."""
        place = {"after": chain.event_id, "before": before, "chain": chain.id, "last": chain.number}
        for row in _MISSED.all_rows(connection, place):
            self._check_event(connection, row)

    def _chain(self, connection: Connection, chain_id: int) -> _Chain:
        chain = self._chains.get(chain_id)
        if chain is None:
            query = sa.select(chains).where(chains.c.id == chain_id)
            row = connection.execute(query).mappings().first()
            number, digest = 0, ""
            if row is not None and isinstance(row["first_number"], int):
                number, digest = row["first_number"] - 1, str(row["first_digest"])
            self.event_facts.are_complete = self.event_facts.are_complete and number == 0
            chain = self._chains[chain_id] = _Chain(chain_id, number, digest)
        return chain

    def _continues(self, chain: _Chain, row: Mapping[str, Any]) -> bool:
        expected = event_digest(self._keys, chain.digest, row, key_id=row["key_id"])
        return is_same_digest(expected, row["digest"])

    def _collect(self, row: Mapping[str, Any]) -> None:
        if row["kind"] == EventKind.JOURNAL_RESTORED:
            self.restored_at.append(parse_instant(row["at"]))
            self.event_facts.note_restored(row)
        elif row["kind"] == EventKind.JOURNAL_PRUNED:
            self.event_facts.note_pruned(row)
        elif row["kind"] == EventKind.ACCOUNT_RENAMED and row["data"] is not None:
            data = json.loads(row["data"])
            self.renamed.setdefault(data["former_name"], set()).add(data["account"])

    def _note_gap(self, chain: _Chain, last: int) -> None:
        first = chain.number + 1
        numbers = f"{first}" if first == last else f"{first} to {last}"
        self._log.add(
            RowChange.REMOVED,
            "events",
            numbers,
            f"events {numbers} of chain {chain.id} are not there any more",
        )

    def _note(self, kind: RowChange, row: Mapping[str, Any], reason: str) -> None:
        self._log.add(
            kind,
            "events",
            row["id"],
            f"event {row['id']} ({row['kind']} of {row['subject']}, {row['at']}): {reason}",
            reference=reference_of(row),
        )

    # --- the ends of the chains ---

    def _check_ends(self, connection: Connection) -> None:
        rows = [dict(row) for row in connection.execute(sa.select(chains).order_by(chains.c.id)).mappings()]
        for row in rows:
            chain = self._chain(connection, row["id"])
            is_known = self._keys_known.require(connection, row["key_id"])
            if is_known and is_own_chain(self._keys, row):
                if chain.number < row["length"]:
                    self._check_missed(connection, chain, _AFTER_ALL)
                self._check_end(chain, row)
            else:
                sentence = f"the row of chain {row['id']} is not as it was written"
                self._log.add(RowChange.CHANGED, "chains", row["id"], sentence)
        self._check_count(connection, {row["id"] for row in rows})
        for anchor in self._anchors:
            self._compare_anchor(anchor, {row["id"]: row for row in rows})

    def _check_end(self, chain: _Chain, row: Mapping[str, Any]) -> None:
        if chain.number < row["length"]:
            self._note_gap(chain, row["length"])
        elif chain.number > row["length"]:
            self._log.add(
                RowChange.INSERTED,
                "events",
                chain.event_id,
                f"chain {row['id']} ends with event {row['length']}, and goes on to {chain.number}",
            )
        elif not is_same_digest(row["head"], chain.digest):
            self._log.add(
                RowChange.CHANGED,
                "events",
                chain.event_id,
                f"the last event of chain {row['id']} is another one than was written",
            )

    def _check_count(self, connection: Connection, present: set[int]) -> None:
        value = connection.scalar(sa.select(facts.c.value).where(facts.c.name == CHAIN_COUNT))
        count = 0 if value is None else read_count(self._keys, value)
        known = present | self._chains.keys()
        if count is None or (value is None and known):
            self._log.add(RowChange.CHANGED, "chains", "count", "the number of chains is not as it was written")
            count = max(known, default=0)
        for chain_id in sorted({*range(1, count + 1), *known} - present):
            self._log.add(RowChange.REMOVED, "chains", chain_id, f"chain {chain_id} is not there any more")
        for chain_id in sorted(number for number in present if number > count):
            self._log.add(RowChange.INSERTED, "chains", chain_id, f"chain {chain_id} is more than was written")

    # --- anchors ---

    def _compare_anchor(self, anchor: Anchor, present: Mapping[int, Mapping[str, Any]]) -> None:
        if any(moment > anchor.at for moment in self.restored_at):
            return  # the report names the restoration; what was written before it may be lost
        for chain_id, (length, head) in sorted(anchor.heads.items()):
            row = present.get(chain_id)
            place = f"chain {chain_id}, which the anchor of {anchor.at:%Y-%m-%d %H:%M} shows with {length} events,"
            if row is None or not isinstance(row["length"], int) or row["length"] < length:
                left = "is not there" if row is None else f"has only {row['length']}"
                self._log.add(RowChange.REMOVED, "events", chain_id, f"{place} {left}: the journal was rolled back")
            elif _begins_before(row, length) and self._anchored.get((chain_id, length)) != head:
                self._log.add(RowChange.CHANGED, "events", chain_id, f"{place} has another event there")


def reference_of(event: Mapping[str, Any]) -> str | None:
    """Return by what the shop knows the subject of an event: the reference, or else the order."""
    try:
        data = json.loads(event["data"] or "{}")
    except ValueError:
        return None
    reference = data.get("reference") if isinstance(data, dict) else None
    return reference if isinstance(reference, str) else event["order_number"]


def _begins_before(chain: Mapping[str, Any], length: int) -> bool:
    """Whether the event of that number was not removed by a prune."""
    first = chain["first_number"]
    return isinstance(first, int) and first <= length
