"""Compares the rows of operations, payments and sales with their events, batch by batch in the order of their ids."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, Protocol

import attrs
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from voucher_gateway.audit.chains import reference_of
from voucher_gateway.audit.report import DifferenceLog, RowChange
from voucher_gateway.journal.events.digests import has_own_content
from voucher_gateway.journal.journal import Journal
from voucher_gateway.journal.schema import events
from voucher_gateway.storage.statements import PreparedStatement

_SUBJECTS: Final = 500
"""How many subjects with a row are compared at a time."""
_EVENTS: Final = 2000
"""How many events are read at a time, at about."""

Rows = Sequence[Mapping[str, Any]]


class Comparison(Protocol):
    """Compares one kind of subject with its events.

    Attributes:
        table: what the report calls the rows.
        key: the column that is the subject of the events.
        prefix: what the kinds of its events begin with.
        removal: what a removed row leads to, and what to do.
        parts: the column of each other table that names the subject, by what the report calls the rows.
    """

    table: str
    key: sa.Column[Any]
    prefix: str
    removal: str
    parts: Mapping[str, sa.Column[Any]]

    def compare(self, row: Mapping[str, Any], parts: Mapping[str, Rows], own_events: Rows) -> Iterator[tuple[str, str]]:
        """Yield what is not as the events tell: the name of the table, and a sentence.

        Args:
            row: the subject's own.
            parts: its rows in the other tables.
            own_events: its events that are not erased, the oldest first; at least one.
        """
        ...

    def name(self, row: Mapping[str, Any]) -> str:
        """Return by what the shop knows a subject."""
        ...


@attrs.frozen
class _Range:
    """The ids of one batch: after `low`, up to and with `high`; None for the end."""

    low: str
    high: str | None


class SubjectWalk:
    """Reads all subjects of one kind, and all of their events.

    Args:
        journal: the journal.
        log: notes what is wrong.
        comparison: the kind.

    Attributes:
        count: how many subjects with a row were compared.
    """

    def __init__(self, journal: Journal, log: DifferenceLog, comparison: Comparison) -> None:
        self._database = journal.database
        self._keys = journal.keys
        self._log = log
        self._comparison = comparison
        self.count = 0
        key = comparison.key
        kinds = events.c.kind.startswith(comparison.prefix)
        low: sa.BindParameter[str] = sa.bindparam("low")
        self._row_bound = sa.select(key).where(key > low).order_by(key).offset(_SUBJECTS - 1).limit(1)
        self._event_bound = (
            sa.select(events.c.subject)
            .where(events.c.subject > low, kinds)
            .order_by(events.c.subject)
            .offset(_EVENTS - 1)
            .limit(1)
        )
        self._rows = _RangeStatement(sa.select(key.table), key)
        self._events = _RangeStatement(sa.select(events).where(kinds), events.c.subject, events.c.id)
        self._parts = {
            name: _RangeStatement(sa.select(column.table), column, *column.table.primary_key.columns)
            for name, column in comparison.parts.items()
        }

    def run(self, report_progress: Callable[[int], None]) -> None:
        """Compare all of them.

        Args:
            report_progress: is called with the number of subjects that were compared.
        """
        place: str | None = ""
        while place is not None:
            with self._database.snapshot() as connection:
                place = self._compare_batch(connection, place)
            report_progress(self.count)

    def _compare_batch(self, connection: Connection, low: str) -> str | None:
        """Compare a batch, and return the last id of it; None if it was the last batch."""
        batch = _Range(low, self._high(connection, low))
        rows = {row[self._comparison.key.name]: row for row in self._rows.read(connection, batch)}
        events_by_subject = _group_rows(self._events.read(connection, batch), events.c.subject)
        parts = {
            name: _group_rows(statement.read(connection, batch), self._comparison.parts[name])
            for name, statement in self._parts.items()
        }
        for subject, row in rows.items():
            own = {name: groups.get(subject, ()) for name, groups in parts.items()}
            self._compare(subject, row, own, events_by_subject.get(subject, ()))
        for subject in events_by_subject.keys() - rows.keys():
            self._check_removed(subject, events_by_subject[subject])
        for name, groups in parts.items():
            for subject in sorted(groups.keys() - rows.keys() - events_by_subject.keys()):
                sentence = f"{len(groups[subject])} of {name} belong to nothing that the journal knows"
                self._log.add(RowChange.INSERTED, name, subject, sentence)
        self.count += len(rows)
        return batch.high

    def _high(self, connection: Connection, low: str) -> str | None:
        """Return the last id of the next batch, by the order of the database."""
        bounds: list[str | None] = [
            connection.scalar(query, {"low": low}) for query in (self._row_bound, self._event_bound)
        ]
        known = [bound for bound in bounds if bound is not None]
        if len(known) < 2:
            return known[0] if known else None
        first, second = known
        is_first = connection.scalar(sa.select(sa.literal(first) < sa.literal(second)))
        return first if is_first else second

    def _compare(self, subject: str, row: Mapping[str, Any], parts: Mapping[str, Rows], own_events: Rows) -> None:
        comparison = self._comparison
        reference = comparison.name(row)
        if not all(self._is_whole(event) for event in own_events):
            return  # the chain of these events is reported
        present = [event for event in own_events if event["erased"] is None]
        if not present:
            reason = "no event tells of it" if not own_events else "it was removed by a prune, and is there again"
            sentence = f"{_label(comparison, subject)}: {reason}"
            self._log.add(RowChange.INSERTED, comparison.table, subject, sentence, reference=reference)
            return
        for table, reason in comparison.compare(row, parts, present):
            sentence = f"{_label(comparison, subject)}: {reason}"
            self._log.add(RowChange.CHANGED, table, subject, sentence, reference=reference)

    def _is_whole(self, event: Mapping[str, Any]) -> bool:
        return event["key_id"] in self._keys.keys and has_own_content(self._keys, event)

    def _check_removed(self, subject: str, own_events: Rows) -> None:
        present = [event for event in own_events if event["erased"] is None]
        if present:
            label, removal = _label(self._comparison, subject), self._comparison.removal
            sentence = f"{label}: its events are there, and its row is not: {removal}"
            self._log.add(
                RowChange.REMOVED,
                self._comparison.table,
                subject,
                sentence,
                reference=reference_of(present[-1]),
            )


class _RangeStatement:
    """Reads the rows of a range of ids."""

    def __init__(self, query: sa.Select[Any], key: sa.Column[Any], *order: sa.Column[Any]) -> None:
        ordered = query.where(key > sa.bindparam("low")).order_by(
            key, *[column for column in order if column is not key]
        )
        self._rest = PreparedStatement(ordered)
        self._bounded = PreparedStatement(ordered.where(key <= sa.bindparam("high")))

    def read(self, connection: Connection, batch: _Range) -> Rows:
        """Return the rows of a range, in order."""
        if batch.high is None:
            return self._rest.all_rows(connection, {"low": batch.low})
        return self._bounded.all_rows(connection, {"low": batch.low, "high": batch.high})


def _group_rows(rows: Rows, key: sa.Column[Any]) -> dict[str, list[Mapping[str, Any]]]:
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault(row[key.name], []).append(row)
    return groups


def _label(comparison: Comparison, subject: str) -> str:
    return f"{comparison.prefix.rstrip('.')} {subject}"
