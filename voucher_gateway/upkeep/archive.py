"""Writes what is over and old into a file, before it is removed from the journal.

An archive is a file of JSON Lines, compressed by gzip: a header, one line for the payments of each order, for each sale
and for each operation with its requests, its reservation and its events, and an end with the counts, the SHA-256 of all
lines before and a seal by the journal's key. It has no code and no PIN. The file appears under its name complete or not
at all.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import attrs
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from voucher_gateway.atomic_file import AtomicFile
from voucher_gateway.errors import InvalidRequest
from voucher_gateway.instants import format_micros, now
from voucher_gateway.journal.journal import Journal
from voucher_gateway.journal.keys.keys import JournalKeys
from voucher_gateway.journal.schema import events, holds, operations, requests
from voucher_gateway.payments.rows.schema import legs, payments, refund_parts
from voucher_gateway.payments.rows.schema import refunds as payment_refunds
from voucher_gateway.sales.schema import sales
from voucher_gateway.storage.waits import allow_long_statements
from voucher_gateway.upkeep.batches import OPERATIONS, PAYMENTS, SALES, Known, iterate_batches

FORMAT: Final = "voucher-gateway journal archive, 1"
"""What the header of an archive says."""

_SEALED: Final = frozenset({"sealed_code", "sealed_pin", "seal_key_id"})
"""Columns that are not written: encrypted codes and PINs."""
_EVENT_COLUMNS: Final = (events.c.subject, events.c.at, events.c.kind, events.c.data)


@attrs.frozen(kw_only=True)
class ArchiveSummary:
    """What an archive holds.

    Attributes:
        file: its path.
        before: what changed last before this moment was old.
        operations: how many operations.
        payments: how many payments of orders.
        sales: how many sales.
    """

    file: Path
    before: datetime
    operations: int
    payments: int
    sales: int


@allow_long_statements()
def write_archive(
    journal: Journal, file: Path, before: datetime, *, on_progress: Callable[[int], None] | None = None
) -> ArchiveSummary:
    """Write what is over and changed last before a moment into a new file (mode 0600). Nothing is removed.

    Raises:
        InvalidRequest: if the file exists, or cannot be written.
    """
    try:
        with AtomicFile(file) as draft:
            counts = _write_lines(journal, draft, before, on_progress)
            draft.commit(replace=False)
    except FileExistsError:
        problem = f"{file} exists already"
    except OSError as error:
        problem = f"{file} cannot be written: {error.strerror}"
    else:
        return ArchiveSummary(file=file, before=before, **counts)
    raise InvalidRequest(problem, field="file", rule="a new file")


def _write_lines(
    journal: Journal, draft: AtomicFile, before: datetime, on_progress: Callable[[int], None] | None
) -> dict[str, int]:
    counts = {PAYMENTS: 0, SALES: 0, OPERATIONS: 0}
    digest = hashlib.sha256()
    header = {"format": FORMAT, "made_at": format_micros(now()), "before": format_micros(before)}
    with gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=draft.file, mtime=0) as compressed:
        _write_line(compressed, digest, header)
        for kind, known in iterate_batches(journal.database, before, with_order=True):
            with journal.database.read() as connection:
                for line in _LINES[kind](connection, known):
                    _write_line(compressed, digest, {"kind": kind, **line})
                    counts[kind] += len(line["payments"]) if kind == PAYMENTS else 1
            if on_progress is not None:
                on_progress(counts[OPERATIONS])
        end = {"kind": "end", "counts": counts, "sha256": digest.hexdigest(), **_seal(journal.keys, digest.hexdigest())}
        _write_line(compressed, digest, end)
    return counts


def _write_line(compressed: gzip.GzipFile, digest: Any, line: Mapping[str, Any]) -> None:
    text = (json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n").encode()
    digest.update(text)
    compressed.write(text)


def _seal(keys: JournalKeys, digest: str) -> dict[str, str]:
    return {"key_id": keys.newest, "seal": keys.keyed_digest("archive", digest, key_id=keys.newest)}


def _operation_lines(connection: Connection, known: Known) -> Iterator[dict[str, Any]]:
    ids = list(known)
    requests_by_id = _group(connection, sa.select(requests).where(requests.c.operation_id.in_(ids)), "operation_id")
    holds_by_id = _group(connection, sa.select(holds).where(holds.c.operation_id.in_(ids)), "operation_id")
    events_by_id = _events_of(connection, ids)
    for row in _rows(connection, sa.select(operations).where(operations.c.id.in_(ids)).order_by(operations.c.id)):
        yield {
            "operation": row,
            "requests": requests_by_id.get(row["id"], []),
            "holds": holds_by_id.get(row["id"], []),
            "events": events_by_id.get(row["id"], []),
        }


def _payment_lines(connection: Connection, known: Known) -> Iterator[dict[str, Any]]:
    """Yield a line for each order of which the first payment is among the known ones."""
    orders = sa.select(payments.c.order_number).where(payments.c.id.in_(list(known)))
    of_orders = sa.select(payments).where(payments.c.order_number.in_(orders)).order_by(payments.c.id)
    by_order = _group(connection, of_orders, "order_number")
    whole = [rows for rows in by_order.values() if rows[0]["id"] in known]
    ids = [row["id"] for rows in whole for row in rows]
    tables = {"legs": legs, "refunds": payment_refunds, "refund_parts": refund_parts}
    parts = {
        name: _group(connection, sa.select(table).where(table.c.payment_id.in_(ids)), "payment_id")
        for name, table in tables.items()
    }
    events_by_id = _events_of(connection, ids)
    for rows in whole:
        yield {
            "payments": [
                {
                    "payment": row,
                    **{name: grouped.get(row["id"], []) for name, grouped in parts.items()},
                    "events": events_by_id.get(row["id"], []),
                }
                for row in rows
            ]
        }


def _sale_lines(connection: Connection, known: Known) -> Iterator[dict[str, Any]]:
    ids = list(known)
    events_by_id = _events_of(connection, ids)
    for row in _rows(connection, sa.select(sales).where(sales.c.id.in_(ids)).order_by(sales.c.id)):
        yield {"sale": row, "events": events_by_id.get(row["id"], [])}


_LINES: Final[Mapping[str, Callable[[Connection, Known], Iterator[dict[str, Any]]]]] = {
    PAYMENTS: _payment_lines,
    SALES: _sale_lines,
    OPERATIONS: _operation_lines,
}


def _rows(connection: Connection, query: sa.Select[Any]) -> Iterator[dict[str, Any]]:
    for row in connection.execute(query).mappings():
        yield {str(name): value for name, value in row.items() if name not in _SEALED}


def _group(connection: Connection, query: sa.Select[Any], column: str) -> dict[str, list[dict[str, Any]]]:
    grouped: dict[str, list[dict[str, Any]]] = {}
    for row in _rows(connection, query):
        grouped.setdefault(row[column], []).append(row)
    return grouped


def _events_of(connection: Connection, subjects: Iterable[str]) -> dict[str, list[dict[str, Any]]]:
    query = sa.select(*_EVENT_COLUMNS).where(events.c.subject.in_(list(subjects))).order_by(events.c.id)
    return _group(connection, query, "subject")
