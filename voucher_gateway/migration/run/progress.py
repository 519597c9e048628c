"""How far a run is, and what came of it."""

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
"""So many vouchers are named in a report; `migrate status` and the state have them all."""


@attrs.frozen(kw_only=True)
class Progress:
    """How far a run is.

    Attributes:
        total: how many vouchers it has before it, as far as is known.
        counts: how many vouchers of this run stand where.
        moved: the money that this run has moved, or this rollback brought back, by currency.
        elapsed_s: since it began, in whole seconds.
        eta_s: until it is over at this rate, in whole seconds; None while nothing can be said.
    """

    total: int
    counts: Mapping[RowState, int] = attrs.field(hash=False)
    moved: Mapping[str, Money] = attrs.field(hash=False)
    elapsed_s: int
    eta_s: int | None

    @property
    def finished(self) -> int:
        """How many vouchers it is through with."""
        return sum(self.counts.values())


OnProgress = Callable[[Progress], None]


@attrs.frozen(kw_only=True)
class RunReport:
    """What a run did.

    Attributes:
        plan_id: the plan.
        dry_run: whether it only looked; then ``moved`` is what would have moved.
        counts: how many vouchers of this run stand where.
        moved: the money that it moved, by currency.
        left: how many vouchers nobody has set about yet.
        noted: vouchers that did not simply move, `MOST_NOTED` at most.
        in_doubt: how many vouchers of the whole plan are in doubt.
        stopped: why it ended before the plan was through: ``paused``, ``rolled-back``, ``limit`` or ``error``.
        error: the error that kept it from going on.
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
    """Adds up what comes of vouchers.

    Args:
        total: how many there will be.
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
        """Return the money of those that stand where they are to."""
        return {currency: Money.from_minor(minor, currency) for currency, minor in sorted(self._minor.items())}

    def progress(self) -> Progress:
        """Return how far the run is."""
        elapsed, done = time.monotonic() - self._began, self.counts.total()
        eta = round(elapsed / done * max(0, self.total - done)) if done else None
        return Progress(
            total=self.total,
            counts=dict(self.counts),
            moved=self.money_by_currency(),
            elapsed_s=round(elapsed),
            eta_s=eta,
        )
