"""A dry run: both ends are looked at again, and it is said what would become of each voucher. Nothing is changed."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from voucher_gateway.adapter import Declined, Operation, VoucherGatewayError, VoucherNotFound
from voucher_gateway.migration.changes import Changed
from voucher_gateway.migration.journey import Journey
from voucher_gateway.migration.plan import Action
from voucher_gateway.migration.plan_file import read_vouchers
from voucher_gateway.migration.progress import Adding, OnProgress, RunReport
from voucher_gateway.migration.rates import Rates
from voucher_gateway.migration.records import Ended, Row, RowState
from voucher_gateway.migration.standing import Standing
from voucher_gateway.migration.state import MigrationState
from voucher_gateway.pacing import paced


def rehearse(
    journey: Journey,
    state: MigrationState,
    plan: Path,
    *,
    limit: int | None,
    workers: int | None,
    on_progress: OnProgress | None,
) -> RunReport:
    """Look at each voucher that a run would set about, and return what would come of it."""
    standing = Standing(journey)
    rates = Rates(journey.header.rates, journey.stop)

    def look(row: Row) -> Ended:
        with paced(rates.wait):
            return _looked_at(journey, standing, row)

    most = workers or journey.header.workers
    tally = Adding(sum(1 for _ in _due(state, plan, limit)))
    waiting: deque[Future[Ended]] = deque()
    with ThreadPoolExecutor(most, thread_name_prefix="rehearsal") as pool:
        for row in _due(state, plan, limit):
            waiting.append(pool.submit(look, row))
            if len(waiting) >= 2 * most:
                tally.add(waiting.popleft().result())
                if on_progress is not None:
                    on_progress(tally.progress())
        for one in waiting:
            tally.add(one.result())
    if on_progress is not None:
        on_progress(tally.progress())
    return RunReport(
        plan_id=journey.plan_id,
        dry_run=True,
        counts=dict(tally.counts),
        moved=tally.moved(),
        left=tally.total,
        noted=tuple(tally.noted),
    )


def _due(state: MigrationState, plan: Path, limit: int | None) -> Iterator[Row]:
    if state.plan_state() is not None:
        return itertools.islice(state.rows(RowState.PLANNED), limit)
    carried = (one for one in read_vouchers(plan) if one.action is Action.CARRY)
    rows = (Row(planned=one, state=RowState.PLANNED, tries=0, round=0) for one in carried)
    return itertools.islice(rows, limit)


def _looked_at(journey: Journey, standing: Standing, row: Row) -> Ended:
    try:
        seen = journey.read(journey.source, row.planned.source_id)
        standing.check(seen, row.planned, frozen=False)
        code, destination = seen.voucher.code, row.planned.destination
        assert destination is not None
        if code is not None and not destination.new_code and journey.target_can.of(Operation.FIND).available:
            found = journey.patiently(lambda: journey.gateway.provider(journey.target).find(code))
            return Ended(row=row, state=RowState.REFUSED, reason=f"the target has its code already ({found.id})")
    except VoucherNotFound as error:
        if error.account == journey.target:
            return Ended(row=row, state=RowState.MOVED)
        return Ended(row=row, state=RowState.CHANGED, reason="it is not there any more")
    except Changed as found_out:
        return Ended(row=row, state=RowState.CHANGED, reason=str(found_out))
    except Declined as error:
        return Ended(row=row, state=RowState.REFUSED, reason=str(error))
    except VoucherGatewayError as error:
        return Ended(row=row, state=RowState.PLANNED, reason=error.message)
    return Ended(row=row, state=RowState.MOVED)
