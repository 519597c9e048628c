"""How far a migration is: the progress and the report of a run, and the status of a plan."""

from __future__ import annotations

import itertools
import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Final

import attrs

from voucher_gateway.errors import VoucherGatewayError
from voucher_gateway.gateway.gateway import Gateway
from voucher_gateway.migration.plan.plan_file import Plan, open_plan
from voucher_gateway.migration.rate_meter import RateMeter
from voucher_gateway.migration.run.rows import MoveResult, ReportedVoucher
from voucher_gateway.migration.run.state import MigrationState
from voucher_gateway.migration.run_records import RunRecord, run_records
from voucher_gateway.migration.schema import PlanState, RowState
from voucher_gateway.money import Money
from voucher_gateway.process.loggers import get_logger

log: Final = get_logger("voucher_gateway.migration")
"""Its lines name plans by their ids and vouchers by their numbers in the plan. A code is never in them."""

MOST_NOTED: Final = 1000
"""The largest number of vouchers that a report names."""


NOT_MOVED: Final = (RowState.CHANGED, RowState.REFUSED)
"""The states of vouchers that stay at the source until they are planned again."""


@attrs.frozen(kw_only=True)
class Progress:
    """The progress of a run or a rollback.

    Attributes:
        total: the number of vouchers to do, as far as it is known.
        counts: the number of finished vouchers, by state.
        moved: the value that was moved or brought back, by currency.
        elapsed_s: the time since the begin, in whole seconds.
        per_s: how many vouchers were finished in a second, in the last half minute; None if it is not known yet.
        eta_s: the time until the end at that rate, in whole seconds; None if it is not known yet.
        put_off: the number of vouchers that could not be moved now. They stay where they are until the next run.
    """

    total: int
    counts: Mapping[RowState, int] = attrs.field(hash=False)
    moved: Mapping[str, Money] = attrs.field(hash=False)
    elapsed_s: int
    per_s: Decimal | None = None
    eta_s: int | None
    put_off: int = 0

    @property
    def finished(self) -> int:
        """The number of finished vouchers."""
        return sum(self.counts.values())


OnProgress = Callable[[Progress], None]


@attrs.frozen(kw_only=True)
class StateTotal:
    """The vouchers in one state.

    Attributes:
        count: the number of vouchers.
        money: their value, by currency.
    """

    count: int
    money: Mapping[str, Money] = attrs.field(hash=False)


@attrs.frozen(kw_only=True)
class RunReport:
    """The report of a run.

    Attributes:
        plan_id: the plan.
        dry_run: whether the run was only predicted. Then ``moved`` is the value that would be moved.
        counts: the number of finished vouchers, by state.
        moved: the value that was moved, by currency.
        left: the number of vouchers of the plan that have still to be moved.
        put_off: the number of these that could not be moved now, because of `error`. The next run tries them again.
        voucher_ms: the measured time of a voucher in the whole run, in milliseconds; None if none was measured.
        rest_s: how long the vouchers that are left probably take by that, in whole seconds; None if it is not known.
        vouchers: the vouchers of the whole plan in each state, whichever run has moved them.
        noted: the vouchers with a reason to report, also those that an earlier run has not moved; at most `MOST_NOTED`.
        in_doubt: the number of vouchers of the whole plan that are in doubt.
        stopped: why the run ended before the plan was complete: ``paused``, ``rolled-back``, ``limit`` or ``error``.
        error: the error that stopped the run.
        lost_processes: sentences about the processes of the run that ended without a report, such as one that was
            killed. The others have taken over their vouchers.
    """

    plan_id: str
    dry_run: bool = False
    counts: Mapping[RowState, int] = attrs.field(hash=False)
    moved: Mapping[str, Money] = attrs.field(hash=False)
    left: int
    put_off: int = 0
    voucher_ms: int | None = None
    rest_s: int | None = None
    vouchers: Mapping[RowState, StateTotal] = attrs.field(factory=dict, hash=False)
    noted: tuple[ReportedVoucher, ...] = ()
    in_doubt: int = 0
    stopped: str | None = None
    error: VoucherGatewayError | None = attrs.field(default=None, eq=False)
    lost_processes: tuple[str, ...] = ()

    @property
    def not_moved(self) -> dict[RowState, int]:
        """The vouchers of the whole plan that were not moved by any run, as they had changed or were refused."""
        predicted = self.counts if self.dry_run else {}
        recorded = {state: total.count for state, total in self.vouchers.items()}
        sums = {state: recorded.get(state, 0) + predicted.get(state, 0) for state in NOT_MOVED}
        return {state: count for state, count in sums.items() if count}


@attrs.frozen
class MoveSeconds:
    """The measured time of a move, in seconds.

    Attributes:
        elapsed: from its begin to its end.
        processor: of the processor.
    """

    elapsed: float
    processor: float


class RunCounter:
    """Counts the results of vouchers.

    Args:
        total: the number of vouchers.
        success_state: the state of a voucher after a success.
    """

    def __init__(self, total: int, success_state: RowState = RowState.MOVED) -> None:
        self.total = total
        self.success_state = success_state
        self.counts: Counter[RowState] = Counter()
        self.put_off = 0
        self._noted: dict[int, ReportedVoucher] = {}
        self._in_doubt: set[int] = set()
        self._announced: Sequence[MoveResult] = ()
        self._minor: Counter[str] = Counter()
        self._began = time.monotonic()
        self._meter = RateMeter()
        self._timed = 0
        self._elapsed_s = 0.0
        self._processor_s = 0.0

    @property
    def noted(self) -> list[ReportedVoucher]:
        """The vouchers with a reason to report; at most `MOST_NOTED`."""
        return list(self._noted.values())

    def announce(self, results: Sequence[MoveResult]) -> None:
        """Keep results that are about to be written."""
        self._announced = results

    def confirm(self) -> None:
        """Count the results that were announced: they are written."""
        for result in self._announced:
            self.add(result)
        self._announced = ()

    def add(self, result: MoveResult) -> None:
        """Count one voucher. A voucher that was counted as in doubt is counted again when it is looked at again."""
        self._forget_doubt(result.row.number)
        if result.state is RowState.PLANNED:
            self.put_off += 1
            return
        self.counts[result.state] += 1
        if result.elapsed_s is not None and result.processor_s is not None:
            self._timed += 1
            self._elapsed_s += result.elapsed_s
            self._processor_s += result.processor_s
        if result.state is RowState.IN_DOUBT:
            self._in_doubt.add(result.row.number)
        if result.state is self.success_state:
            value = result.row.value
            self._minor[value.currency] += value.minor
        if (result.state is not self.success_state or result.reason) and len(self._noted) < MOST_NOTED:
            self._noted[result.row.number] = ReportedVoucher.of(result.row, result.state, result.reason)

    def _forget_doubt(self, number: int) -> None:
        if number in self._in_doubt:
            self._in_doubt.remove(number)
            self._noted.pop(number, None)
            self.counts[RowState.IN_DOUBT] -= 1
            self.counts += Counter()  # leaves out a state without a voucher

    def money_by_currency(self) -> dict[str, Money]:
        """Return the money of the vouchers in the state of success, by currency."""
        return {currency: Money.from_minor(minor, currency) for currency, minor in sorted(self._minor.items())}

    @property
    def mean_move_s(self) -> MoveSeconds | None:
        """The mean time of the finished vouchers; None if none was measured."""
        if not self._timed:
            return None
        return MoveSeconds(self._elapsed_s / self._timed, self._processor_s / self._timed)

    def progress(self) -> Progress:
        """Return the progress."""
        done = self.counts.total()
        self._meter.note(done)
        per_second = self._meter.per_second
        return Progress(
            total=max(self.total, done + self.put_off),
            counts=dict(self.counts),
            moved=self.money_by_currency(),
            elapsed_s=round(time.monotonic() - self._began),
            per_s=None if per_second is None else Decimal(round(per_second * 10)).scaleb(-1),
            eta_s=self.seconds_for(self.total - done - self.put_off),
            put_off=self.put_off,
        )

    def seconds_for(self, rest: int) -> int | None:
        """Return how long so many more vouchers take at the present rate, in whole seconds; None if it is not known."""
        return self._meter.seconds_for(rest)


@attrs.frozen(kw_only=True)
class MigrationStatus:
    """The status of a migration.

    Attributes:
        plan_id: the plan.
        source: the account that vouchers come from.
        target: the account that they go to.
        state: the state of the migration; None if no run has begun.
        vouchers: the vouchers in each state.
        workers: the number of vouchers that each process has claimed, by the name of the process.
        left_behind: the number of vouchers that dead processes have claimed. The next run continues with them.
        rest_s: how long the vouchers that are left probably take, in whole seconds, by the time of the last run; None
            if that is not known.
        noted: the vouchers that are in doubt, changed, refused or kept, with the reasons; at most `MOST_NOTED`.
        runs: who has run, rolled back and verified the plan, the oldest first.
    """

    plan_id: str
    source: str
    target: str
    state: PlanState | None
    vouchers: Mapping[RowState, StateTotal] = attrs.field(hash=False)
    workers: Mapping[str, int] = attrs.field(hash=False)
    left_behind: int
    rest_s: int | None = None
    noted: tuple[ReportedVoucher, ...] = ()
    runs: tuple[RunRecord, ...] = ()

    def count(self, state: RowState) -> int:
        """Return the number of vouchers in a state."""
        total = self.vouchers.get(state)
        return 0 if total is None else total.count


def status_of(gateway: Gateway, plan: Path | Plan) -> MigrationStatus:
    """Return the status of a plan. No request is sent to a vendor.

    Raises:
        ConfigurationError: if the plan was changed, or the gateway has no journal.
    """
    with open_plan(plan) as opened:
        summary = opened.summary
    state = MigrationState.of(gateway, summary)
    owners = state.owners()
    alive = {owner: count for owner, count in owners.items() if state.database.locks.alive(owner)}
    states = (RowState.IN_DOUBT, RowState.CHANGED, RowState.REFUSED, RowState.KEPT)
    vouchers = totals_by_state(state)
    plan_state = state.plan_state()
    left = 0 if plan_state is PlanState.ROLLED_BACK else _count_left(vouchers)
    return MigrationStatus(
        plan_id=summary.id,
        source=summary.header.source.account,
        target=summary.header.target.account,
        state=plan_state,
        vouchers=vouchers,
        workers=alive,
        left_behind=sum(owners.values()) - sum(alive.values()),
        rest_s=seconds_for(left, _last_voucher_ms(state)),
        noted=tuple(state.list_for_report(*states, most=MOST_NOTED)),
        runs=tuple(run_records(state.database, summary.id)),
    )


def _count_left(vouchers: Mapping[RowState, StateTotal]) -> int:
    return sum(vouchers[state].count for state in (RowState.PLANNED, RowState.WORKING) if state in vouchers)


def _last_voucher_ms(state: MigrationState) -> int | None:
    """Return the time of a voucher in the last run that measured one."""
    times = [record.details.get("voucher_ms") for record in run_records(state.database, state.plan_id)]
    return next((time for time in reversed(times) if isinstance(time, int)), None)


def seconds_for(vouchers: int, voucher_ms: int | None) -> int | None:
    """Return how long so many vouchers take, in whole seconds; None if that is not known, or there are none."""
    return None if voucher_ms is None or not vouchers else -(-vouchers * voucher_ms // 1000)


def run_details(
    counts: Mapping[RowState, int], money: Mapping[str, Money], error: BaseException | None
) -> dict[str, object]:
    """Return what a run or rollback has done, as JSON values for its record."""
    details: dict[str, object] = {
        "counts": {state.value: count for state, count in sorted(counts.items())},
        "money": {currency: f"{amount.amount:f}" for currency, amount in sorted(money.items())},
    }
    if error is not None:
        details["error"] = type(error).__name__
    return details


def vouchers_for_attention(state: MigrationState, counter: RunCounter) -> tuple[ReportedVoucher, ...]:
    """Return the vouchers with a reason to report: those of this run, and those that earlier runs have not moved."""
    noted = {voucher.number: voucher for voucher in counter.noted}
    for voucher in state.list_for_report(*NOT_MOVED, most=MOST_NOTED):
        noted.setdefault(voucher.number, voucher)
    return tuple(itertools.islice(noted.values(), MOST_NOTED))


def totals_by_state(state: MigrationState) -> dict[RowState, StateTotal]:
    """Return the vouchers of a plan in each state."""
    totals: dict[RowState, StateTotal] = {}
    for (row_state, currency), (count, money) in state.counts().items():
        before = totals.get(row_state, StateTotal(count=0, money={}))
        totals[row_state] = StateTotal(count=before.count + count, money={**before.money, currency: money})
    return totals


def log_result(plan_id: str, result: MoveResult) -> None:
    """Log the result of one voucher. An uneventful move is logged for debugging only."""
    needs_attention = result.state in (RowState.CHANGED, RowState.REFUSED, RowState.IN_DOUBT, RowState.KEPT)
    level = logging.WARNING if needs_attention else logging.INFO if result.state is RowState.PLANNED else logging.DEBUG
    state = "put off" if result.state is RowState.PLANNED else result.state.value
    log.log(level, "plan %s: voucher %d: %s", plan_id[:12], result.row.number, state)


def log_end(plan_id: str, work: str, counts: Mapping[RowState, int]) -> None:
    """Log the end of a run or rollback, with the number of vouchers by state."""
    text = ", ".join(f"{count} {state.value}" for state, count in counts.items())
    log.info("plan %s: the %s has ended: %s", plan_id[:12], work, text or "no voucher")
