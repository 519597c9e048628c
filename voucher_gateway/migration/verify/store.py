"""A temporary database that joins a plan with the vouchers of both sides."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from typing import Any, Final, Literal

import attrs

from voucher_gateway.instants import format_micros
from voucher_gateway.iteration import batched
from voucher_gateway.migration.plan.model import PlannedVoucher
from voucher_gateway.migration.run.rows import read_planned, value_of, write_planned
from voucher_gateway.money import Money

_BATCH: Final = 1000

_TABLES: Final = """
CREATE TABLE planned (number INTEGER PRIMARY KEY, source_id TEXT UNIQUE, fingerprint TEXT, target_id TEXT,
    currency TEXT, minor INTEGER, json TEXT);
CREATE INDEX by_fingerprint ON planned (fingerprint);
CREATE INDEX by_target ON planned (target_id);
CREATE TABLE target (id TEXT PRIMARY KEY, fingerprint TEXT, currency TEXT, initial INTEGER, remaining INTEGER,
    ends TEXT, status TEXT, used INTEGER);
CREATE INDEX by_code ON target (fingerprint);
CREATE TABLE source (id TEXT PRIMARY KEY, currency TEXT, remaining INTEGER, ends TEXT, status TEXT);
CREATE TABLE joined (number INTEGER, id TEXT, PRIMARY KEY (number, id));
"""


@attrs.frozen(kw_only=True)
class ListedVoucher:
    """A voucher as it was read from one side.

    Attributes:
        id: its id at the vendor.
        initial: its initial value; None if the vendor does not show it.
        remaining: its remaining value.
        ends: the end of its validity, as sortable text.
        status: its status; None if the vendor has none.
    """

    id: str
    initial: Money | None = None
    remaining: Money | None = None
    ends: str | None = None
    status: str | None = None


class VerificationStore:
    """A temporary database. It has no codes, and is deleted when it is closed or the process ends."""

    def __init__(self) -> None:
        # Without a name SQLite creates a temporary file that no other process sees.
        self._connection = sqlite3.connect("")
        self._connection.executescript(_TABLES)
        self.key_id: str | None = None
        """The key of the plan's fingerprints."""

    def close(self) -> None:
        """Delete everything."""
        self._connection.close()

    def plan(self, planned: Iterable[PlannedVoucher]) -> None:
        """Store the planned vouchers."""

        def row(voucher: PlannedVoucher) -> tuple[Any, ...]:
            self.key_id = self.key_id or voucher.key_id
            return (
                voucher.number,
                voucher.source_id,
                None if voucher.destination is not None and voucher.destination.new_code else voucher.fingerprint,
                value_of(voucher).currency,
                value_of(voucher).minor,
                write_planned(voucher),
            )

        rows = map(row, planned)
        self._insert(
            "INSERT INTO planned (number, source_id, fingerprint, currency, minor, json) VALUES (?, ?, ?, ?, ?, ?)",
            rows,
        )

    def add_issued_ids(self, issued: Iterable[tuple[int, str]]) -> None:
        """Store the ids of issued vouchers at the target: pairs of number and id; the last pair of a number counts."""
        rows = ((target_id, number) for number, target_id in issued)
        self._insert("UPDATE planned SET target_id = ? WHERE number = ?", rows)

    def target(self, rows: Iterable[tuple[ListedVoucher, str | None]]) -> None:
        """Store the vouchers of the target, each with the fingerprint of its code if that could be read."""
        self._insert(
            "INSERT OR REPLACE INTO target (id, fingerprint, currency, initial, remaining, ends, status)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                (row.id, mark, _currency(row), _minor(row.initial), _minor(row.remaining), row.ends, row.status)
                for row, mark in rows
            ),
        )

    def source(self, rows: Iterable[ListedVoucher]) -> None:
        """Store the vouchers of the source that are planned."""
        self._insert(
            "INSERT OR REPLACE INTO source (id, currency, remaining, ends, status)"
            " SELECT ?, ?, ?, ?, ? WHERE EXISTS (SELECT 1 FROM planned WHERE source_id = ?)",
            ((row.id, _currency(row), _minor(row.remaining), row.ends, row.status, row.id) for row in rows),
        )

    def not_at_source(self) -> list[str]:
        """Return the source ids of the planned vouchers that are not stored for the source yet."""
        query = "SELECT source_id FROM planned WHERE source_id NOT IN (SELECT id FROM source) ORDER BY number"
        return [str(row[0]) for row in self._connection.execute(query)]

    def match_vouchers(self) -> None:
        """Match planned vouchers with the target: by code, and by id if one of the codes is not known."""
        self._connection.execute(
            "INSERT INTO joined SELECT planned.number, target.id FROM planned JOIN target USING (fingerprint)"
        )
        self._connection.execute(
            "INSERT INTO joined SELECT planned.number, target.id FROM planned JOIN target"
            " ON planned.target_id = target.id WHERE planned.fingerprint IS NULL OR target.fingerprint IS NULL"
        )

    def each(self) -> Iterator[tuple[PlannedVoucher, list[ListedVoucher], ListedVoucher | None]]:
        """Yield every planned voucher with its vouchers at the target and at the source."""
        for number, text, source_id in self._connection.execute(
            "SELECT number, json, source_id FROM planned ORDER BY number"
        ):
            at_target = self._connection.execute(
                "SELECT target.id, currency, initial, remaining, ends, status FROM joined JOIN target USING (id)"
                " WHERE number = ? ORDER BY target.id",
                (number,),
            )
            at_source = self._connection.execute(
                "SELECT id, currency, NULL, remaining, ends, status FROM source WHERE id = ?", (source_id,)
            ).fetchone()
            yield (
                read_planned(text),
                [_voucher_from_row(row) for row in at_target],
                None if at_source is None else _voucher_from_row(at_source),
            )

    def record_usage(self, target_id: str, issued: Money, used: Money) -> None:
        """Store the issued value of a voucher, and the value that was used since."""
        values = (issued.minor, used.minor, target_id)
        self._connection.execute("UPDATE target SET initial = ?, used = ? WHERE id = ?", values)

    def note_unspendable(self, side: Literal["source", "target"], id: str) -> None:
        """Store that a voucher cannot be spent at one side, regardless of its remaining value."""
        self._connection.execute(f"UPDATE {side} SET remaining = 0 WHERE id = ?", (id,))  # noqa: S608 - one of two

    def count_unmatched_codes(self) -> int:
        """Return how many vouchers keep their code and the target does not show it."""
        query = (
            "SELECT count(*) FROM joined JOIN planned USING (number) JOIN target ON target.id = joined.id"
            " WHERE planned.fingerprint IS NOT NULL AND target.fingerprint IS NULL"
        )
        return int(self._connection.execute(query).fetchone()[0])

    def count(self) -> int:
        """Return the number of planned vouchers."""
        return int(self._connection.execute("SELECT count(*) FROM planned").fetchone()[0])

    def totals(self) -> dict[str, dict[str, Money]]:
        """Return the sums by currency, under the names of the attributes of `Total`."""
        sums = self._connection.execute(
            "SELECT currency, sum(minor), 'before' FROM planned GROUP BY currency"
            " UNION ALL SELECT currency, sum(coalesce(initial, remaining)), 'at_target' FROM target"
            "   WHERE id IN (SELECT id FROM joined) GROUP BY currency"
            " UNION ALL SELECT currency, sum(coalesce(used, 0)), 'used' FROM target"
            "   WHERE id IN (SELECT id FROM joined) GROUP BY currency"
            " UNION ALL SELECT currency, sum(remaining), 'left' FROM target"
            "   WHERE id IN (SELECT id FROM joined) GROUP BY currency"
            " UNION ALL SELECT currency, sum(remaining), 'at_source' FROM source GROUP BY currency"
        )
        totals: dict[str, dict[str, Money]] = {}
        for currency, minor, name in sums:
            if currency is not None:
                nothing = dict.fromkeys(("before", "at_target", "used", "left", "at_source"), Money.zero(currency))
                totals.setdefault(currency, nothing)[name] = Money.from_minor(minor or 0, currency)
        return dict(sorted(totals.items()))

    def _insert(self, statement: str, rows: Iterable[tuple[Any, ...]]) -> None:
        for batch in batched(rows, _BATCH):
            self._connection.executemany(statement, batch)


def ends_text(voucher: Any) -> str | None:
    """Return the end of a voucher's validity as sortable text."""
    return None if voucher.valid_until is None else format_micros(voucher.valid_until)


def _currency(listed: ListedVoucher) -> str | None:
    money = listed.remaining or listed.initial
    return None if money is None else money.currency


def _minor(money: Money | None) -> int | None:
    return None if money is None else money.minor


def _voucher_from_row(row: tuple[Any, ...]) -> ListedVoucher:
    id, currency, initial, remaining, ends, status = row
    return ListedVoucher(
        id=id,
        initial=None if initial is None else Money.from_minor(initial, currency),
        remaining=None if remaining is None else Money.from_minor(remaining, currency),
        ends=ends,
        status=status,
    )
