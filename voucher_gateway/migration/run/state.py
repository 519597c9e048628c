"""How far migrations are, in the journal's database, for all processes and machines that work on them.

A worker claims vouchers under its process's name, which is alive as long as the process is; what a dead one had claimed
is claimed anew. The journal says what was done; this only says who is on what, and what came of it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import attrs
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from voucher_gateway.instants import format_micros, now
from voucher_gateway.journal.moves import claim_moves, complete_moves, delete_moves, reopen_moves
from voucher_gateway.migration.run.loading import Loading
from voucher_gateway.migration.run.rows import MoveResult, PlanState, ReportedVoucher, RowState, VoucherRow
from voucher_gateway.migration.run.schema import SCHEMA, plans, vouchers
from voucher_gateway.money import Money
from voucher_gateway.storage.engine import Database
from voucher_gateway.storage.locks import one_at_a_time
from voucher_gateway.storage.schema_upgrade import upgrade_schema

_BATCH: Final = 1000


def ids_of_moved_vouchers(database: Database, plan_id: str) -> Iterator[str]:
    """Give the source ids of the vouchers that a plan has moved, in the order of the plan.

    Args:
        database: the journal's.
        plan_id: the plan's hash.
    """
    upgrade_schema(SCHEMA, database.write, database.locks)
    for batch in _batches(database, plan_id, (RowState.MOVED, RowState.KEPT)):
        yield from (row.planned.source_id for row in batch)


@attrs.frozen
class Claim:
    """What came of claiming vouchers.

    Attributes:
        rows: those that are this process's now.
        refused: those that another plan moves, or has moved, with that plan in the reason.
    """

    rows: Sequence[VoucherRow] = ()
    refused: Sequence[MoveResult] = ()


class MigrationState(Loading):
    """The state of one plan: who is on what, and what came of it."""

    # --- claiming ---

    def look_again(self) -> None:
        """Let what is in doubt be claimed once more, as the journal may know by now, or find out."""
        with self.database.write() as connection:
            connection.execute(
                sa.update(vouchers)
                .where(self._of_plan, vouchers.c.state == RowState.IN_DOUBT.value)
                .values(state=RowState.PLANNED.value)
            )

    def free_dead(self) -> int:
        """Let what dead processes had claimed be claimed anew, and return how many vouchers that are."""
        dead = [owner for owner in self._owners() if not self.database.locks.alive(owner)]
        freed = 0
        for owner in dead:
            theirs = (self._of_plan, vouchers.c.owner == owner)
            with self.database.write() as connection:
                freed += connection.execute(
                    sa.update(vouchers)
                    .where(*theirs, vouchers.c.state == RowState.WORKING.value)
                    # as if long ago: those who are at work now are to take it
                    .values(state=RowState.PLANNED.value, owner=None, updated_at="")
                ).rowcount
                # what they were bringing back stands where it stood
                connection.execute(sa.update(vouchers).where(*theirs).values(owner=None))
        return freed

    def _owners(self) -> list[str]:
        query = sa.select(vouchers.c.owner).where(self._of_plan, vouchers.c.owner.is_not(None)).distinct()
        with self.database.read() as connection:
            return [str(owner) for (owner,) in connection.execute(query)]

    def owners(self) -> dict[str, int]:
        """Return which processes have claimed vouchers, dead ones included, and how many."""
        query = (
            sa.select(vouchers.c.owner, sa.func.count())
            .where(self._of_plan, vouchers.c.state == RowState.WORKING.value, vouchers.c.owner.is_not(None))
            .group_by(vouchers.c.owner)
        )
        with self.database.read() as connection:
            return {str(owner): count for owner, count in connection.execute(query)}

    def claim(self, most: int, *, untried_from: datetime | None = None) -> Claim:
        """Claim vouchers for this process, in the order of the plan; none unless the plan is running.

        Those that another plan moves, or has moved, are refused on the way.

        Args:
            most: how many at most.
            untried_from: leave those out that were tried since then.
        """
        wanted = (
            sa.select(vouchers)
            .where(self._of_plan, vouchers.c.state == RowState.PLANNED.value, vouchers.c.owner.is_(None))
            .where(sa.exists().where(plans.c.id == self.plan_id, plans.c.state == PlanState.RUNNING.value))
            .order_by(vouchers.c.number)
            .limit(most)
            .with_for_update(skip_locked=True, of=vouchers)  # PostgreSQL; in SQLite one process writes at a time anyway
        )
        if untried_from is not None:
            fresh = vouchers.c.tries == 0
            wanted = wanted.where(fresh | (vouchers.c.updated_at < format_micros(untried_from)))
        owner = self.database.locks.owner()
        with self.database.write() as connection:
            rows = [dict(row) for row in connection.execute(wanted).mappings()]
            theirs = self._claim_moves(connection, rows)
            mine = [row for row in rows if row["source_id"] not in theirs]
            refused = [
                MoveResult(
                    row=VoucherRow.from_row(row),
                    state=RowState.REFUSED,
                    reason=f"the migration {theirs[row['source_id']][:12]} moves it, or has moved it",
                )
                for row in rows
                if row["source_id"] in theirs
            ]
            for refused_row in refused:
                self._set(
                    connection, [refused_row.row.number], state=refused_row.state.value, reason=refused_row.reason
                )
            claimed = {"state": RowState.WORKING.value, "owner": owner, "tries": vouchers.c.tries + 1}
            self._set(connection, [row["number"] for row in mine], **claimed)
        now_mine = {"state": RowState.WORKING.value}
        return Claim([VoucherRow.from_row({**row, **now_mine, "tries": row["tries"] + 1}) for row in mine], refused)

    def take(self, row: VoucherRow) -> bool:
        """Take a voucher to bring it back, if it still stands as it was read and nobody else is on it."""
        owner = self.database.locks.owner()
        with self.database.write() as connection:
            taken = connection.execute(
                sa.update(vouchers)
                .where(
                    self._of_plan,
                    vouchers.c.number == row.number,
                    vouchers.c.state == row.state.value,
                    vouchers.c.tries == row.attempts,
                    vouchers.c.owner.is_(None) | (vouchers.c.owner == owner),  # a rollback of ours that was broken off
                )
                .values(owner=owner)
            )
        return bool(taken.rowcount)

    def _claim_moves(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
        if self._header.copy or not rows:
            return {}
        one_at_a_time(connection, "moved", self._header.source.account)
        ids = [row["source_id"] for row in rows]
        return claim_moves(connection, self._header.source.account, ids, self.plan_id)

    def release(self, rows: Sequence[VoucherRow]) -> None:
        """Give claimed vouchers back that nothing was done with."""
        with self.database.write() as connection:
            given = {"state": RowState.PLANNED.value, "owner": None, "tries": vouchers.c.tries - 1}
            self._set(connection, [row.number for row in rows], **given)
            untouched = [row.planned.source_id for row in rows if row.attempts == 1]
            delete_moves(connection, self._header.source.account, untouched, self.plan_id)

    def _set(self, connection: Connection, numbers: Sequence[int], **values: Any) -> None:
        if numbers:
            connection.execute(
                sa.update(vouchers)
                .where(self._of_plan, vouchers.c.number.in_(numbers))
                .values(updated_at=format_micros(now()), **values)
            )

    # --- what came of them ---

    def undoing(self, row: VoucherRow, ending: RowState, target_id: str | None, reason: str) -> None:
        """Write that everything done to a voucher is being undone: from here on nobody goes on with moving it.

        As long as that lasts it is under way, as it was when it moved, so that nothing but the plan's own steps brings
        value to either end.
        """
        with self.database.write() as connection:
            self._set(connection, [row.number], ending=ending.value, target_id=target_id, reason=reason)
            if not self._header.copy:
                reopen_moves(connection, self._header.source.account, [row.planned.source_id], self.plan_id)

    def finish(self, ended: Sequence[MoveResult]) -> None:
        """Write what came of vouchers."""
        account, at = self._header.source.account, format_micros(now())
        update = (
            sa.update(vouchers)
            .where(self._of_plan, vouchers.c.number == sa.bindparam("which"))
            .values(
                {
                    name: sa.bindparam(f"new_{name}")
                    for name in ("state", "target_id", "reason", "drift_s", "ending", "round")
                }
                | {"owner": None, "updated_at": at}
            )
        )
        rows = [
            {
                "which": result.row.number,
                "new_state": result.state.value,
                "new_target_id": result.target_id,
                "new_reason": result.reason or None,
                "new_drift_s": result.drift_s,
                "new_ending": None if result.ending is None else result.ending.value,
                "new_round": result.row.generation + result.anew,
            }
            for result in ended
        ]
        if not rows:
            return
        with self.database.write() as connection:
            connection.execute(update, rows)
            if not self._header.copy:
                went = [
                    (result.row.planned.source_id, result.target_id)
                    for result in ended
                    if result.state in (RowState.MOVED, RowState.KEPT) and result.target_id is not None
                ]
                claim_moves(connection, account, [before for before, _ in went], self.plan_id)  # a rollback forgets it
                complete_moves(connection, account, self._header.target.account, went, self.plan_id)
                stay = [result.row.planned.source_id for result in ended if _stays(result)]
                delete_moves(connection, account, stay, self.plan_id)

    # --- looking ---

    def counts(self) -> dict[tuple[RowState, str], tuple[int, Money]]:
        """Return by state and currency how many vouchers there are, and their money."""
        query = (
            sa.select(vouchers.c.state, vouchers.c.currency, sa.func.count(), sa.func.sum(vouchers.c.minor))
            .where(self._of_plan)
            .group_by(vouchers.c.state, vouchers.c.currency)
            .order_by(vouchers.c.state, vouchers.c.currency)
        )
        with self.database.read() as connection:
            return {
                (RowState(state), currency): (count, Money.from_minor(int(minor), currency))
                for state, currency, count, minor in connection.execute(query)
            }

    def rows(self, *states: RowState) -> Iterator[VoucherRow]:
        """Give the vouchers in some states, in the order of the plan."""
        for batch in _batches(self.database, self.plan_id, states):
            yield from batch

    def reported_vouchers(self, *states: RowState, most: int) -> list[ReportedVoucher]:
        """Return at most so many vouchers in some states, for people."""
        return [ReportedVoucher.of(row, row.state, row.reason) for row in itertools.islice(self.rows(*states), most)]


def _stays(ended: MoveResult) -> bool:
    """Whether the voucher is at the source for good, as far as this plan goes."""
    return ended.state in (RowState.CHANGED, RowState.REFUSED, RowState.UNDONE) or ended.anew


def _batches(database: Database, plan_id: str, states: Sequence[RowState]) -> Iterator[list[VoucherRow]]:
    last = 0
    while True:
        query = (
            sa.select(vouchers)
            .where(
                vouchers.c.plan_id == plan_id,
                vouchers.c.number > last,
                vouchers.c.state.in_([state.value for state in states]),
            )
            .order_by(vouchers.c.number)
            .limit(_BATCH)
        )
        with database.read() as connection:
            batch = [VoucherRow.from_row(dict(row)) for row in connection.execute(query).mappings()]
        if batch:
            yield batch
            last = batch[-1].number
        if len(batch) < _BATCH:
            return
