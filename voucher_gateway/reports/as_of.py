"""Reports of the past, from snapshots."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from voucher_gateway.errors import InvalidRequest
from voucher_gateway.gateway.gateway import Gateway
from voucher_gateway.reports.liability import AccountLiability, Liability, is_relative, tally
from voucher_gateway.reports.roll_forward import RollForward
from voucher_gateway.reports.roll_forward_builder import roll_forward
from voucher_gateway.reports.snapshots import Snapshot, Snapshots
from voucher_gateway.reports.warnings import to_second

_NAMED: Final = 5
"""How many snapshots a message names."""


def liability_as_of(gateway: Gateway, snapshots: Snapshots, accounts: Iterable[str], at: datetime) -> Liability:
    """Tell what accounts owed, each from its newest snapshot that had begun by that moment.

    Raises:
        InvalidRequest: if an account has none.
    """
    return Liability(
        tuple(
            _liability_of_snapshot(gateway, snapshots, _require_snapshot(snapshots, account, at))
            for account in accounts
        )
    )


def _liability_of_snapshot(gateway: Gateway, snapshots: Snapshots, snapshot: Snapshot) -> AccountLiability:
    return AccountLiability(
        account=snapshot.account,
        at=snapshot.began_at,
        cells=tally(
            snapshots.positions(snapshot), lambda: snapshot.began_at, relative=is_relative(gateway, snapshot.account)
        ),
        snapshot_at=snapshot.began_at,
        consistent=snapshot.consistent,
        problems=snapshot.problems,
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
    """Explain the change between the newest snapshots that had begun by two moments.

    Args:
        gateway: has the account.
        snapshots: of that account, among others.
        account: the account's name.
        opening: the first moment.
        closing: the second; None for the newest snapshot of all.
        every_history: whether to ask for the history of every voucher; see `roll_forward`.

    Raises:
        InvalidRequest: if there is no snapshot by then, or one and the same for both.
    """
    first = _require_snapshot(snapshots, account, opening)
    last = snapshots.latest(account) if closing is None else _require_snapshot(snapshots, account, closing)
    assert last is not None
    if last.id == first.id:
        rule = "two snapshots"
        raise InvalidRequest(
            f"account {account} has one snapshot for both moments, of {to_second(first.began_at)}: nothing lies"
            " between them",
            field="snapshots",
            rule=rule,
        )
    return roll_forward(gateway, snapshots, first, last, every_history=every_history)


def _which_there_are(snapshots: Snapshots, account: str) -> str:
    """Say which snapshots an account has, the oldest of them by their moments."""
    moments = [to_second(snapshot.began_at) for snapshot in snapshots.list_complete(account)]
    if not moments:
        return "the account has none"
    more = f" and {len(moments) - _NAMED} later ones" if len(moments) > _NAMED else ""
    return f"there are those of {', '.join(moments[:_NAMED])}{more}"


def _require_snapshot(snapshots: Snapshots, account: str, at: datetime) -> Snapshot:
    snapshot = snapshots.latest(account, at)
    if snapshot is None:
        rule = "a snapshot by then"
        raise InvalidRequest(
            f"account {account} has no finished snapshot of {to_second(at)} or before;"
            f" {_which_there_are(snapshots, account)}",
            field="snapshots",
            rule=rule,
        )
    return snapshot
