"""The state of a plan in the database of the journal, for all processes and machines that run it.

A process claims vouchers under its own name. The name is alive as long as the process. The vouchers of a dead process
can be claimed again. The journal records the operations at the vendors. The state of a plan records only which process
moves which voucher, and the results.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import datetime
from typing import Any, Final

import attrs
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from voucher_gateway.errors import OperationInProgress
from voucher_gateway.gateway.gateway import Gateway
from voucher_gateway.instants import format_micros, now
from voucher_gateway.iteration import batched
from voucher_gateway.journal.keys.keys import JournalKeys
from voucher_gateway.journal.moves import claim_moves, complete_moves, delete_moves, reopen_moves
from voucher_gateway.migration.plan.model import PlanHeader
from voucher_gateway.migration.plan.plan_file import PlanSummary
from voucher_gateway.migration.plan.seal import require_own_plan
from voucher_gateway.migration.run.context import journal_of
from voucher_gateway.migration.run.rows import MoveResult, ReportedVoucher, VoucherRow
from voucher_gateway.migration.schema import SCHEMA, PlanState, RowState, plans, vouchers
from voucher_gateway.money import Money
from voucher_gateway.storage.engine import Database
from voucher_gateway.storage.locks import lock_in_transaction
from voucher_gateway.storage.schema_upgrade import upgrade_schema

VOUCHER_WAIT_S: Final = 10.0
"""How long a move waits for the move of the same voucher by another plan, in seconds."""

_BATCH: Final = 500
"""The largest number of vouchers that one statement names."""


@attrs.frozen
class Claim:
    """The result of a claim.

    Attributes:
        rows: the vouchers that this process has claimed.
        refused: the vouchers that another plan moves or has moved. The reason names that plan.
    """

    rows: Sequence[VoucherRow] = ()
    refused: Sequence[MoveResult] = ()


class MigrationState:
    """The state of one plan: claims vouchers and writes results.

    Args:
        database: the database of the journal. Missing tables are created.
        plan_id: the hash of the plan.
        header: the properties that all its vouchers share.
        keys: the journal's.

    Attributes:
        database: the database of the journal.
        plan_id: the hash of the plan.
        header: the properties that all its vouchers share.
        claimed: the vouchers, by number, that this object has claimed and neither finished nor released.
    """

    def __init__(self, database: Database, plan_id: str, header: PlanHeader, keys: JournalKeys) -> None:
        upgrade_schema(SCHEMA, database.read, database.write, database.locks)
        self.database = database
        self.plan_id = plan_id
        self.claimed: dict[int, VoucherRow] = {}
        self.header = header
        self._keys = keys
        self._of_plan = vouchers.c.plan_id == plan_id

    @classmethod
    def of(cls, gateway: Gateway, plan: PlanSummary) -> MigrationState:
        """Return the state of a plan in the journal of a gateway.

        Raises:
            ConfigurationError: without a journal, or the plan was made under another key or was changed.
        """
        journal = journal_of(gateway)
        state = cls(journal.database, plan.id, plan.header, journal.keys)
        require_own_plan(journal.keys, plan, begun=state.plan_state() is not None)
        return state

    # --- the plan as a whole ---

    def plan_state(self) -> PlanState | None:
        """Return the state of the migration; None if no run has begun."""
        with self.database.read() as connection:
            state = connection.scalar(sa.select(plans.c.state).where(plans.c.id == self.plan_id))
        return None if state is None else PlanState(state)

    def set_plan_state(self, state: PlanState, *, only_from: Collection[PlanState]) -> bool:
        """Write the state of the migration if its present one is in `only_from`. Return whether it was.

        Runs on all machines read the state several times a second. A plan that is rolled back stays so, also if other
        processes write at the same moment.
        """
        with self.database.write() as connection:
            written = connection.execute(
                sa.update(plans)
                .where(plans.c.id == self.plan_id, plans.c.state.in_([before.value for before in only_from]))
                .values(state=state.value, updated_at=format_micros(now()))
            )
        return bool(written.rowcount)

    @contextmanager
    def one_process(self, work: str, message: str) -> Iterator[None]:
        """Let no other process do the same work on this plan.

        Args:
            work: the name of the work.
            message: the message of the error.

        Raises:
            OperationInProgress: if another process does this work.
        """
        with ExitStack() as stack:
            try:
                stack.enter_context(self.database.locks.hold(f"migration-{work}\0{self.plan_id}", wait_s=0.5))
                free = True
            except OperationInProgress:
                free = False
            if not free:
                raise OperationInProgress(message)
            yield

    def lock_source_voucher(self, voucher_id: str) -> AbstractContextManager[None]:
        """Hold a voucher of the source against the moves of all plans.

        A plan claims vouchers by the name of its account. The configuration may have two names for one login, and each
        may have a plan: the second one must find what the first one has done.

        Raises:
            OperationInProgress: if another plan moves it, and does not end in time.
        """
        source = self.header.source
        name = f"migration-voucher\0{source.provider}\0{source.host}\0{voucher_id}"
        return self.database.locks.hold(name, wait_s=VOUCHER_WAIT_S)

    # --- claiming ---

    def requeue_in_doubt(self) -> None:
        """Let the vouchers in doubt be claimed again: the journal may know or resolve the outcome now."""
        with self.database.write() as connection:
            connection.execute(
                sa.update(vouchers)
                .where(self._of_plan, vouchers.c.state == RowState.IN_DOUBT.value)
                .values(state=RowState.PLANNED.value)
            )

    def release_abandoned(self) -> int:
        """Let the vouchers of dead processes be claimed again, and return their number."""
        query = sa.select(vouchers.c.owner).where(self._of_plan, vouchers.c.owner.is_not(None)).distinct()
        with self.database.read() as connection:
            owners = [str(owner) for owner in connection.scalars(query)]
        released = 0
        for owner in owners:
            if self.database.locks.alive(owner):
                continue
            owned = (self._of_plan, vouchers.c.owner == owner)
            with self.database.write() as connection:
                released += connection.execute(
                    sa.update(vouchers)
                    .where(*owned, vouchers.c.state == RowState.WORKING.value)
                    # without a time, so that present runs claim them as well
                    .values(state=RowState.PLANNED.value, owner=None, updated_at="")
                ).rowcount
                # a rollback does not change the state of a voucher before its end
                connection.execute(sa.update(vouchers).where(*owned).values(owner=None))
        return released

    def owners(self) -> dict[str, int]:
        """Return how many vouchers each process has claimed, including dead processes."""
        query = (
            sa.select(vouchers.c.owner, sa.func.count())
            .where(self._of_plan, vouchers.c.state == RowState.WORKING.value, vouchers.c.owner.is_not(None))
            .group_by(vouchers.c.owner)
        )
        with self.database.read() as connection:
            return {str(owner): count for owner, count in connection.execute(query)}

    def abandoned_numbers(self) -> set[int]:
        """Return the numbers of the vouchers that dead processes have claimed."""
        dead = [owner for owner in self.owners() if not self.database.locks.alive(owner)]
        query = sa.select(vouchers.c.number).where(
            self._of_plan, vouchers.c.state == RowState.WORKING.value, vouchers.c.owner.in_(dead)
        )
        with self.database.read() as connection:
            return set(connection.scalars(query))

    def claim(self, most: int, *, state: RowState = RowState.PLANNED, untried_from: datetime | None = None) -> Claim:
        """Claim vouchers for this process, in the order of the plan; none unless the plan is running.

        Vouchers that another plan moves or has moved are refused.

        Args:
            most: the largest number of vouchers.
            state: the state of the vouchers to claim.
            untried_from: leave out vouchers that were tried after this moment.
        """
        wanted = (
            sa.select(vouchers)
            .where(self._of_plan, vouchers.c.state == state.value, vouchers.c.owner.is_(None))
            .where(sa.exists().where(plans.c.id == self.plan_id, plans.c.state == PlanState.RUNNING.value))
            .order_by(vouchers.c.number)
            .limit(most)
            .with_for_update(skip_locked=True, of=vouchers)  # for PostgreSQL; in SQLite only one process writes anyway
        )
        if untried_from is not None:
            untried = vouchers.c.attempts == 0
            wanted = wanted.where(untried | (vouchers.c.updated_at < format_micros(untried_from)))
        with self.database.write() as connection:
            rows = [dict(row) for row in connection.execute(wanted).mappings()]
            plan_ids = self._claim_moves(connection, rows)
            refused = [
                MoveResult(
                    row=VoucherRow.from_row(row),
                    state=RowState.REFUSED,
                    reason=f"the migration {plan_ids[row['source_id']][:12]} moves it, or has moved it",
                )
                for row in rows
                if row["source_id"] in plan_ids
            ]
            for result in refused:
                self._set(connection, [result.row.number], state=result.state.value, reason=result.reason)
            claimed = [
                VoucherRow.from_row({**row, "state": RowState.WORKING.value, "attempts": row["attempts"] + 1})
                for row in rows
                if row["source_id"] not in plan_ids
            ]
            self._set(
                connection,
                [row.number for row in claimed],
                state=RowState.WORKING.value,
                owner=self.database.locks.owner(),
                attempts=vouchers.c.attempts + 1,
            )
            # before the commit, because an interrupt may come right after it
            self.claimed.update({row.number: row for row in claimed})
        return Claim(claimed, refused)

    def claim_for_undo(self, row: VoucherRow) -> bool:
        """Claim a voucher for a rollback. Return whether it was unchanged since it was read, and free."""
        owner = self.database.locks.owner()
        with self.database.write() as connection:
            taken = connection.execute(
                sa.update(vouchers)
                .where(
                    self._of_plan,
                    vouchers.c.number == row.number,
                    vouchers.c.state == row.state.value,
                    vouchers.c.attempts == row.attempts,
                    vouchers.c.owner.is_(None) | (vouchers.c.owner == owner),  # our own: an interrupted rollback
                )
                .values(owner=owner)
            )
        return bool(taken.rowcount)

    def _claim_moves(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
        if self.header.copy or not rows:
            return {}
        lock_in_transaction(connection, "moved", self.header.source.account)
        ids = [row["source_id"] for row in rows]
        return claim_moves(connection, self._keys, self.header.source.account, ids, self.plan_id)

    def release(self, rows: Sequence[VoucherRow]) -> None:
        """Release claimed vouchers of which no step was run. Vouchers that are not claimed are not changed."""
        mine = (vouchers.c.state == RowState.WORKING.value, vouchers.c.owner == self.database.locks.owner())
        with self.database.write() as connection:
            numbers = sa.select(vouchers.c.number).where(
                self._of_plan, *mine, vouchers.c.number.in_([row.number for row in rows])
            )
            released = set(connection.scalars(numbers))
            free = {"state": RowState.PLANNED.value, "owner": None, "attempts": vouchers.c.attempts - 1}
            self._set(connection, sorted(released), **free)
            untouched = [row.planned.source_id for row in rows if row.attempts == 1 and row.number in released]
            delete_moves(connection, self._keys, self.header.source.account, untouched, self.plan_id)
        for row in rows:
            self.claimed.pop(row.number, None)

    def _set(self, connection: Connection, numbers: Sequence[int], **values: Any) -> None:
        if numbers:
            connection.execute(
                sa.update(vouchers)
                .where(self._of_plan, vouchers.c.number.in_(numbers))
                .values(updated_at=format_micros(now()), **values)
            )

    # --- results ---

    def begin_undo(self, row: VoucherRow, target_state: RowState, target_id: str | None, reason: str) -> None:
        """Write that all steps of a voucher are being undone. From then on no run continues its move.

        Until the end of the undo the voucher counts as being moved, so that only the steps of the plan add value at
        either account.
        """
        with self.database.write() as connection:
            self._set(
                connection, [row.number], undo_target_state=target_state.value, target_id=target_id, reason=reason
            )
            if not self.header.copy:
                reopen_moves(connection, self._keys, self.header.source.account, [row.planned.source_id], self.plan_id)

    def finish(self, results: Sequence[MoveResult]) -> None:
        """Write the results of claimed vouchers. A result that was written before changes nothing."""
        if not results:
            return
        names = ("state", "target_id", "reason", "drift_s", "undo_target_state", "generation")
        update = (
            sa.update(vouchers)
            .where(
                self._of_plan,
                vouchers.c.number == sa.bindparam("row_number"),
                vouchers.c.owner == self.database.locks.owner(),
            )
            .values({name: sa.bindparam(f"new_{name}") for name in names})
            .values(owner=None, updated_at=format_micros(now()))
        )
        with self.database.write() as connection:
            connection.execute(update, [_result_parameters(result) for result in results])
            if not self.header.copy:
                self._finish_moves(connection, results)
        for result in results:
            self.claimed.pop(result.row.number, None)

    def select_written(self, results: Sequence[MoveResult]) -> list[MoveResult]:
        """Return those of these results that are written: a process may have died while it wrote them."""
        written = []
        for batch in batched(results, _BATCH):
            query = sa.select(vouchers.c.number, vouchers.c.state, vouchers.c.attempts).where(
                self._of_plan,
                vouchers.c.owner.is_(None),
                vouchers.c.number.in_([result.row.number for result in batch]),
            )
            with self.database.read() as connection:
                present = {(number, state, attempts) for number, state, attempts in connection.execute(query)}
            written += [
                result for result in batch if (result.row.number, result.state.value, result.row.attempts) in present
            ]
        return written

    def _finish_moves(self, connection: Connection, results: Sequence[MoveResult]) -> None:
        source, target = self.header.source.account, self.header.target.account
        moved = [
            (result.row.planned.source_id, result.target_id)
            for result in results
            if result.state in (RowState.MOVED, RowState.KEPT) and result.target_id is not None
        ]
        claim_moves(
            connection, self._keys, source, [source_id for source_id, _ in moved], self.plan_id
        )  # a rollback deletes the claim
        complete_moves(connection, self._keys, source, target, moved, self.plan_id)
        stay = [result.row.planned.source_id for result in results if result.stays_at_source]
        delete_moves(connection, self._keys, source, stay, self.plan_id)

    # --- reading ---

    def counts(self) -> dict[tuple[RowState, str], tuple[int, Money]]:
        """Return the number of vouchers and their value, by state and currency."""
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

    def counts_by_state(self) -> dict[RowState, int]:
        """Return the number of vouchers in each state."""
        # Without the amounts: an index has the states of all vouchers, in a fraction of the pages of the table.
        query = sa.select(vouchers.c.state, sa.func.count()).where(self._of_plan).group_by(vouchers.c.state)
        with self.database.read() as connection:
            counts = {RowState(state): count for state, count in connection.execute(query)}
        return dict.fromkeys(RowState, 0) | counts

    def rows(self, *states: RowState) -> Iterator[VoucherRow]:
        """Iterate over the vouchers in some states, in the order of the plan."""
        is_in_states = vouchers.c.state.in_([state.value for state in states])
        query = sa.select(vouchers).where(self._of_plan, is_in_states)
        return map(VoucherRow.from_row, self.database.iterate_rows(query, vouchers.c.number))

    def iterate_states(self) -> Iterator[tuple[int, RowState, str]]:
        """Iterate over the numbers, states and reasons of all vouchers, in the order of the plan."""
        query = sa.select(vouchers.c.number, vouchers.c.state, vouchers.c.reason).where(self._of_plan)
        for row in self.database.iterate_rows(query, vouchers.c.number):
            yield row["number"], RowState(row["state"]), row["reason"] or ""

    def list_for_report(self, *states: RowState, most: int) -> list[ReportedVoucher]:
        """Return the first `most` vouchers in some states, for people."""
        return [ReportedVoucher.of(row, row.state, row.reason) for row in itertools.islice(self.rows(*states), most)]


def _result_parameters(result: MoveResult) -> dict[str, Any]:
    undo_target_state = result.undo_target_state
    return {
        "row_number": result.row.number,
        "new_state": result.state.value,
        "new_target_id": result.target_id,
        "new_reason": result.reason or None,
        "new_drift_s": result.drift_s,
        "new_undo_target_state": None if undo_target_state is None else undo_target_state.value,
        "new_generation": result.row.generation + result.restart,
    }
