"""A temporary database that joins a plan with the vouchers of both sides."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, Literal

import attrs

from voucher_gateway.instants import format_micros
from voucher_gateway.iteration import batched
from voucher_gateway.migration.plan.model import Action, PlannedVoucher
from voucher_gateway.migration.plan.voucher_text import read_voucher_text, voucher_text
from voucher_gateway.migration.run.rows import value_of
from voucher_gateway.migration.schema import RowState
from voucher_gateway.migration.verify.other_plans import OtherMove, OtherPlan
from voucher_gateway.migration.verify.part_queries import (
    PARTS_OF_STATES,
    PartRow,
    select_numbers,
    select_other_plans,
    select_parts,
    select_rows,
)
from voucher_gateway.migration.verify.parts import AT_TARGET, PartTotal, SourcePart
from voucher_gateway.money import Money

_BATCH: Final = 1000

_TABLES: Final = """
CREATE TABLE planned (number INTEGER PRIMARY KEY, source_id TEXT UNIQUE, fingerprint TEXT, target_id TEXT,
    currency TEXT, minor INTEGER, state TEXT, reason TEXT, json TEXT);
CREATE TABLE target (id TEXT PRIMARY KEY, fingerprint TEXT, currency TEXT, initial INTEGER, remaining INTEGER,
    ends TEXT, status TEXT, used INTEGER, created TEXT);
CREATE TABLE stays (number INTEGER PRIMARY KEY, source_id TEXT UNIQUE, currency TEXT, minor INTEGER, part TEXT);
CREATE TABLE source (id TEXT PRIMARY KEY, currency TEXT, remaining INTEGER, listed INTEGER, ends TEXT, status TEXT,
    added TEXT);
CREATE TABLE unreadable (account TEXT, name TEXT, reason TEXT, PRIMARY KEY (account, name));
CREATE TABLE joined (number INTEGER, id TEXT, PRIMARY KEY (number, id));
CREATE TABLE unrecorded (id TEXT PRIMARY KEY, currency TEXT, minor INTEGER);
CREATE INDEX by_value ON unrecorded (currency, minor);
CREATE TABLE other_moves (source_id TEXT PRIMARY KEY, plan_id TEXT, to_account TEXT, to_id TEXT);
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
        created: when it was created, as sortable text; None if the vendor does not show it.
    """

    id: str
    initial: Money | None = None
    remaining: Money | None = None
    ends: str | None = None
    status: str | None = None
    created: str | None = None


@attrs.frozen(kw_only=True)
class UnreadableVoucher:
    """A voucher that cannot be read.

    Attributes:
        account: the account.
        name: its id, or its place in the list if the id cannot be read either.
        reason: the fields that are wrong, each with the rule that it breaks.
    """

    account: str
    name: str
    reason: str


@attrs.frozen
class ComparedVoucher:
    """A planned voucher with what was read for it.

    Attributes:
        planned: the planned voucher.
        at_target: its vouchers at the target; empty if another plan has moved it.
        at_source: the voucher at the source; None if the source does not have it, or does not show its value.
        other_move: its move by another plan; None if no other plan moves it.
    """

    planned: PlannedVoucher
    at_target: list[ListedVoucher]
    at_source: ListedVoucher | None
    other_move: OtherMove | None = None


class VerificationStore:
    """A temporary database. It has no codes, and is deleted when it is closed or the process ends.

    Attributes:
        connection: the connection to it, for tables of other modules.
    """

    def __init__(self) -> None:
        # Without a name SQLite creates a temporary file that no other process sees.
        self._connection = self.connection = sqlite3.connect("")
        self._connection.executescript(_TABLES)
        self.key_id: str | None = None
        """The key of the plan's fingerprints."""

    def close(self) -> None:
        """Delete everything."""
        self._connection.close()

    def plan(self, planned: Iterable[PlannedVoucher]) -> None:
        """Store the vouchers of a plan: those that it carries, and those that stay."""
        for batch in batched(planned, _BATCH):
            carried = [voucher for voucher in batch if voucher.action is Action.CARRY]
            self.key_id = self.key_id or next((voucher.key_id for voucher in carried if voucher.key_id), None)
            self._insert(
                "INSERT INTO planned (number, source_id, fingerprint, currency, minor, json) VALUES (?, ?, ?, ?, ?, ?)",
                map(_row_of_planned, carried),
            )
            self._insert(
                "INSERT INTO stays (number, source_id, currency, minor, part) VALUES (?, ?, ?, ?, ?)",
                (_staying_row(voucher) for voucher in batch if voucher.action is not Action.CARRY),
            )

    def add_states(self, states: Iterable[tuple[int, RowState, str]]) -> None:
        """Store what a run has recorded: number, state and reason."""
        rows = ((PARTS_OF_STATES[state].value, reason, number) for number, state, reason in states)
        self._insert("UPDATE planned SET state = ?, reason = ? WHERE number = ?", rows)

    def add_issued_ids(self, issued: Iterable[tuple[int, str]]) -> None:
        """Store the ids of issued vouchers at the target: pairs of number and id; the last pair of a number counts."""
        rows = ((target_id, number) for number, target_id in issued)
        self._insert("UPDATE planned SET target_id = ? WHERE number = ?", rows)

    def target(self, rows: Iterable[tuple[ListedVoucher, str | None]]) -> None:
        """Store the vouchers of the target, each with the fingerprint of its code if that could be read."""
        self._insert(
            "INSERT OR REPLACE INTO target (id, fingerprint, currency, initial, remaining, ends, status, created)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (_target_row(row, mark) for row, mark in rows),
        )

    def source(self, rows: Iterable[ListedVoucher]) -> None:
        """Store the vouchers of the source."""
        self._insert(
            "INSERT OR REPLACE INTO source (id, currency, remaining, listed, ends, status, added)"
            " VALUES (:id, :currency, :minor, :minor, :ends, :status,"
            "   CASE WHEN EXISTS (SELECT 1 FROM planned WHERE source_id = :id)"
            "   OR EXISTS (SELECT 1 FROM stays WHERE source_id = :id) THEN NULL ELSE :added END)",
            map(_source_row, rows),
        )

    def add_unreadable(self, account: str, name: str, reason: str) -> None:
        """Store that a voucher of an account cannot be read."""
        self._connection.execute("INSERT OR REPLACE INTO unreadable VALUES (?, ?, ?)", (account, name, reason))

    def why_unreadable(self, account: str, id: str | None) -> str | None:
        """Return why a voucher of an account cannot be read; None if it can be, or the account does not have it."""
        query = "SELECT reason FROM unreadable WHERE account = ? AND name = ?"
        row = self._connection.execute(query, (account, id)).fetchone()
        return None if row is None else str(row[0])

    def target_id(self, number: int) -> str | None:
        """Return the id at the target of the voucher that was issued for a planned one; None if none is recorded."""
        row = self._connection.execute("SELECT target_id FROM planned WHERE number = ?", (number,)).fetchone()
        return None if row is None else row[0]

    def unreadable(self, most: int) -> tuple[UnreadableVoucher, ...]:
        """Return the first vouchers of both accounts that cannot be read."""
        rows = self._connection.execute("SELECT account, name, reason FROM unreadable ORDER BY rowid LIMIT ?", (most,))
        return tuple(UnreadableVoucher(account=row[0], name=row[1], reason=row[2]) for row in rows)

    def not_at_source(self) -> list[str]:
        """Return the source ids of the vouchers of the plan whose value at the source is not stored yet."""
        query = (
            "SELECT source_id, number FROM planned WHERE source_id NOT IN (SELECT id FROM source WHERE listed NOTNULL)"
            " UNION ALL SELECT source_id, number FROM stays WHERE currency NOTNULL"
            "   AND source_id NOT IN (SELECT id FROM source WHERE listed NOTNULL) ORDER BY number"
        )
        return [str(row[0]) for row in self._connection.execute(query)]

    def not_at_target(self) -> list[str]:
        """Return the ids of the vouchers that a run has issued at the target, and left there, and that are not stored.

        What the journal knows counts where no run has recorded anything.
        """
        states = ", ".join(f"'{part}'" for part in (*AT_TARGET, SourcePart.IN_DOUBT))
        query = (
            "SELECT target_id FROM planned WHERE target_id NOTNULL AND target_id NOT IN (SELECT id FROM target)"  # noqa: S608 - constants
            f" AND (state ISNULL OR state IN ({states})) ORDER BY number"
        )
        return [str(row[0]) for row in self._connection.execute(query)]

    def add_moves_of_other_plans(self, moves: Iterable[tuple[str, OtherMove]]) -> None:
        """Store which vouchers of the source other plans move: pairs of id and move. Call it after `match_vouchers`.

        What the target has for them was issued by those plans, so it does not count for this one.
        """
        self._insert(
            "INSERT INTO other_moves SELECT :id, :plan, :account, :voucher"
            " WHERE EXISTS (SELECT 1 FROM planned WHERE source_id = :id)"
            " OR EXISTS (SELECT 1 FROM stays WHERE source_id = :id)"
            " OR EXISTS (SELECT 1 FROM source WHERE id = :id AND added NOTNULL)",
            (
                {"id": id, "plan": move.plan_id, "account": move.to_account, "voucher": move.to_voucher_id}
                for id, move in moves
            ),
        )
        self._connection.execute(
            "UPDATE source SET added = ? WHERE added NOTNULL AND id IN (SELECT source_id FROM other_moves)",
            (SourcePart.ANOTHER_PLAN.value,),
        )
        self._connection.execute(
            "DELETE FROM joined WHERE number IN (SELECT number FROM planned JOIN other_moves USING (source_id))"
        )

    def match_vouchers(self) -> None:
        """Match planned vouchers with the target: by code, and by id if one of the codes is not known."""
        # Fingerprints have no order. To sort a million at once takes a fraction of the time of an index that grows.
        self._connection.execute("CREATE INDEX by_fingerprint ON planned (fingerprint)")
        self._connection.execute(
            "INSERT INTO joined SELECT planned.number, target.id FROM planned JOIN target USING (fingerprint)"
        )
        self._connection.execute(
            "INSERT INTO joined SELECT planned.number, target.id FROM planned JOIN target"
            " ON planned.target_id = target.id WHERE planned.fingerprint IS NULL OR target.fingerprint IS NULL"
        )

    def add_unrecorded(self, since: str, is_recorded: Callable[[str], bool]) -> None:
        """Store which vouchers of the target no record explains. Call it after `match_vouchers`.

        Nothing is stored unless a voucher of the plan gets a new code, and no record says under which id.

        Args:
            since: since when they were created, as sortable text.
            is_recorded: whether the journal knows that a voucher of this id was issued.
        """
        missing = "SELECT 1 FROM planned WHERE fingerprint IS NULL AND target_id IS NULL LIMIT 1"
        if self._connection.execute(missing).fetchone() is None:
            return
        candidates = self._connection.execute(
            "SELECT id, currency, coalesce(initial, remaining) FROM target WHERE created >= ? AND currency NOTNULL"
            " AND id NOT IN (SELECT id FROM joined) ORDER BY created, id",
            (since,),
        )
        self._insert("INSERT INTO unrecorded VALUES (?, ?, ?)", (row for row in candidates if not is_recorded(row[0])))

    def take_unrecorded(self, value: Money) -> str | None:
        """Return the id of a voucher of this value that no record explains, and forget it; None for none."""
        query = "SELECT id FROM unrecorded WHERE currency = ? AND minor = ? ORDER BY rowid LIMIT 1"
        row = self._connection.execute(query, (value.currency, value.minor)).fetchone()
        if row is not None:
            self._connection.execute("DELETE FROM unrecorded WHERE id = ?", row)
        return None if row is None else str(row[0])

    def each(self) -> Iterator[ComparedVoucher]:
        """Yield every planned voucher with its vouchers at the target and at the source."""
        for number, text, source_id, *move in self._connection.execute(
            "SELECT number, json, source_id, plan_id, to_account, to_id FROM planned LEFT JOIN other_moves"
            " USING (source_id) ORDER BY number"
        ):
            at_target = self._connection.execute(
                "SELECT target.id, currency, initial, remaining, ends, status FROM joined JOIN target USING (id)"
                " WHERE number = ? ORDER BY target.id",
                (number,),
            )
            at_source = self._connection.execute(
                "SELECT id, currency, NULL, remaining, ends, status FROM source WHERE id = ? AND listed NOTNULL",
                (source_id,),
            ).fetchone()
            yield ComparedVoucher(
                read_voucher_text(text),
                [_voucher_from_row(row) for row in at_target],
                None if at_source is None else _voucher_from_row(at_source),
                None if move[0] is None else OtherMove(*move),
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

    def count_moved_by_other_plans(self) -> int:
        """Return the number of planned vouchers that other plans move."""
        query = "SELECT count(*) FROM planned JOIN other_moves USING (source_id)"
        return int(self._connection.execute(query).fetchone()[0])

    def is_moved_by_another(self, number: int) -> bool:
        """Return whether another plan moves a planned voucher."""
        query = "SELECT 1 FROM planned JOIN other_moves USING (source_id) WHERE number = ?"
        return self._connection.execute(query, (number,)).fetchone() is not None

    def count(self) -> int:
        """Return the number of planned vouchers."""
        return int(self._connection.execute("SELECT count(*) FROM planned").fetchone()[0])

    def totals(self) -> dict[str, dict[str, Money]]:
        """Return the sums by currency, under the names of the attributes of `Total`.

        Vouchers that other plans move are left out.
        """
        sums = self._connection.execute(
            "SELECT currency, sum(minor), 'before' FROM planned"
            "   WHERE source_id NOT IN (SELECT source_id FROM other_moves) GROUP BY currency"
            " UNION ALL SELECT currency, sum(coalesce(initial, remaining)), 'at_target' FROM target"
            "   WHERE id IN (SELECT id FROM joined) GROUP BY currency"
            " UNION ALL SELECT currency, sum(coalesce(used, 0)), 'used' FROM target"
            "   WHERE id IN (SELECT id FROM joined) GROUP BY currency"
            " UNION ALL SELECT currency, sum(remaining), 'left' FROM target"
            "   WHERE id IN (SELECT id FROM joined) GROUP BY currency"
            " UNION ALL SELECT currency, sum(remaining), 'at_source' FROM source"
            "   WHERE id IN (SELECT source_id FROM planned EXCEPT SELECT source_id FROM other_moves) GROUP BY currency"
        )
        totals: dict[str, dict[str, Money]] = {}
        for currency, minor, name in sums:
            if currency is not None:
                nothing = dict.fromkeys(("before", "at_target", "used", "left", "at_source"), Money.zero(currency))
                totals.setdefault(currency, nothing)[name] = Money.from_minor(minor or 0, currency)
        return dict(sorted(totals.items()))

    def parts(self, source_now: str) -> tuple[PartTotal, ...]:
        """Return the whole source in parts.

        Args:
            source_now: the present time of the source, as sortable text.
        """
        return select_parts(self._connection, source_now)

    def rows(self, source_now: str) -> Iterator[PartRow]:
        """Yield every voucher of the plan in its order, and then those that were added to the source.

        Args:
            source_now: the present time of the source, as sortable text.
        """
        return select_rows(self._connection, source_now)

    def other_plans(self) -> tuple[OtherPlan, ...]:
        """Return the other plans that move vouchers of the source."""
        return select_other_plans(self._connection)

    def numbers_in_doubt(self, source_now: str) -> frozenset[int]:
        """Return the numbers of the vouchers that are in doubt.

        Args:
            source_now: the present time of the source, as sortable text.
        """
        return select_numbers(self._connection, source_now, SourcePart.IN_DOUBT)

    def _insert(self, statement: str, rows: Iterable[tuple[Any, ...] | dict[str, Any]]) -> None:
        for batch in batched(rows, _BATCH):
            self._connection.executemany(statement, batch)


def _source_row(row: ListedVoucher) -> dict[str, Any]:
    return {
        "id": row.id,
        "currency": _currency(row),
        "minor": _minor(row.remaining),
        "ends": row.ends,
        "status": row.status,
        "added": SourcePart.ISSUED_SINCE.value,
    }


def _target_row(row: ListedVoucher, mark: str | None) -> tuple[Any, ...]:
    amounts = _currency(row), _minor(row.initial), _minor(row.remaining)
    return row.id, mark, *amounts, row.ends, row.status, row.created


def _row_of_planned(voucher: PlannedVoucher) -> tuple[Any, ...]:
    value, destination = value_of(voucher), voucher.destination
    mark = None if destination is not None and destination.new_code else voucher.fingerprint
    return voucher.number, voucher.source_id, mark, value.currency, value.minor, voucher_text(voucher)


def _staying_row(voucher: PlannedVoucher) -> tuple[Any, ...]:
    value = voucher.remaining
    part = SourcePart.SKIPPED if voucher.action is Action.SKIP else SourcePart.NOT_ACCEPTED
    if value is None:
        return voucher.number, voucher.source_id, None, None, SourcePart.UNREADABLE.value
    return voucher.number, voucher.source_id, value.currency, value.minor, part.value


def ends_text(voucher: Any) -> str | None:
    """Return the end of a voucher's validity as sortable text."""
    return None if voucher.valid_until is None else format_micros(voucher.valid_until)


def _currency(listed: ListedVoucher) -> str | None:
    money = listed.initial if listed.remaining is None else listed.remaining
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
