"""Where vouchers went that were moved to another account.

A row is written before anything is done to the voucher, and completed once it has moved. From the row on nothing may
bring value back to it: what comes in after its value was read would stay behind, and a voucher that is made spendable
again would be spendable twice.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Final

import attrs
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from voucher_gateway.capabilities import Operation
from voucher_gateway.errors import OperationInProgress, VoucherMoved
from voucher_gateway.instants import format_micros, now, parse_instant
from voucher_gateway.journal.records import OperationRecord
from voucher_gateway.journal.schema import moved
from voucher_gateway.outcome import Intent

_FIND: Final = sa.select(moved).where(
    moved.c.account == sa.bindparam("account"), moved.c.voucher_id == sa.bindparam("voucher")
)

_BRINGING_BACK: Final = (Operation.ACTIVATE, Operation.UPDATE, Operation.TOP_UP, Operation.REFUND)


@attrs.frozen(kw_only=True)
class VoucherMove:
    """Where a voucher went.

    Attributes:
        account: where it was.
        voucher_id: its id there.
        to_account: where it is; None while it is under way.
        to_voucher_id: its id there.
        plan_id: the migration that moved it.
        at: when.
    """

    account: str
    voucher_id: str
    to_account: str | None
    to_voucher_id: str | None
    plan_id: str
    at: datetime

    @property
    def in_progress(self) -> bool:
        """Whether it is being moved, or its moving was broken off and will be taken up again."""
        return self.to_voucher_id is None


def find_moved(connection: Connection, account: str, voucher_id: str) -> VoucherMove | None:
    """Return where a voucher went; None if it was never moved."""
    row = connection.execute(_FIND, {"account": account, "voucher": voucher_id}).mappings().first()
    if row is None:
        return None
    return VoucherMove(
        account=row["account"],
        voucher_id=row["voucher_id"],
        to_account=row["to_account"],
        to_voucher_id=row["to_voucher_id"],
        plan_id=row["plan_id"],
        at=parse_instant(row["moved_at"]),
    )


def move_chain(connection: Connection, account: str, voucher_id: str) -> list[VoucherMove]:
    """Return all moves of a voucher, the first one first."""
    moves: list[VoucherMove] = []
    place: tuple[str | None, str | None] = (account, voucher_id)
    seen = set()
    while place[0] is not None and place[1] is not None and place not in seen:
        seen.add(place)
        move = find_moved(connection, place[0], place[1])
        if move is None:
            break
        moves.append(move)
        place = (move.to_account, move.to_voucher_id)
    return moves


def claim_moves(connection: Connection, account: str, voucher_ids: Collection[str], plan_id: str) -> dict[str, str]:
    """Write that a plan is moving these vouchers.

    Returns:
        those that another plan moves or has moved, with its id; they are not the caller's.
    """
    known = sa.select(moved.c.voucher_id, moved.c.plan_id).where(
        moved.c.account == account, moved.c.voucher_id.in_(voucher_ids)
    )
    holders: dict[str, str] = {row.voucher_id: row.plan_id for row in connection.execute(known)}
    at = format_micros(now())
    new = [
        {"account": account, "voucher_id": voucher_id, "plan_id": plan_id, "moved_at": at}
        for voucher_id in voucher_ids
        if voucher_id not in holders
    ]
    if new:
        connection.execute(sa.insert(moved), new)
    return {voucher_id: holder for voucher_id, holder in holders.items() if holder != plan_id}


def complete_moves(
    connection: Connection, account: str, to_account: str, went: Collection[tuple[str, str]], plan_id: str
) -> None:
    """Write where vouchers of a plan have gone: pairs of the id before and the id now."""
    update = (
        sa.update(moved)
        .where(moved.c.account == account, moved.c.voucher_id == sa.bindparam("before"), moved.c.plan_id == plan_id)
        .values(to_account=to_account, to_voucher_id=sa.bindparam("after"), moved_at=format_micros(now()))
    )
    if went:
        connection.execute(update, [{"before": before, "after": after} for before, after in went])


def reopen_moves(connection: Connection, account: str, voucher_ids: Collection[str], plan_id: str) -> None:
    """Write that vouchers of a plan are under way again: back to where they were."""
    if voucher_ids:
        connection.execute(
            sa.update(moved)
            .where(moved.c.account == account, moved.c.voucher_id.in_(voucher_ids), moved.c.plan_id == plan_id)
            .values(to_account=None, to_voucher_id=None, moved_at=format_micros(now()))
        )


def delete_moves(connection: Connection, account: str, voucher_ids: Collection[str], plan_id: str) -> None:
    """Write that vouchers stay where they were after all."""
    if voucher_ids:
        connection.execute(
            sa.delete(moved).where(
                moved.c.account == account, moved.c.voucher_id.in_(voucher_ids), moved.c.plan_id == plan_id
            )
        )


def move_reference(plan_id: str, what: str) -> str:
    """Return the reference of one operation of a plan; by it the journal knows the plan's own from others."""
    return f"move-{plan_id[:16]}-{what}"


def reject_if_moved(connection: Connection, record: OperationRecord, intent: Intent) -> None:
    """Refuse what would bring value back to a voucher that is being moved or has moved.

    In the transaction that would announce it. What only takes from the voucher is the vendor's to judge, and what the
    move itself does is let through.

    Raises:
        OperationInProgress: if the voucher is under way, or this is a refund: called again, that finds out where the
            voucher went.
        VoucherMoved: if it is elsewhere now.
    """
    if intent.voucher_id is None or not _adds_value(record, intent):
        return
    move = find_moved(connection, record.key.account, intent.voucher_id)
    if move is None or record.key.reference.startswith(move_reference(move.plan_id, "")):
        return
    if move.in_progress or record.key.verb is Operation.REFUND:
        raise OperationInProgress("the voucher is being moved to another account; try again when that is done")
    raise VoucherMoved(f"the voucher was moved to the account {move.to_account}, where its id is {move.to_voucher_id}")


def _adds_value(record: OperationRecord, intent: Intent) -> bool:
    # The step counts as well: to release a reservation may mean to refund, where it was made by redeeming.
    return record.key.verb in _BRINGING_BACK or intent.verb in (Operation.REFUND.value, Operation.TOP_UP.value)
