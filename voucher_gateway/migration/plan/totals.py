"""The totals of a plan."""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Final

import attrs

from voucher_gateway.listing.page import ListingReport
from voucher_gateway.migration.plan.model import Action, Kind, PlannedVoucher
from voucher_gateway.models.voucher import Status
from voucher_gateway.money import Money, add_exactly

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
        spoiled_codes: how many codes of a file a spreadsheet has probably changed, by the way in which they look so.
        validity_restarts: the carried vouchers whose validity would count from the beginning if they were activated
            again at the source.
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
    spoiled_codes: Mapping[str, int] = attrs.field(factory=dict, hash=False)
    validity_restarts: Tally = Tally()

    def of(self, action: Action) -> Tally:
        """Return the vouchers with this action."""
        return self.actions.get(action, Tally())


_ZERO: Final = Decimal(0)


class _RunningTotal:
    """A tally that grows."""

    __slots__ = ("amounts", "count")

    def __init__(self) -> None:
        self.count = 0
        self.amounts: dict[str, Decimal] = {}

    def add(self, money: Money | None) -> None:
        self.count += 1
        if money is not None:
            self.amounts[money.currency] = add_exactly(self.amounts.get(money.currency, _ZERO), money.amount)

    def merge(self, other: _RunningTotal) -> None:
        self.count += other.count
        for currency, amount in other.amounts.items():
            self.amounts[currency] = add_exactly(self.amounts.get(currency, _ZERO), amount)

    def tally(self) -> Tally:
        return Tally(
            count=self.count,
            money={currency: Money(amount, currency) for currency, amount in sorted(self.amounts.items())},
        )


_Signature = tuple[Action, Kind, tuple[int, int] | None, tuple[str, ...], tuple[str, ...]]
"""What decides in which totals a voucher counts. A plan has few of them, and many vouchers of each."""


class _Groups:
    """Totals by group and name."""

    def __init__(self) -> None:
        self._groups: dict[str, dict[str, _RunningTotal]] = {}

    def add(self, group: str, name: str, total: _RunningTotal) -> None:
        self._groups.setdefault(group, {}).setdefault(str(name), _RunningTotal()).merge(total)

    def of(self, group: str) -> dict[str, Tally]:
        return {name: total.tally() for name, total in sorted(self._groups.get(group, {}).items())}


def _month_name(month: tuple[int, int] | None) -> str:
    return NO_END if month is None else f"{month[0]:04}-{month[1]:02}"


def would_restart(planned: PlannedVoucher) -> bool:
    """Return whether a move freezes the voucher, so that a return to the source activates it, and it has an end."""
    is_frozen = planned.kind is not Kind.EXPIRED and planned.status not in (Status.INACTIVE, Status.PENDING)
    return planned.valid_until is not None and is_frozen


class TotalsBuilder:
    """Adds up the totals while a plan is written.

    Args:
        workers: how many vouchers are moved at a time, if they can then be spent twice; None if they cannot.
        whole: whether all carried vouchers can be spent twice permanently.
        restarts_validity: whether the source counts the validity of a voucher from the beginning when the voucher was
            frozen and is activated again.
    """

    def __init__(self, *, workers: int | None = None, whole: bool = False, restarts_validity: bool = False) -> None:
        self._workers = workers
        self._whole = whole
        self._restarts_validity = restarts_validity
        self._restarts = _RunningTotal()
        self._sums: dict[_Signature, _RunningTotal] = {}
        self._largest: dict[str, list[int]] = {}
        self._drift = timedelta()

    def add(self, planned: PlannedVoucher) -> None:
        """Add one voucher."""
        money, until = planned.remaining, planned.valid_until
        month = None if until is None else (until.year, until.month)
        signature = (planned.action, planned.kind, month, planned.losses, planned.reasons)
        total = self._sums.get(signature)
        if total is None:
            total = self._sums[signature] = _RunningTotal()
        total.add(money)
        if planned.action is Action.CARRY:
            self._add_double_spendable(money)
            self._add_drift(planned)
            if self._restarts_validity and would_restart(planned):
                self._restarts.add(money)

    @property
    def carried(self) -> int:
        """The number of carried vouchers so far."""
        return sum(total.count for signature, total in self._sums.items() if signature[0] is Action.CARRY)

    def totals(self, listing: ListingReport, spoiled_codes: Mapping[str, int] | None = None) -> Totals:
        """Return the totals, with what else is known of the source."""
        every, groups = _RunningTotal(), _Groups()
        for (action, kind, month, losses, reasons), total in self._sums.items():
            every.merge(total)
            groups.add("actions", action, total)
            groups.add("kinds", kind, total)
            groups.add("fates", f"{kind}/{action}", total)
            groups.add("months", f"{_month_name(month)}/{action}", total)
            for loss in losses:
                groups.add("losses" if action is Action.CARRY else "at_stake", loss, total)
            for reason in reasons:
                groups.add("reasons", reason, total)
        return Totals(
            all=every.tally(),
            actions={Action(name): tally for name, tally in groups.of("actions").items()},
            kinds={Kind(name): tally for name, tally in groups.of("kinds").items()},
            by_kind_and_action=groups.of("fates"),
            losses=groups.of("losses"),
            losses_of_refused=groups.of("at_stake"),
            reasons=groups.of("reasons"),
            months=groups.of("months"),
            double_spendable=self._double_spendable(groups.of("actions")),
            longest_drift=self._drift,
            listing=listing,
            spoiled_codes=spoiled_codes or {},
            validity_restarts=self._restarts.tally(),
        )

    def _add_double_spendable(self, money: Money | None) -> None:
        """Keep the largest values, one for each worker: no more vouchers can be between two steps at a time."""
        if self._workers is None or not money:
            return
        largest = self._largest.setdefault(money.currency, [])
        if len(largest) < self._workers:
            heapq.heappush(largest, money.minor)
        else:
            heapq.heappushpop(largest, money.minor)

    def _double_spendable(self, by_action: Mapping[str, Tally]) -> dict[str, Money]:
        if self._whole:
            carried = by_action.get(Action.CARRY, Tally()).money
            return {currency: money for currency, money in carried.items() if money}
        return {currency: Money.from_minor(sum(units), currency) for currency, units in sorted(self._largest.items())}

    def _add_drift(self, planned: PlannedVoucher) -> None:
        destination = planned.destination
        if destination is not None and destination.drift is not None:
            self._drift = max(self._drift, destination.drift)
