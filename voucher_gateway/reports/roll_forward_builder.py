"""Builds roll-forwards from two snapshots and the history of every voucher that changed."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

import attrs

from voucher_gateway.capabilities import Operation
from voucher_gateway.errors import Declined, InvalidRequest, MalformedResponse, UnsupportedOperation, VoucherNotFound
from voucher_gateway.gateway.gateway import Gateway
from voucher_gateway.iteration import ordered_map
from voucher_gateway.limits.work_class import WorkClass, use_work_class
from voucher_gateway.models.results import History, Movement
from voucher_gateway.models.voucher import MovementState
from voucher_gateway.money import Money
from voucher_gateway.reports.balances import WORKERS, VoucherBalance
from voucher_gateway.reports.movements import (
    MARGIN,
    MovementSums,
    ReadingPeriod,
    balance_change,
    overwrites,
    sum_movements,
)
from voucher_gateway.reports.roll_forward import MOST_NAMED, CurrencyRollForward, Line, RollForward, Unexplained
from voucher_gateway.reports.snapshots import Snapshot, Snapshots, to_second


@attrs.frozen
class _BalancePair:
    """One voucher in both snapshots; None if a snapshot does not have it."""

    before: VoucherBalance | None
    after: VoucherBalance | None

    @property
    def id(self) -> str:
        known = self.after or self.before
        assert known is not None
        return known.id


@attrs.frozen
class _VoucherLines:
    """The amounts that one voucher adds to the lines of one currency."""

    voucher_id: str
    currency: str
    lines: Mapping[Line, int]
    reason: str = ""
    unreadable: bool = False


@use_work_class(WorkClass.RECONCILE)
def roll_forward(
    gateway: Gateway, snapshots: Snapshots, opening: Snapshot, closing: Snapshot, *, every_history: bool = False
) -> RollForward:
    """Return the roll-forward between two snapshots of an account.

    The vendor is asked for the history of each voucher whose balance or `updated_at` changed, with eight threads, and
    for each voucher that is missing in the second snapshot. A redemption that was refunded completely is seen only if
    the vendor changes `updated_at` then. `local` does; other vendors do not document it. Otherwise neither line
    contains it. Memory holds the sums, some hundred vouchers, and the overwritten values of the journal.

    Args:
        gateway: has the account.
        snapshots: the database that holds both snapshots.
        opening: the earlier snapshot.
        closing: the later snapshot.
        every_history: whether to read the history of every voucher, so that no movement is missed.

    Raises:
        InvalidRequest: unless both are complete, of one account at one vendor, and in this order.
        VoucherGatewayError: if the vendor cannot be read.
    """
    _check(opening, closing)
    builder = _RollForwardBuilder(gateway, opening, closing, every_history=every_history)
    sums: dict[str, Counter[Line]] = defaultdict(Counter)
    unexplained: list[Unexplained] = []
    count = unreadable = 0
    pairs = _pair_balances(snapshots.positions(opening), snapshots.positions(closing))
    for part in (part for parts in ordered_map(builder.lines_of_voucher, pairs, WORKERS) for part in parts):
        sums[part.currency].update(part.lines)
        unreadable += part.unreadable
        if missing := part.lines.get(Line.UNEXPLAINED, 0):
            count += 1
            if len(unexplained) < MOST_NAMED:
                unexplained.append(Unexplained(part.voucher_id, Money.from_minor(missing, part.currency), part.reason))
    return RollForward(
        account=closing.account,
        opening=opening,
        closing=closing,
        rolls=tuple(CurrencyRollForward.of(currency, sums[currency]) for currency in sorted(sums)),
        unexplained=tuple(unexplained),
        unexplained_count=count,
        unreadable=unreadable,
    )


def recall_roll_forward(
    gateway: Gateway,
    snapshots: Snapshots,
    account: str,
    opening: datetime,
    closing: datetime | None = None,
    *,
    every_history: bool = False,
) -> RollForward:
    """Return the roll-forward between the newest complete snapshots that had begun at two moments.

    Args:
        gateway: has the account.
        snapshots: the database that holds the snapshots.
        account: the name of the account.
        opening: the first moment.
        closing: the second moment; None for the newest snapshot.
        every_history: whether to ask for the history of every voucher; see `roll_forward`.

    Raises:
        InvalidRequest: if a snapshot does not exist, or the same one for both moments.
    """
    first = snapshots.require(account, opening)
    last = snapshots.latest(account) if closing is None else snapshots.require(account, closing)
    assert last is not None
    if last.id == first.id:
        raise InvalidRequest(
            f"account {account} has the same snapshot for both moments, that of {to_second(first.began_at)};"
            " a roll-forward needs two snapshots",
            field="snapshots",
            rule="two snapshots",
        )
    return roll_forward(gateway, snapshots, first, last, every_history=every_history)


def _check(opening: Snapshot, closing: Snapshot) -> None:
    if opening.finished_at is None or closing.finished_at is None:
        rule = "two complete snapshots"
    elif (opening.account, opening.provider, opening.host) != (closing.account, closing.provider, closing.host):
        rule = "two snapshots of one account at one vendor"
    elif opening.id >= closing.id or opening.began_at - closing.began_at > MARGIN:
        rule = "an earlier and a later snapshot"
    else:
        return
    raise InvalidRequest(f"a roll-forward needs {rule}", field="snapshots", rule=rule)


def _pair_balances(before: Iterator[VoucherBalance], after: Iterator[VoucherBalance]) -> Iterator[_BalancePair]:
    """Yield the vouchers of two snapshots in pairs. Both snapshots are in the order of the ids."""
    left, right = next(before, None), next(after, None)
    while left is not None or right is not None:
        if right is None or (left is not None and left.id < right.id):
            yield _BalancePair(left, None)
            left = next(before, None)
        elif left is None or right.id < left.id:
            yield _BalancePair(None, right)
            right = next(after, None)
        else:
            yield _BalancePair(left, right)
            left, right = next(before, None), next(after, None)


class _RollForwardBuilder:
    """Computes the lines of each voucher. Several threads may call `lines_of_voucher`."""

    def __init__(self, gateway: Gateway, opening: Snapshot, closing: Snapshot, *, every_history: bool) -> None:
        assert opening.finished_at is not None
        assert closing.finished_at is not None
        self._gateway = gateway
        self._every_history = every_history
        self._account = closing.account
        self._opening = ReadingPeriod(opening.began_at, opening.finished_at)
        self._closing = ReadingPeriod(closing.began_at, closing.finished_at)
        self._overwrites = overwrites(gateway, closing.account)
        self._has_history = gateway.capabilities(closing.account).of(Operation.HISTORY).available

    def lines_of_voucher(self, change: _BalancePair) -> list[_VoucherLines]:
        """Return the amounts that one voucher adds to the lines, by currency."""
        before, after = change.before, change.after
        if (before is not None and before.remaining is None) or (after is not None and after.remaining is None):
            return self._unknown_lines(change)
        if after is None:
            assert before is not None
            return self._deleted_lines(before)
        if before is not None and before.currency != after.currency:
            reason = "the vendor shows it in another currency than before"
            return self._unexplained_lines(before, None, reason) + self._unexplained_lines(None, after, reason)
        return self._explained_lines(before, after)

    def _owed(self, before: VoucherBalance | None, after: VoucherBalance | None) -> tuple[int, int]:
        """Return what was owed on a voucher at the opening and at the closing, in minor units."""
        return (
            before.remaining.minor
            if before and before.remaining is not None and before.spendable(self._opening.began_at)
            else 0,
            after.remaining.minor
            if after and after.remaining is not None and after.spendable(self._closing.began_at)
            else 0,
        )

    def _unexplained_lines(
        self, before: VoucherBalance | None, after: VoucherBalance | None, reason: str
    ) -> list[_VoucherLines]:
        """Return the lines of a voucher whose change is not explained."""
        known = after or before
        if known is None or known.currency is None:
            return []
        opening, closing = self._owed(before, after)
        lines = {Line.OPENING: opening, Line.UNEXPLAINED: closing - opening, Line.CLOSING: closing}
        return [_VoucherLines(known.id, known.currency, lines, reason)]

    def _unknown_lines(self, change: _BalancePair) -> list[_VoucherLines]:
        before, after = change.before, change.after
        reason = "the vendor did not show its remaining value at one of the two moments"
        if before is not None and after is not None and before.currency != after.currency:
            return self._unexplained_lines(before, None, reason) + self._unexplained_lines(None, after, reason)
        return self._unexplained_lines(before, after, reason)

    def _deleted_lines(self, before: VoucherBalance) -> list[_VoucherLines]:
        opening, _ = self._owed(before, None)
        if not opening:
            return []
        assert before.currency is not None
        try:
            self._gateway.get(self._account, before.id)
        except VoucherNotFound:
            lines = {Line.OPENING: opening, Line.DELETED: opening}
            return [_VoucherLines(before.id, before.currency, lines)]
        except (Declined, MalformedResponse, UnsupportedOperation):
            reason = "it is not in the second snapshot, and the vendor does not show whether it still exists"
        else:
            reason = "it is not in the second snapshot, but still exists at the vendor"
        return self._unexplained_lines(before, None, reason)

    def _explained_lines(self, before: VoucherBalance | None, after: VoucherBalance) -> list[_VoucherLines]:
        assert after.remaining is not None
        assert after.currency is not None
        # A value that was overwritten after the second reading is not in it.
        written = [overwrite for overwrite in self._overwrites.get(after.id, ()) if self._is_before_closing(overwrite)]
        if before is None and after.created_at is not None and after.created_at < self._opening.began_at - MARGIN:
            return self._unexplained_lines(None, after, "it is older than the first snapshot, but is not in it")
        worth_before = _initial(after, written) if before is None else _remaining(before)
        change = after.remaining.minor - worth_before
        took_part = self._every_history or change != 0 or _has_vendor_change(before, after) or bool(written)
        took_part = took_part or (before is None and after.initial is None)  # only the history can show it
        movements, whole = self._movements(after.id, after.currency, written) if took_part else ((), True)
        if before is None and any(movement.kind.opens and balance_change(movement) for movement in movements):
            # The history has the initial value as a movement. It may not be added twice.
            worth_before, change = 0, after.remaining.minor
        sums = sum_movements(movements, None if before is None else self._opening, self._closing, change)
        lines = self._lines(before, after, worth_before, sums)
        return [
            _VoucherLines(after.id, after.currency, lines, _reason(sums, movements, whole=whole), unreadable=not whole)
        ]

    def _lines(
        self, before: VoucherBalance | None, after: VoucherBalance, worth_before: int, move: MovementSums
    ) -> dict[Line, int]:
        assert after.remaining is not None
        worth_after = after.remaining.minor
        opening, closing = self._owed(before, after)
        unexplained = worth_after - worth_before - move.net
        lines = Counter({Line.OPENING: opening, Line.UNEXPLAINED: unexplained, Line.CLOSING: closing, **move.lines})
        if before is None:
            lines[Line.ISSUED] += worth_before
        unsold = before is None and not (unexplained or move.lines.keys() - {Line.ISSUED})
        if unsold and not after.spendable(self._closing.began_at):
            if after.is_expired(self._closing.began_at):
                lines[Line.EXPIRED] = worth_after
                return lines
            return {}  # created and never sold, as far as the records show: nothing is owed
        # The amount that was added or removed because the voucher became spendable or unspendable.
        turn = closing - opening - sum(line.sign * minor for line, minor in lines.items())
        if turn > 0:
            assert before is not None
            lines[Line.VALID_AGAIN if before.is_expired(self._opening.began_at) else Line.ACTIVATED] += turn
        elif turn < 0:
            lines[Line.EXPIRED if after.is_expired(self._closing.began_at) else Line.DEACTIVATED] -= turn
        return lines

    def _is_before_closing(self, movement: Movement) -> bool:
        return movement.created_at is not None and movement.created_at <= self._closing.finished_at

    def _movements(self, id: str, currency: str, written: Sequence[Movement]) -> tuple[Sequence[Movement], bool]:
        """Return all recorded movements of a voucher, and whether the history of the vendor is complete."""
        history = self._history(id)
        listed = () if history is None else history.movements
        mine = [entry for entry in (*listed, *written) if entry.money is not None and entry.money.currency == currency]
        return mine, history is not None and history.complete

    def _history(self, id: str) -> History | None:
        if not self._has_history:
            return None
        try:
            return self._gateway.history(self._account, id)
        except (Declined, MalformedResponse, UnsupportedOperation):
            return None


def _remaining(position: VoucherBalance) -> int:
    assert position.remaining is not None
    return position.remaining.minor


def _initial(position: VoucherBalance, written: Sequence[Movement]) -> int:
    """Return the value of a new voucher at its creation, in minor units.

    If values are overwritten, the initial value is overwritten as well. Overwritten amounts are therefore subtracted.
    """
    assert position.remaining is not None
    if position.initial is None or position.initial.currency != position.remaining.currency:
        return position.remaining.minor - sum(map(balance_change, written))
    return position.initial.minor - sum(map(balance_change, written))


def _has_vendor_change(before: VoucherBalance | None, after: VoucherBalance) -> bool:
    """Return whether the vendor has changed a voucher. Its balance may still be the same."""
    if before is None:
        return after.updated_at is not None and after.updated_at != after.created_at
    return after.updated_at is not None and after.updated_at != before.updated_at


def _reason(move: MovementSums, movements: Sequence[Movement], *, whole: bool) -> str:
    if move.explained:
        return ""
    if not whole:
        return "its history could not be read completely"
    if any(movement.state is MovementState.PENDING for movement in movements):
        return "a movement in its history is still pending"
    return "its history does not explain the change" if movements else "its history has no movement for the change"
