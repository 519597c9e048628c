"""Where vouchers went that were moved to another account.

A row is written before the voucher is changed, and completed once it has moved. While there is a row, nothing may add
value to the voucher: value that is added after the reading would stay behind. Nothing may make it spendable again: it
would be spendable twice.

A refund goes where the row says. So each row has a seal, which only the journal's key can make. A row that was written
by something else is refused.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from typing import Any, Final

import attrs
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from voucher_gateway.capabilities import Operation
from voucher_gateway.errors import ConfigurationError, OperationInProgress, VoucherMoved
from voucher_gateway.instants import format_micros, now, parse_instant
from voucher_gateway.journal.keys.keys import JournalKeys, missing_key_error
from voucher_gateway.journal.keys.row_seals import MOVED
from voucher_gateway.journal.records import OperationRecord
from voucher_gateway.journal.schema import moved
from voucher_gateway.outcome import Intent
from voucher_gateway.storage.engine import Database
from voucher_gateway.storage.statements import PreparedStatement

_FIND: Final = PreparedStatement(
    sa.select(moved).where(moved.c.account == sa.bindparam("account"), moved.c.voucher_id == sa.bindparam("voucher"))
)

_RENAMED_AT_ONCE: Final = 1_000

_ADDING_OPERATIONS: Final = (Operation.ACTIVATE, Operation.UPDATE, Operation.TOP_UP, Operation.REFUND)


@attrs.frozen(kw_only=True)
class VoucherMove:
    """Where a voucher went.

    Attributes:
        account: where it was.
        voucher_id: its id there.
        to_account: where it is; None while it is being moved.
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
        """Whether it is being moved, or its move was interrupted and will continue."""
        return self.to_voucher_id is None


def find_moved(connection: Connection, keys: JournalKeys, account: str, voucher_id: str) -> VoucherMove | None:
    """Return where a voucher went; None if it was never moved.

    Raises:
        ConfigurationError: if something else than this library wrote it, or its key is not configured any more.
    """
    row = _FIND.first_row(connection, {"account": account, "voucher": voucher_id})
    if row is None:
        return None
    if row["key_id"] not in keys.keys:
        raise missing_key_error(row["key_id"], "add it to journal_keys")
    if not MOVED.has_own_seal(keys, row):
        raise ConfigurationError(
            f"the journal's row of where the voucher {voucher_id!r:.80} of {account} went is not as this library wrote"
            " it: nothing is sent there. `voucher-gateway audit verify` names each such row"
        )
    return _move_of(row)


def iterate_moves_of_other_plans(database: Database, account: str, plan_id: str) -> Iterator[VoucherMove]:
    """Iterate over the moves of the vouchers of an account by all plans but one, in the order of their ids.

    Args:
        database: the journal's.
        account: where the vouchers were.
        plan_id: the plan whose moves are left out.
    """
    query = sa.select(moved).where(moved.c.account == account, moved.c.plan_id != plan_id)
    return map(_move_of, database.iterate_rows(query, moved.c.voucher_id))


def _move_of(row: Mapping[str, Any]) -> VoucherMove:
    return VoucherMove(
        account=row["account"],
        voucher_id=row["voucher_id"],
        to_account=row["to_account"],
        to_voucher_id=row["to_voucher_id"],
        plan_id=row["plan_id"],
        at=parse_instant(row["moved_at"]),
    )


def move_chain(connection: Connection, keys: JournalKeys, account: str, voucher_id: str) -> list[VoucherMove]:
    """Return all moves of a voucher, the first one first.

    Raises:
        ConfigurationError: as `find_moved`.
    """
    moves: list[VoucherMove] = []
    place: tuple[str | None, str | None] = (account, voucher_id)
    seen = set()
    while place[0] is not None and place[1] is not None and place not in seen:
        seen.add(place)
        move = find_moved(connection, keys, place[0], place[1])
        if move is None:
            break
        moves.append(move)
        place = (move.to_account, move.to_voucher_id)
    return moves


def claim_moves(
    connection: Connection, keys: JournalKeys, account: str, voucher_ids: Collection[str], plan_id: str
) -> dict[str, str]:
    """Write that a plan is moving these vouchers.

    Returns:
        those that another plan moves or has moved, with its id; the caller must not move them.
    """
    known = sa.select(moved.c.voucher_id, moved.c.plan_id).where(
        moved.c.account == account, moved.c.voucher_id.in_(voucher_ids)
    )
    holders: dict[str, str] = {row.voucher_id: row.plan_id for row in connection.execute(known)}
    places = [(voucher_id, None) for voucher_id in voucher_ids if voucher_id not in holders]
    new = _seal_rows(keys, account, None, places, plan_id)
    if new:
        connection.execute(sa.insert(moved), new)
        MOVED.add_to_count(connection, keys, len(new))
    return {voucher_id: holder for voucher_id, holder in holders.items() if holder != plan_id}


def complete_moves(
    connection: Connection,
    keys: JournalKeys,
    account: str,
    to_account: str,
    went: Collection[tuple[str, str]],
    plan_id: str,
) -> None:
    """Write where vouchers of a plan have gone: pairs of the id before and the id now."""
    _write_places(connection, _seal_rows(keys, account, to_account, went, plan_id))


def reopen_moves(
    connection: Connection, keys: JournalKeys, account: str, voucher_ids: Collection[str], plan_id: str
) -> None:
    """Write that vouchers of a plan are being moved again: back to where they were."""
    _write_places(
        connection, _seal_rows(keys, account, None, [(voucher_id, None) for voucher_id in voucher_ids], plan_id)
    )


def delete_moves(
    connection: Connection, keys: JournalKeys, account: str, voucher_ids: Collection[str], plan_id: str
) -> None:
    """Write that vouchers stay where they were after all."""
    if voucher_ids:
        deleted = connection.execute(
            sa.delete(moved).where(
                moved.c.account == account, moved.c.voucher_id.in_(voucher_ids), moved.c.plan_id == plan_id
            )
        )
        MOVED.add_to_count(connection, keys, -deleted.rowcount)


def rename_moves(connection: Connection, keys: JournalKeys, former: str, name: str) -> None:
    """Give an account its new name in all rows. A row that something else changed gets no seal that would hide that.

    Args:
        connection: in a transaction.
        keys: the journal's.
        former: the name until now.
        name: the new name.
    """
    of_row = (moved.c.account == sa.bindparam("at")) & (moved.c.voucher_id == sa.bindparam("voucher"))
    for column in (moved.c.account, moved.c.to_account):
        query = sa.select(moved).where(column == former).limit(_RENAMED_AT_ONCE)
        new_seal: dict[Any, Any] = {moved.c.key_id: sa.bindparam("new_key"), moved.c.seal: sa.bindparam("new_seal")}
        update = sa.update(moved).where(of_row).values({column: name, **new_seal})
        while rows := [dict(row) for row in connection.execute(query).mappings()]:
            values = []
            for row in rows:
                new = MOVED.seal_again(keys, row, {**row, column.name: name})
                values.append(
                    {
                        "at": row["account"],
                        "voucher": row["voucher_id"],
                        "new_key": new["key_id"],
                        "new_seal": new["seal"],
                    }
                )
            connection.execute(update, values)


def _write_places(connection: Connection, rows: Collection[Mapping[str, Any]]) -> None:
    of_row = (
        (moved.c.account == sa.bindparam("at"))
        & (moved.c.voucher_id == sa.bindparam("voucher"))
        & (moved.c.plan_id == sa.bindparam("plan"))
    )
    names = ("to_account", "to_voucher_id", "moved_at", "key_id", "seal")
    update = sa.update(moved).where(of_row).values({name: sa.bindparam(f"new_{name}") for name in names})
    if rows:
        values = [
            {"at": row["account"], "voucher": row["voucher_id"], "plan": row["plan_id"]}
            | {f"new_{name}": row[name] for name in names}
            for row in rows
        ]
        connection.execute(update, values)


def _seal_rows(
    keys: JournalKeys,
    account: str,
    to_account: str | None,
    places: Collection[tuple[str, str | None]],
    plan_id: str,
) -> list[dict[str, Any]]:
    """Return the rows of vouchers of a plan, from pairs of the id before and the id now."""
    at = format_micros(now())
    return [
        MOVED.seal_row(
            keys,
            {
                "account": account,
                "voucher_id": before,
                "to_account": to_account,
                "to_voucher_id": after,
                "plan_id": plan_id,
                "moved_at": at,
            },
        )
        for before, after in places
    ]


def move_reference(plan_id: str, what: str) -> str:
    """Return the reference of one operation of a plan. By it the journal recognises the plan's own operations."""
    return f"move-{plan_id[:16]}-{what}"


def reject_if_moved(connection: Connection, keys: JournalKeys, record: OperationRecord, intent: Intent) -> None:
    """Refuse a request that would add value to a voucher that is being moved or was moved.

    Call it in the transaction that records the request. A request that only takes value is left to the vendor. The
    requests of the move itself are allowed.

    Raises:
        OperationInProgress: if the voucher is being moved, or if this is a refund: the next call of the refund finds
            the account that has the voucher.
        VoucherMoved: if it is at another account now.
        ConfigurationError: as `find_moved`.
    """
    if intent.voucher_id is None or not _adds_value(record, intent):
        return
    move = find_moved(connection, keys, record.key.account, intent.voucher_id)
    if move is None or record.key.reference.startswith(move_reference(move.plan_id, "")):
        return
    if move.in_progress or record.key.verb is Operation.REFUND:
        raise OperationInProgress("the voucher is being moved to another account; try again when that is done")
    raise VoucherMoved(f"the voucher was moved to the account {move.to_account}, where its id is {move.to_voucher_id}")


def _adds_value(record: OperationRecord, intent: Intent) -> bool:
    # The step counts as well: a release is a refund if the reservation was made by redeeming.
    return record.key.verb in _ADDING_OPERATIONS or intent.verb in (Operation.REFUND.value, Operation.TOP_UP.value)
