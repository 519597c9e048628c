"""Inserts the vouchers of a plan into the database. Runs claim them there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from voucher_gateway.errors import ConfigurationError
from voucher_gateway.instants import format_micros, now
from voucher_gateway.iteration import batched
from voucher_gateway.migration.plan.model import Action, PlannedVoucher
from voucher_gateway.migration.plan.voucher_text import voucher_text
from voucher_gateway.migration.run.rows import VoucherRow, value_of
from voucher_gateway.migration.run.state import MigrationState
from voucher_gateway.migration.schema import PlanState, RowState, plans, vouchers

_BATCH: Final = 1000
_LOADING_WAIT_S: Final = 3600.0


def load_vouchers(state: MigrationState, planned: Iterable[PlannedVoucher]) -> None:
    """Insert the vouchers to carry into the database, or continue an interrupted load.

    Args:
        state: the state of the plan.
        planned: the vouchers of the plan, in its order.
    """
    with state.database.locks.hold(f"migration\0{state.plan_id}", wait_s=_LOADING_WAIT_S):
        with state.database.write() as connection:
            loaded = _is_loaded(connection, state.plan_id)
            if loaded is None:
                connection.execute(sa.insert(plans), _plan_row(state))
            last = _last_number(connection, state.plan_id)
        if loaded:
            return
        rest = (voucher for voucher in planned if voucher.action is Action.CARRY and voucher.number > last)
        for batch in batched(rest, _BATCH):
            with state.database.write() as connection:
                connection.execute(sa.insert(vouchers), [_voucher_row(state.plan_id, voucher) for voucher in batch])
        with state.database.write() as connection:
            connection.execute(sa.update(plans).where(plans.c.id == state.plan_id).values(loaded=True))


def require_begun(state: MigrationState, sentence: str) -> None:
    """Check that this journal knows a run of a plan.

    Args:
        state: the state of the plan.
        sentence: what cannot be done without a run.

    Raises:
        ConfigurationError: if it knows none.
    """
    if state.plan_state() is None:
        raise ConfigurationError(
            f"{sentence}: this journal knows no run of the plan. If it was run, name the journal of that run"
        )


def vouchers_not_loaded(state: MigrationState, planned: Iterable[PlannedVoucher]) -> Iterator[VoucherRow]:
    """Yield the vouchers to carry that are not in the database yet, as `load_vouchers` would insert them."""
    with state.database.read() as connection:
        loaded = _is_loaded(connection, state.plan_id)
        last = _last_number(connection, state.plan_id)
    for voucher in () if loaded else planned:
        if voucher.action is Action.CARRY and voucher.number > last:
            yield VoucherRow(planned=voucher, state=RowState.PLANNED, attempts=0, generation=0)


def _is_loaded(connection: Connection, plan_id: str) -> bool | None:
    """Return whether all vouchers are in the database; None if the plan is not there."""
    loaded: bool | None = connection.scalar(sa.select(plans.c.loaded).where(plans.c.id == plan_id))
    return loaded


def _last_number(connection: Connection, plan_id: str) -> int:
    return connection.scalar(sa.select(sa.func.max(vouchers.c.number)).where(vouchers.c.plan_id == plan_id)) or 0


def _plan_row(state: MigrationState) -> dict[str, Any]:
    at = format_micros(now())
    return {
        "id": state.plan_id,
        "source": state.header.source.account,
        "target": state.header.target.account,
        "state": PlanState.RUNNING.value,
        "loaded": False,
        "created_at": at,
        "updated_at": at,
    }


def _voucher_row(plan_id: str, voucher: PlannedVoucher) -> dict[str, Any]:
    value = value_of(voucher)
    return {
        "plan_id": plan_id,
        "number": voucher.number,
        "source_id": voucher.source_id,
        "minor": value.minor,
        "currency": value.currency,
        "planned": voucher_text(voucher),
        "state": RowState.PLANNED.value,
        "attempts": 0,
        "generation": 0,
        "updated_at": format_micros(now()),
    }
