"""Movements that only the journal knows: a vendor keeps no entry of a value that was overwritten to spend it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final

from voucher_gateway.capabilities import Operation, Support
from voucher_gateway.gateway.gateway import Gateway
from voucher_gateway.journal.journal import Journal
from voucher_gateway.journal.records import OperationState
from voucher_gateway.models.results import Movement
from voucher_gateway.models.voucher import MovementKind

_KINDS: Final = {
    Operation.REDEEM: MovementKind.REDEMPTION,
    Operation.REFUND: MovementKind.REFUND,
    Operation.TOP_UP: MovementKind.TOP_UP,
}
_BATCH: Final = 500


def overwrites(gateway: Gateway, account: str) -> Mapping[str, Sequence[Movement]]:
    """Return by voucher what this journal's operations moved without leaving an entry at the vendor.

    Empty for a vendor that keeps an entry of everything, and without a journal.
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
) -> list[tuple[str, Movement]]:
    pairs = []
    after = None
    while True:
        batch = journal.operations(states=[OperationState.SUCCEEDED], account=account, limit=_BATCH, after=after)
        for entry in batch:
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
                pairs.append((entry.voucher_id, movement))
        if len(batch) < _BATCH:
            return pairs
        after = batch[-1].id
