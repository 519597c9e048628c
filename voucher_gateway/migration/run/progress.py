"""The progress of a run, and its report."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final

import attrs

from voucher_gateway.errors import VoucherGatewayError
from voucher_gateway.migration.run.rows import MoveResult, ReportedVoucher, RowState
from voucher_gateway.money import Money

MOST_NOTED: Final = 1000
"""The largest number of vouchers that a report names."""


@attrs.frozen(kw_only=True)
class Progress:
    """The progress of a run or a rollback.

    Attributes:
        total: how many vouchers it has to do, as far as that is known.
        counts: how many vouchers it has done, by their state.
        moved: the money that it has moved or brought back, by currency.
        elapsed_s: the time since it began, in whole seconds.
        eta_s: the time until it ends at this rate, in whole seconds; None as long as that is not known.
    """

    total: int
    counts: Mapping[RowState, int] = attrs.field(hash=False)
    moved: Mapping[str, Money] = attrs.field(hash=False)
    elapsed_s: int
    eta_s: int | None

    @property
    def finished(self) -> int:
        """How many vouchers are done."""
        return sum(self.counts.values())


OnProgress = Callable[[Progress], None]


@attrs.frozen(kw_only=True)
class RunReport:
    """What a run did.

    Attributes:
        plan_id: the plan.
        dry_run: whether it only predicted the run; then ``moved`` is what would move.
        counts: how many vouchers it has done, by their state.
        moved: the money that it moved, by currency.
        left: how many vouchers of the plan are still to be moved.
        noted: the vouchers that did not simply move; at most `MOST_NOTED`.
        in_doubt: how many vouchers of the whole plan are in doubt.
        stopped: why it ended before the plan was completed: ``paused``, ``rolled-back``, ``limit`` or ``error``.
        error: the error that stopped it.
    """

    plan_id: str
    dry_run: bool = False
    counts: Mapping[RowState, int] = attrs.field(hash=False)
    moved: Mapping[str, Money] = attrs.field(hash=False)
    left: int
    noted: tuple[ReportedVoucher, ...] = ()
    in_doubt: int = 0
    stopped: str | None = None
    error: VoucherGatewayError | None = attrs.field(default=None, eq=False)


class RunCounter:
    """Counts the results of vouchers.

    Args:
        total: how many vouchers there will be.
        success_state: their state if all goes well.
    """

    def __init__(self, total: int, success_state: RowState = RowState.MOVED) -> None:
        self.total = total
        self.success_state = success_state
        self.counts: Counter[RowState] = Counter()
        self.noted: list[ReportedVoucher] = []
        self._minor: Counter[str] = Counter()
        self._began = time.monotonic()

    def add(self, ended: MoveResult) -> None:
        """Count one voucher."""
        self.counts[ended.state] += 1
        if ended.state is self.success_state:
            value = ended.row.value
            self._minor[value.currency] += value.minor
        if (ended.state is not self.success_state or ended.reason) and len(self.noted) < MOST_NOTED:
            self.noted.append(ReportedVoucher.of(ended.row, ended.state, ended.reason))

    def money_by_currency(self) -> dict[str, Money]:
        """Return the money of the vouchers in the state of success, by currency."""
        return {currency: Money.from_minor(minor, currency) for currency, minor in sorted(self._minor.items())}

    def progress(self) -> Progress:
        """Return the progress."""
        elapsed, done = time.monotonic() - self._began, self.counts.total()
        eta = round(elapsed / done * max(0, self.total - done)) if done else None
        return Progress(
            total=self.total,
            counts=dict(self.counts),
            moved=self.money_by_currency(),
            elapsed_s=round(elapsed),
            eta_s=eta,
        )
