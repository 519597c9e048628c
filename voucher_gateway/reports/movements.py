"""The movements of one voucher between two readings of its balance.

The reading of many thousand vouchers takes minutes. It is not known at which moment of them one voucher was read.
Movements during a reading are therefore counted before or after it, as the two balances require.
"""

from __future__ import annotations

from collections import defaultdict
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

MARGIN: Final = timedelta(seconds=3)
"""The tolerance for the time of a movement: vendors show whole seconds, and their clock is known to a second."""

_SIGNS: Final = {MovementKind.REDEMPTION: -1, MovementKind.REFUND: 1, MovementKind.TOP_UP: 1, MovementKind.UNKNOWN: 0}


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
        redeemed: the sum of redemptions.
        refunded: the sum of refunds.
        topped_up: the sum of top-ups.
        explained: whether they explain the whole change of the balance.
    """

    redeemed: int = 0
    refunded: int = 0
    topped_up: int = 0
    explained: bool = True

    @property
    def net(self) -> int:
        """The change of the balance."""
        return self.refunded + self.topped_up - self.redeemed


def sum_movements(
    movements: Sequence[Movement], opening: ReadingPeriod | None, closing: ReadingPeriod, change: int
) -> MovementSums:
    """Return the sums of the movements between two readings.

    Args:
        movements: the movements of the voucher in one currency. Those without a time count only if there is no opening.
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
    """Return the change of the balance by a movement, in minor units; 0 for an unknown kind."""
    return _SIGNS[movement.kind] * movement.money.minor


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
    def of(kind: MovementKind) -> int:
        return sum(movement.money.minor for movement in movements if movement.kind is kind)

    return MovementSums(of(MovementKind.REDEMPTION), of(MovementKind.REFUND), of(MovementKind.TOP_UP), explained)


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
