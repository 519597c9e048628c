"""The movements of one voucher between two readings of its balance.

The reading of many thousand vouchers takes minutes. It is not known at which moment of them one voucher was read.
Movements during a reading are therefore counted before or after it, as the two balances require.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

import attrs

from voucher_gateway.capabilities import Operation, Support
from voucher_gateway.gateway.gateway import Gateway
from voucher_gateway.journal.journal import Journal
from voucher_gateway.journal.records import OperationState
from voucher_gateway.models.results import Movement
from voucher_gateway.models.voucher import MovementKind
from voucher_gateway.reports.roll_forward import Line

MARGIN: Final = timedelta(seconds=3)
"""The tolerance for the time of a movement: vendors show whole seconds, and their clock is known to a second."""

_LINES: Final = {
    MovementKind.ISSUE: Line.ISSUED,
    MovementKind.ACTIVATION: Line.ISSUED,
    MovementKind.REDEMPTION: Line.REDEEMED,
    MovementKind.REFUND: Line.REFUNDED,
    MovementKind.TOP_UP: Line.TOPPED_UP,
    MovementKind.ADJUSTMENT_UP: Line.ADJUSTED_UP,
    MovementKind.ADJUSTMENT_DOWN: Line.ADJUSTED_DOWN,
    MovementKind.EXPIRY: Line.EXPIRED,
    MovementKind.TRANSFER_IN: Line.TRANSFERRED_IN,
    MovementKind.TRANSFER_OUT: Line.TRANSFERRED_OUT,
    MovementKind.CASH_OUT: Line.CASHED_OUT,
    MovementKind.REVERSAL_UP: Line.REVERSED_UP,
    MovementKind.REVERSAL_DOWN: Line.REVERSED_DOWN,
}
"""The line of a roll-forward to which a movement belongs. The other kinds move no value, or are not known."""


@attrs.frozen
class ReadingPeriod:
    """The time during which a snapshot was taken.

    Attributes:
        began_at: the begin.
        finished_at: the end.
    """

    began_at: datetime
    finished_at: datetime


@attrs.frozen
class MovementSums:
    """The sums of movements, in minor units.

    Attributes:
        lines: the sums by the line of a roll-forward, without those that are zero.
        explained: whether they explain the whole change of the balance.
    """

    lines: Mapping[Line, int] = attrs.field(factory=dict, hash=False)
    explained: bool = True

    @property
    def net(self) -> int:
        """The change of the balance."""
        return sum(line.sign * minor for line, minor in self.lines.items())


def sum_movements(
    movements: Sequence[Movement], opening: ReadingPeriod | None, closing: ReadingPeriod, change: int
) -> MovementSums:
    """Return the sums of the movements between two readings.

    Args:
        movements: the movements of the voucher in one currency. Those without a time count only without an opening.
        opening: the first reading; None if the voucher did not exist yet.
        closing: the second reading.
        change: the difference of the balances, in minor units.
    """
    placed = [movement for movement in movements if movement.created_at is not None or opening is None]
    placed.sort(key=lambda movement: movement.created_at or closing.began_at - MARGIN)
    times = [movement.created_at or closing.began_at - MARGIN for movement in placed]
    starts = [0] if opening is None else _possible_cuts(times, opening)
    ends = _possible_cuts(times, closing)
    sums = [0]
    for entry in placed:
        sums.append(sums[-1] + balance_change(entry))
    for start in starts:
        for end in ends:
            if start <= end and sums[end] - sums[start] == change:
                return _sums_by_kind(placed[start:end], explained=True)
    # No cut fits: return what certainly lies between the two readings. The rest is not explained.
    return _sums_by_kind(placed[max(starts) : max(min(ends), max(starts))], explained=False)


def balance_change(movement: Movement) -> int:
    """Return the change of the balance by a movement, in minor units; 0 if it is not known, or moves nothing."""
    if not movement.change or movement.money is None:
        return 0
    return movement.money.minor if movement.change > 0 else -movement.money.minor


def _possible_cuts(times: Sequence[datetime], span: ReadingPeriod) -> list[int]:
    """Return the numbers of movements that may lie before a reading, the most likely number first.

    The order depends only on the movements and the reading, not on whether a period ends or begins with it. Two
    consecutive periods therefore count a movement at their border once.
    """
    fewest = sum(time < span.began_at - MARGIN for time in times)
    most = sum(time <= span.finished_at + MARGIN for time in times)
    likely = sum(time <= span.finished_at for time in times)
    return sorted(range(fewest, most + 1), key=lambda cut: abs(cut - likely))


def _sums_by_kind(movements: Sequence[Movement], *, explained: bool) -> MovementSums:
    sums: Counter[Line] = Counter()
    for movement in movements:
        if change := balance_change(movement):
            sums[_LINES[movement.kind]] += abs(change)
    return MovementSums(dict(sums), explained)


_KINDS: Final = {
    Operation.REDEEM: MovementKind.REDEMPTION,
    Operation.REFUND: MovementKind.REFUND,
    Operation.TOP_UP: MovementKind.TOP_UP,
}


def overwrites(gateway: Gateway, account: str) -> Mapping[str, Sequence[Movement]]:
    """Return the movements, by voucher, that our operations made by overwriting a value.

    The history of the vendor does not contain them. The result is empty without a journal, and for a vendor that
    records every operation.
    """
    journal, provider = gateway.journal, gateway.provider(account)
    unseen = {
        verb: kind
        for verb, kind in _KINDS.items()
        if provider.capabilities.can_overwrite_value and provider.capabilities.of(verb).support is not Support.NATIVE
    }
    by_voucher: dict[str, list[Movement]] = defaultdict(list)
    if journal is not None and unseen:
        for voucher_id, movement in _read_succeeded(journal, account, provider.host, unseen):
            by_voucher[voucher_id].append(movement)
    return by_voucher


def _read_succeeded(
    journal: Journal, account: str, host: str, kinds: Mapping[Operation, MovementKind]
) -> Iterator[tuple[str, Movement]]:
    for entry in journal.iterate_operations(states=[OperationState.SUCCEEDED], account=account):
        money = entry.target.money
        if entry.key.verb in kinds and entry.target.host == host and entry.voucher_id and money is not None:
            movement = Movement(
                account=account,
                voucher_id=entry.voucher_id,
                kind=kinds[entry.key.verb],
                money=money,
                reference=entry.key.reference,
                # When it was sent, by the vendor's clock; the journal's own times are by this machine's.
                created_at=getattr(entry.replay(), "created_at", None) if entry.result else entry.updated_at,
            )
            yield entry.voucher_id, movement
