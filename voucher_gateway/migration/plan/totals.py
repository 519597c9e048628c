"""The totals of a plan."""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from datetime import timedelta
from typing import Final

import attrs

from voucher_gateway.listing.page import ListingReport
from voucher_gateway.migration.plan.model import Action, Kind, PlannedVoucher
from voucher_gateway.money import Money

NO_END: Final = "none"
"""Replaces the month for vouchers that do not end, or whose end is not known yet."""


@attrs.frozen(kw_only=True)
class Tally:
    """The number of some vouchers, and their remaining value.

    Attributes:
        count: how many they are.
        money: their remaining value, by currency. Vouchers of unknown value are only counted.
    """

    count: int = 0
    money: Mapping[str, Money] = attrs.field(factory=dict, hash=False)


@attrs.frozen(kw_only=True)
class Totals:
    """The totals of a plan.

    Attributes:
        all: all vouchers of the source.
        actions: by action.
        kinds: by kind.
        by_kind_and_action: by kind and action, as ``partly-used/carry``.
        losses: by the name of the loss, for carried vouchers.
        losses_of_refused: by the name of the loss, for vouchers that are not carried.
        reasons: by the reason why vouchers are skipped or refused.
        months: by the month (UTC) of the end of validity, and action, as ``2026-12/carry``.
        double_spendable: the largest value that can be spent twice at any moment, by currency; empty if nothing can.
        longest_drift: the longest time by which a carried voucher ends later at the target.
        listing: the report of the listing of the source.
    """

    all: Tally
    actions: Mapping[Action, Tally] = attrs.field(hash=False)
    kinds: Mapping[Kind, Tally] = attrs.field(hash=False)
    by_kind_and_action: Mapping[str, Tally] = attrs.field(hash=False)
    losses: Mapping[str, Tally] = attrs.field(hash=False)
    losses_of_refused: Mapping[str, Tally] = attrs.field(factory=dict, hash=False)
    reasons: Mapping[str, Tally] = attrs.field(hash=False)
    months: Mapping[str, Tally] = attrs.field(hash=False)
    double_spendable: Mapping[str, Money] = attrs.field(factory=dict, hash=False)
    longest_drift: timedelta = timedelta()
    listing: ListingReport

    def of(self, action: Action) -> Tally:
        """Return the vouchers with this action."""
        return self.actions.get(action, Tally())


class _RunningTotal:
    """A tally that grows, in whole minor units."""

    __slots__ = ("count", "units")

    def __init__(self) -> None:
        self.count = 0
        self.units: dict[str, int] = {}

    def add(self, money: Money | None) -> None:
        self.count += 1
        if money is not None:
            self.units[money.currency] = self.units.get(money.currency, 0) + money.minor

    def tally(self) -> Tally:
        money = {currency: Money.from_minor(units, currency) for currency, units in sorted(self.units.items())}
        return Tally(count=self.count, money=money)


class TotalsBuilder:
    """Adds up the totals while a plan is written.

    Args:
        workers: how many vouchers are moved at a time, if they can then be spent twice; None if they cannot.
        whole: whether all carried vouchers can be spent twice permanently.
    """

    def __init__(self, *, workers: int | None = None, whole: bool = False) -> None:
        self._workers = workers
        self._whole = whole
        self._all = _RunningTotal()
        self._groups: dict[str, dict[str, _RunningTotal]] = {}
        self._largest: dict[str, list[int]] = {}
        self._drift = timedelta()

    def add(self, planned: PlannedVoucher) -> None:
        """Add one voucher."""
        money = planned.remaining
        self._all.add(money)
        month = NO_END if planned.valid_until is None else f"{planned.valid_until:%Y-%m}"
        self._add_to("actions", planned.action, money)
        self._add_to("kinds", planned.kind, money)
        self._add_to("fates", f"{planned.kind}/{planned.action}", money)
        self._add_to("months", f"{month}/{planned.action}", money)
        for loss in planned.losses:
            self._add_to("losses" if planned.action is Action.CARRY else "at_stake", loss, money)
        for reason in planned.reasons:
            self._add_to("reasons", reason, money)
        if planned.action is not Action.CARRY:
            return
        self._add_double_spendable(money)
        self._add_drift(planned)

    @property
    def carried(self) -> int:
        """The number of carried vouchers so far."""
        return self._groups.get("actions", {}).get(Action.CARRY, _RunningTotal()).count

    def totals(self, listing: ListingReport) -> Totals:
        """Return the totals."""
        return Totals(
            all=self._all.tally(),
            actions={Action(name): count for name, count in self._group("actions").items()},
            kinds={Kind(name): count for name, count in self._group("kinds").items()},
            by_kind_and_action=self._group("fates"),
            losses=self._group("losses"),
            losses_of_refused=self._group("at_stake"),
            reasons=self._group("reasons"),
            months=self._group("months"),
            double_spendable=self._double_spendable(),
            longest_drift=self._drift,
            listing=listing,
        )

    def _add_to(self, group: str, name: str, money: Money | None) -> None:
        sums = self._groups.setdefault(group, {})
        sums.setdefault(str(name), _RunningTotal()).add(money)

    def _group(self, group: str) -> dict[str, Tally]:
        return {name: count.tally() for name, count in sorted(self._groups.get(group, {}).items())}

    def _add_double_spendable(self, money: Money | None) -> None:
        """Keep the largest values, one for each worker: no more vouchers can be between two steps at a time."""
        if self._workers is None or not money:
            return
        largest = self._largest.setdefault(money.currency, [])
        if len(largest) < self._workers:
            heapq.heappush(largest, money.minor)
        else:
            heapq.heappushpop(largest, money.minor)

    def _double_spendable(self) -> dict[str, Money]:
        if self._whole:
            carried = self._groups.get("actions", {}).get(Action.CARRY, _RunningTotal()).tally().money
            return {currency: money for currency, money in carried.items() if money}
        return {currency: Money.from_minor(sum(units), currency) for currency, units in sorted(self._largest.items())}

    def _add_drift(self, planned: PlannedVoucher) -> None:
        destination = planned.destination
        if destination is not None and destination.drift is not None:
            self._drift = max(self._drift, destination.drift)
