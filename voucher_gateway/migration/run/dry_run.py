"""A dry run: both ends are looked at again, and it is said what would become of each voucher. Nothing is changed."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import sqlalchemy as sa

from voucher_gateway.capabilities import Operation
from voucher_gateway.errors import Declined, VoucherGatewayError, VoucherNotFound
from voucher_gateway.journal.records import OperationRecord, OperationState
from voucher_gateway.migration.plan.model import Action
from voucher_gateway.migration.plan.plan_file import read_vouchers
from voucher_gateway.migration.run.context import MigrationContext
from voucher_gateway.migration.run.progress import OnProgress, RunCounter, RunReport
from voucher_gateway.migration.run.rows import MoveResult, RowState, VoucherRow
from voucher_gateway.migration.run.schema import plans, vouchers
from voucher_gateway.migration.run.source_check import SourceChanged, SourceCheck
from voucher_gateway.migration.run.state import MigrationState
from voucher_gateway.migration.run.undo import ACTIVATE, CREATE, FREEZE, RETIRE
from voucher_gateway.models.voucher import Voucher


def predict_run(
    journey: MigrationContext,
    state: MigrationState,
    plan: Path,
    *,
    limit: int | None,
    workers: int | None,
    on_progress: OnProgress | None,
) -> RunReport:
    """Look at each voucher that a run would set about, and return what would come of it."""
    standing = SourceCheck(journey)
    tally = RunCounter(sum(1 for _ in _due(state, plan, limit)))
    results = journey.ordered_map(partial(_predict_result, journey, standing), _due(state, plan, limit), workers)
    for result in results:
        tally.add(result)
        if on_progress is not None:
            on_progress(tally.progress())
    if on_progress is not None:
        on_progress(tally.progress())
    return RunReport(
        plan_id=journey.plan_id,
        dry_run=True,
        counts=dict(tally.counts),
        moved=tally.money_by_currency(),
        left=tally.total,
        noted=tuple(tally.noted),
    )


def _due(state: MigrationState, plan: Path, limit: int | None) -> Iterator[VoucherRow]:
    return itertools.islice(itertools.chain(_pending_rows(state), _to_be_loaded(state, plan)), limit)


def _pending_rows(state: MigrationState) -> Iterator[VoucherRow]:
    left_behind = _abandoned_rows(state)
    for row in state.rows(RowState.PLANNED, RowState.IN_DOUBT, RowState.WORKING):
        if row.state is not RowState.WORKING or row.number in left_behind:
            yield row


def _to_be_loaded(state: MigrationState, plan: Path) -> Iterator[VoucherRow]:
    """Give what no run has taken from the plan yet: all of it, unless one was begun."""
    of_plan, last_number = vouchers.c.plan_id == state.plan_id, sa.func.max(vouchers.c.number)
    with state.database.read() as connection:
        if connection.scalar(sa.select(plans.c.loaded).where(plans.c.id == state.plan_id)):
            return
        last = connection.scalar(sa.select(last_number).where(of_plan)) or 0
    for voucher in read_vouchers(plan):
        if voucher.action is Action.CARRY and voucher.number > last:
            yield VoucherRow(planned=voucher, state=RowState.PLANNED, attempts=0, generation=0)


def _abandoned_rows(state: MigrationState) -> set[int]:
    """Return the numbers of the vouchers that dead processes had claimed: a run takes them up again."""
    dead = [owner for owner in state.owners() if not state.database.locks.alive(owner)]
    query = sa.select(vouchers.c.number).where(
        vouchers.c.plan_id == state.plan_id,
        vouchers.c.state == RowState.WORKING.value,
        vouchers.c.owner.in_(dead),
    )
    with state.database.read() as connection:
        return set(connection.scalars(query))


def _predict_result(journey: MigrationContext, standing: SourceCheck, row: VoucherRow) -> MoveResult:
    if row.undo_target_state is not None:  # its undoing was broken off: that is gone on with
        doubtful = row.state is RowState.IN_DOUBT
        return MoveResult(row=row, state=RowState.IN_DOUBT if doubtful else row.undo_target_state, reason=row.reason)
    before = _ProgressSoFar(journey, row)
    if before.unsettled is not None:
        key = before.unsettled.key
        reason = f"whether its {key.verb} at {key.account} happened is not known yet: a run finds out, if that can be"
        return MoveResult(row=row, state=RowState.IN_DOUBT, reason=reason)
    try:
        if not before.retired:
            seen = journey.read(journey.source, row.planned.source_id)
            standing.require_as_planned(seen, row.planned, frozen=before.frozen)
        if before.made is not None:
            return _predict_partly_moved(journey, row, before.made)
        code, destination = seen.voucher.code, row.planned.destination
        assert destination is not None
        if code is not None and not destination.new_code and journey.target_can.of(Operation.FIND).available:
            existing = journey.retry_while_safe(lambda: journey.gateway.provider(journey.target).find(code))
            return MoveResult(
                row=row, state=RowState.REFUSED, reason=f"the target has its code already ({existing.id})"
            )
    except VoucherNotFound as error:
        if error.account == journey.target:
            return MoveResult(row=row, state=RowState.MOVED)
        return MoveResult(row=row, state=RowState.CHANGED, reason="it is not there any more")
    except SourceChanged as found_out:
        return MoveResult(row=row, state=RowState.CHANGED, reason=str(found_out))
    except Declined as error:
        return MoveResult(row=row, state=RowState.REFUSED, reason=str(error))
    except VoucherGatewayError as error:
        return MoveResult(row=row, state=RowState.PLANNED, reason=error.message)
    return MoveResult(row=row, state=RowState.MOVED)


class _ProgressSoFar:
    """What a run that was broken off had done already to a voucher, by the journal.

    Attributes:
        unsettled: an operation of which nobody knows yet whether it happened.
        frozen: whether the source was stopped.
        made: the creating of the voucher at the target, if it happened.
        retired: whether the source was retired.
    """

    def __init__(self, journey: MigrationContext, row: VoucherRow) -> None:
        source, target = journey.source, journey.target
        retiring = (Operation.REDEEM, Operation.UPDATE, Operation.DELETE)
        steps = [(source, Operation.DEACTIVATE, FREEZE), (target, Operation.ISSUE, CREATE)]
        steps += [(source, row, RETIRE) for row in retiring] + [(target, Operation.ACTIVATE, ACTIVATE)]
        entries = [journey.entry(account, verb, row, step) for account, verb, step in steps if row.attempts]
        known = [entry for entry in entries if entry is not None]
        done = {row.key.verb: row for row in known if row.state is OperationState.SUCCEEDED}
        self.unsettled = next(
            (row for row in known if row.state in (OperationState.OPEN, OperationState.UNKNOWN)), None
        )
        self.frozen = Operation.DEACTIVATE in done
        self.made = done.get(Operation.ISSUE)
        self.retired = self.made is not None and any(row in done for row in retiring)


def _predict_partly_moved(journey: MigrationContext, row: VoucherRow, entry: OperationRecord) -> MoveResult:
    """Say what becomes of a voucher that is at the target already."""
    issued = entry.replay()
    assert isinstance(issued, Voucher)
    if not issued.id:  # a person who decided that it is there need not have known it
        return MoveResult(row=row, state=RowState.MOVED)
    try:
        left = journey.read(journey.target, issued.id).remaining
    except VoucherNotFound:
        return MoveResult(row=row, state=RowState.PLANNED, reason="the target does not show the voucher yet")
    used = "" if left in (None, row.value) else f"it was used at the target already: it has {left} left there"
    return MoveResult(row=row, state=RowState.MOVED, target_id=issued.id, reason=used)
