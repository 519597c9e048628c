"""How far migrations are, in the journal's database, for all processes and machines that work on them.

A worker claims vouchers under its process's name, which is alive as long as the process is; what a dead one had claimed
is claimed anew. The journal says what was done; this only says who is on what, and what came of it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from voucher_gateway.adapter import Money, format_micros, now
from voucher_gateway.database import Database
from voucher_gateway.database.locks import one_at_a_time
from voucher_gateway.database.migrate import migrate
from voucher_gateway.journal.moved import claim_moves, complete_moves, forget_moves
from voucher_gateway.migration.plan import Action, PlanHeader, PlannedVoucher
from voucher_gateway.migration.records import Ended, Noted, PlanState, Row, RowState, value_of, write_planned
from voucher_gateway.migration.schema import SCHEMA, plans, vouchers

_BATCH: Final = 1000
_LOADING_WAIT_S: Final = 3600.0


def moved_ids(database: Database, plan_id: str) -> Iterator[str]:
    """Give the source ids of the vouchers that a plan has moved, in the order of the plan.

    Args:
        database: the journal's.
        plan_id: the plan's hash.
    """
    migrate(SCHEMA, database.write, database.locks)
    for batch in _batches(database, plan_id, (RowState.MOVED, RowState.KEPT)):
        yield from (row.planned.source_id for row in batch)


class MigrationState:
    """The state of one plan.

    Args:
        database: the journal's; the tables are made if they are not there.
        plan_id: the plan's hash.
        header: what holds for all of its vouchers.
    """

    def __init__(self, database: Database, plan_id: str, header: PlanHeader) -> None:
        migrate(SCHEMA, database.write, database.locks)
        self.database = database
        self.plan_id = plan_id
        self._header = header
        self._of_plan = vouchers.c.plan_id == plan_id

    # --- the plan ---

    def plan_state(self) -> PlanState | None:
        """Return where the migration stands; None if it was never begun."""
        with self.database.read() as connection:
            found = connection.scalar(sa.select(plans.c.state).where(plans.c.id == self.plan_id))
        return None if found is None else PlanState(found)

    def set_plan_state(self, state: PlanState) -> None:
        """Write where the migration stands. Workers of all machines look at it between two vouchers."""
        with self.database.write() as connection:
            connection.execute(
                sa.update(plans)
                .where(plans.c.id == self.plan_id)
                .values(state=state.value, updated_at=format_micros(now()))
            )

    def load(self, planned: Iterable[PlannedVoucher]) -> None:
        """Write the vouchers that are to be carried down, unless that is done; a broken-off loading is gone on with."""
        with self.database.locks.hold(f"migration\0{self.plan_id}", wait_s=_LOADING_WAIT_S):
            with self.database.write() as connection:
                begun = self._begun(connection)
                last = connection.scalar(sa.select(sa.func.max(vouchers.c.number)).where(self._of_plan)) or 0
            if begun:
                return
            carried = (one for one in planned if one.action is Action.CARRY and one.number > last)
            while batch := list(itertools.islice(carried, _BATCH)):
                with self.database.write() as connection:
                    connection.execute(sa.insert(vouchers), [self._new(one) for one in batch])
            with self.database.write() as connection:
                connection.execute(sa.update(plans).where(plans.c.id == self.plan_id).values(loaded=True))

    def _begun(self, connection: Connection) -> bool:
        """Return whether everything is loaded; a plan that was never seen is written."""
        found = connection.scalar(sa.select(plans.c.loaded).where(plans.c.id == self.plan_id))
        if found is None:
            at = format_micros(now())
            connection.execute(
                sa.insert(plans),
                {
                    "id": self.plan_id,
                    "source": self._header.source.account,
                    "target": self._header.target.account,
                    "state": PlanState.RUNNING.value,
                    "loaded": False,
                    "created_at": at,
                    "updated_at": at,
                },
            )
        return bool(found)

    def _new(self, one: PlannedVoucher) -> dict[str, Any]:
        value = value_of(one)
        return {
            "plan_id": self.plan_id,
            "number": one.number,
            "source_id": one.source_id,
            "minor": value.minor,
            "currency": value.currency,
            "planned": write_planned(one),
            "state": RowState.PLANNED.value,
            "tries": 0,
            "round": 0,
            "updated_at": format_micros(now()),
        }

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
        dead = [owner for owner in self.owners() if not self.database.locks.alive(owner)]
        freed = 0
        for owner in dead:
            with self.database.write() as connection:
                freed += connection.execute(
                    sa.update(vouchers)
                    .where(self._of_plan, vouchers.c.state == RowState.WORKING.value, vouchers.c.owner == owner)
                    # as if long ago: those who are at work now are to take it
                    .values(state=RowState.PLANNED.value, owner=None, updated_at="")
                ).rowcount
        return freed

    def owners(self) -> dict[str, int]:
        """Return which processes have claimed vouchers, dead ones included, and how many."""
        query = (
            sa.select(vouchers.c.owner, sa.func.count())
            .where(self._of_plan, vouchers.c.state == RowState.WORKING.value, vouchers.c.owner.is_not(None))
            .group_by(vouchers.c.owner)
        )
        with self.database.read() as connection:
            return {str(owner): count for owner, count in connection.execute(query)}

    def claim(self, most: int, *, untried_from: datetime | None = None) -> list[Row]:
        """Claim vouchers for this process, in the order of the plan.

        Those that another plan moves, or has moved, are refused on the way.

        Args:
            most: how many at most.
            untried_from: leave those out that were tried since then.
        """
        wanted = (
            sa.select(vouchers)
            .where(self._of_plan, vouchers.c.state == RowState.PLANNED.value)
            .order_by(vouchers.c.number)
            .limit(most)
            .with_for_update(skip_locked=True)  # PostgreSQL; in SQLite one process writes at a time anyway
        )
        if untried_from is not None:
            fresh = vouchers.c.tries == 0
            wanted = wanted.where(fresh | (vouchers.c.updated_at < format_micros(untried_from)))
        owner = self.database.locks.owner()
        with self.database.write() as connection:
            rows = [dict(row) for row in connection.execute(wanted).mappings()]
            theirs = self._claim_moves(connection, rows)
            mine = [row for row in rows if row["source_id"] not in theirs]
            for row in rows:
                if row["source_id"] in theirs:
                    reason = f"the migration {theirs[row['source_id']][:12]} moves it, or has moved it"
                    self._set(connection, [row["number"]], state=RowState.REFUSED.value, reason=reason)
            claimed = {"state": RowState.WORKING.value, "owner": owner, "tries": vouchers.c.tries + 1}
            self._set(connection, [row["number"] for row in mine], **claimed)
        return [Row.from_row({**row, "state": RowState.WORKING.value, "tries": row["tries"] + 1}) for row in mine]

    def _claim_moves(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
        if self._header.copy or not rows:
            return {}
        one_at_a_time(connection, "moved", self._header.source.account)
        ids = [row["source_id"] for row in rows]
        return claim_moves(connection, self._header.source.account, ids, self.plan_id)

    def release(self, rows: Sequence[Row]) -> None:
        """Give claimed vouchers back that nothing was done with."""
        with self.database.write() as connection:
            given = {"state": RowState.PLANNED.value, "owner": None, "tries": vouchers.c.tries - 1}
            self._set(connection, [row.number for row in rows], **given)
            untouched = [row.planned.source_id for row in rows if row.tries == 1]
            forget_moves(connection, self._header.source.account, untouched, self.plan_id)

    def _set(self, connection: Connection, numbers: Sequence[int], **values: Any) -> None:
        if numbers:
            connection.execute(
                sa.update(vouchers)
                .where(self._of_plan, vouchers.c.number.in_(numbers))
                .values(updated_at=format_micros(now()), **values)
            )

    # --- what came of them ---

    def undoing(self, row: Row, ending: RowState, target_id: str | None, reason: str) -> None:
        """Write that everything done to a voucher is being undone: from here on nobody goes on with moving it."""
        with self.database.write() as connection:
            self._set(connection, [row.number], ending=ending.value, target_id=target_id, reason=reason)
            # Its value may have to be given back at the source, which nobody may do to a voucher that is being moved.
            forget_moves(connection, self._header.source.account, [row.planned.source_id], self.plan_id)

    def finish(self, ended: Sequence[Ended]) -> None:
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
                "which": one.row.number,
                "new_state": one.state.value,
                "new_target_id": one.target_id,
                "new_reason": one.reason or None,
                "new_drift_s": one.drift_s,
                "new_ending": None if one.ending is None else one.ending.value,
                "new_round": one.row.round + one.anew,
            }
            for one in ended
        ]
        if not rows:
            return
        with self.database.write() as connection:
            connection.execute(update, rows)
            if not self._header.copy:
                went = [
                    (one.row.planned.source_id, one.target_id)
                    for one in ended
                    if one.state in (RowState.MOVED, RowState.KEPT) and one.target_id is not None
                ]
                claim_moves(connection, account, [before for before, _ in went], self.plan_id)  # a rollback forgets it
                complete_moves(connection, account, self._header.target.account, went, self.plan_id)
                stay = [one.row.planned.source_id for one in ended if _stays(one)]
                forget_moves(connection, account, stay, self.plan_id)

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

    def rows(self, *states: RowState) -> Iterator[Row]:
        """Give the vouchers in some states, in the order of the plan."""
        for batch in _batches(self.database, self.plan_id, states):
            yield from batch

    def noted(self, *states: RowState, most: int) -> list[Noted]:
        """Return at most so many vouchers in some states, for people."""
        return [Noted.of(row, row.state, row.reason) for row in itertools.islice(self.rows(*states), most)]


def _stays(ended: Ended) -> bool:
    """Whether the voucher is at the source for good, as far as this plan goes."""
    return ended.state in (RowState.CHANGED, RowState.REFUSED, RowState.UNDONE) or ended.anew


def _batches(database: Database, plan_id: str, states: Sequence[RowState]) -> Iterator[list[Row]]:
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
            batch = [Row.from_row(dict(row)) for row in connection.execute(query).mappings()]
        if batch:
            yield batch
            last = batch[-1].number
        if len(batch) < _BATCH:
            return
