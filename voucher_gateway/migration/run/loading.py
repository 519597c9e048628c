"""A plan in the database: where it stands as a whole, and its vouchers written down from its file."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from voucher_gateway.errors import OperationInProgress
from voucher_gateway.instants import format_micros, now
from voucher_gateway.migration.plan.model import Action, PlanHeader, PlannedVoucher
from voucher_gateway.migration.run.rows import PlanState, RowState, value_of, write_planned
from voucher_gateway.migration.run.schema import SCHEMA, plans, vouchers
from voucher_gateway.storage.engine import Database
from voucher_gateway.storage.schema_upgrade import upgrade_schema

_BATCH: Final = 1000
_LOADING_WAIT_S: Final = 3600.0


class Loading:
    """One plan in the database.

    Args:
        database: the journal's; the tables are made if they are not there.
        plan_id: the plan's hash.
        header: what holds for all of its vouchers.
    """

    def __init__(self, database: Database, plan_id: str, header: PlanHeader) -> None:
        upgrade_schema(SCHEMA, database.write, database.locks)
        self.database = database
        self.plan_id = plan_id
        self._header = header
        self._of_plan = vouchers.c.plan_id == plan_id

    def plan_state(self) -> PlanState | None:
        """Return where the migration stands; None if it was never begun."""
        with self.database.read() as connection:
            state = connection.scalar(sa.select(plans.c.state).where(plans.c.id == self.plan_id))
        return None if state is None else PlanState(state)

    def set_plan_state(self, state: PlanState, *, only_from: Collection[PlanState]) -> bool:
        """Write where the migration stands, if it stands where it may come from, and say whether it does.

        Workers of all machines look at it between two vouchers. Whatever is decided elsewhere in the same moment,
        nothing leads out of a rollback.
        """
        with self.database.write() as connection:
            written = connection.execute(
                sa.update(plans)
                .where(plans.c.id == self.plan_id, plans.c.state.in_([state_.value for state_ in only_from]))
                .values(state=state.value, updated_at=format_micros(now()))
            )
        return bool(written.rowcount)

    @contextmanager
    def one_process(self, doing: str, otherwise: str) -> Iterator[None]:
        """Keep other processes from doing the same with this plan.

        Args:
            doing: what.
            otherwise: what is said to the second one.

        Raises:
            OperationInProgress: if one does.
        """
        with ExitStack() as held:
            try:
                held.enter_context(self.database.locks.hold(f"migration-{doing}\0{self.plan_id}", wait_s=0.5))
                free = True
            except OperationInProgress:
                free = False
            if not free:
                raise OperationInProgress(otherwise)
            yield

    def load(self, planned: Iterable[PlannedVoucher]) -> None:
        """Write the vouchers that are to be carried down, unless that is done; a broken-off loading is gone on with."""
        with self.database.locks.hold(f"migration\0{self.plan_id}", wait_s=_LOADING_WAIT_S):
            with self.database.write() as connection:
                begun = self._is_complete(connection)
                last = connection.scalar(sa.select(sa.func.max(vouchers.c.number)).where(self._of_plan)) or 0
            if begun:
                return
            carried = (voucher for voucher in planned if voucher.action is Action.CARRY and voucher.number > last)
            while batch := list(itertools.islice(carried, _BATCH)):
                with self.database.write() as connection:
                    connection.execute(sa.insert(vouchers), [self._new(voucher) for voucher in batch])
            with self.database.write() as connection:
                connection.execute(sa.update(plans).where(plans.c.id == self.plan_id).values(loaded=True))

    def _is_complete(self, connection: Connection) -> bool:
        """Return whether everything is loaded; a plan that was never seen is written."""
        loaded = connection.scalar(sa.select(plans.c.loaded).where(plans.c.id == self.plan_id))
        if loaded is None:
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
        return bool(loaded)

    def _new(self, voucher: PlannedVoucher) -> dict[str, Any]:
        value = value_of(voucher)
        return {
            "plan_id": self.plan_id,
            "number": voucher.number,
            "source_id": voucher.source_id,
            "minor": value.minor,
            "currency": value.currency,
            "planned": write_planned(voucher),
            "state": RowState.PLANNED.value,
            "tries": 0,
            "round": 0,
            "updated_at": format_micros(now()),
        }
