"""What a journal that was restored from a backup must know before it may be written again.

A restored journal has forgotten the operations after the backup. If the shop repeats such a call, it must not be sent
again. The references under which the vendors know our movements end in a tag, which is derived from the account, the
verb and the caller's reference. So the forgotten movements can be imported from the vendors (the table `adopted`), and
are recognised when their call comes again.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from voucher_gateway.capabilities import Operation
from voucher_gateway.errors import DatabaseUnavailable, OutcomePending, ReferenceConflict
from voucher_gateway.instants import format_micros, parse_instant
from voucher_gateway.journal.events.append import append_event
from voucher_gateway.journal.events.kinds import EventKind
from voucher_gateway.journal.events.transactions import forget_transactions
from voucher_gateway.journal.keys.keys import JournalKeys, find_tag
from voucher_gateway.journal.keys.row_seals import ADOPTED
from voucher_gateway.journal.pruned.pruned import is_own_movement
from voucher_gateway.journal.records import OperationRecord, read_result
from voucher_gateway.journal.schema import adopted, facts, operations
from voucher_gateway.models.results import Movement, Redemption, TopUp
from voucher_gateway.models.voucher import MovementKind, MovementState
from voucher_gateway.money import Money
from voucher_gateway.outcome import Intent, Result
from voucher_gateway.storage.statements import without_index

RESTORED: Final = "restored"
"""The fact that says that a journal was restored and may not be written yet."""

RESTORED_AT: Final = "restored-at"
"""The fact that says when a restored journal could be written again."""

_VERBS: Final = {
    MovementKind.REDEMPTION: (Operation.CAPTURE, Operation.REDEEM),
    MovementKind.TOP_UP: (Operation.TOP_UP,),
}


class RestoreGuard:
    """The state of a restored journal.

    Attributes:
        pending: whether the journal was restored and may not be written yet, as far as was known when it was opened.
        has_imported_movements: whether there may be imported movements, for calls to claim.
    """

    def __init__(self, connection: Connection) -> None:
        self.pending = _is_pending(connection)
        self.has_imported_movements = connection.scalar(sa.select(sa.exists().where(adopted.c.id > 0))) is True

    def require_writable(self, connection: Connection) -> None:
        """Check that the journal may be written.

        Raises:
            DatabaseUnavailable: if it was restored, and the forgotten movements were not imported yet.
        """
        if not self.pending:
            return
        self.pending = _is_pending(connection)
        if self.pending:
            raise DatabaseUnavailable(
                "the journal was restored from a backup and does not know yet what happened since:"
                " run `voucher-gateway recover --after-restore`"
            )

    def begin(self, connection: Connection, keys: JournalKeys, at: str) -> None:
        """Forbid changing calls until `end`."""
        connection.execute(sa.delete(facts).where(facts.c.name == RESTORED))
        connection.execute(sa.insert(facts), {"name": RESTORED, "value": at})
        forget_transactions(connection, keys)
        self.pending = True

    def end(self, connection: Connection, keys: JournalKeys, at: str) -> None:
        """Allow changing calls again, and append an event of the restoration."""
        marked_at = connection.scalar(sa.select(facts.c.value).where(facts.c.name == RESTORED))
        connection.execute(sa.delete(facts).where(facts.c.name.in_((RESTORED, RESTORED_AT))))
        connection.execute(sa.insert(facts), {"name": RESTORED_AT, "value": at})
        append_event(connection, keys, EventKind.JOURNAL_RESTORED, "journal", {"marked_at": marked_at}, at=at)
        self.pending = False
        self.has_imported_movements = True

    def import_movements(
        self, connection: Connection, keys: JournalKeys, account: str, host: str, movements: Iterable[Movement]
    ) -> int:
        """Store our movements that the journal does not know; return how many were new.

        It knows those of the operations that were removed from it.
        """
        count = 0
        for movement in movements:
            tag = _own_tag(connection, keys, account, host, movement)
            if tag is None or movement.money is None or movement.state is MovementState.CANCELLED:
                continue
            name = movement.reference or str(movement.id)
            same = (
                (adopted.c.host == host) & (adopted.c.wire_reference == name) & (adopted.c.kind == movement.kind.value)
            )
            if connection.scalar(sa.select(sa.exists().where(same))):
                continue
            row = {
                "account": account,
                "host": host,
                "mark": tag,
                "kind": movement.kind.value,
                "voucher_id": movement.voucher_id or "",
                "movement_id": movement.id,
                "wire_reference": name,
                "amount": f"{movement.money.amount:f}",
                "currency": movement.money.currency,
                "pending": movement.state is MovementState.PENDING,
                "moved_at": None if movement.created_at is None else format_micros(movement.created_at),
            }
            connection.execute(sa.insert(adopted), ADOPTED.seal_row(keys, row))
            count += 1
        ADOPTED.add_to_count(connection, keys, count)
        return count

    def is_forgotten_refund(self, connection: Connection, keys: JournalKeys, intent: Intent) -> bool:
        """Whether a refund that is about to be sent may be a forgotten one. Each counts once."""
        assert intent.money is not None
        forgotten = (
            (adopted.c.host == intent.host)
            & (adopted.c.voucher_id == intent.voucher_id)
            & (adopted.c.kind == MovementKind.REFUND.value)
            & (adopted.c.amount == f"{intent.money.amount:f}")
            & (adopted.c.currency == intent.money.currency)
        )
        first = sa.select(adopted.c.id).where(forgotten).order_by(adopted.c.id).limit(1).scalar_subquery()
        deleted = connection.execute(sa.delete(adopted).where(adopted.c.id == first)).rowcount
        ADOPTED.add_to_count(connection, keys, -deleted)
        return deleted > 0

    def find_forgotten_result(
        self, connection: Connection, record: OperationRecord, tags: Iterable[str], *, partial: bool = False
    ) -> Result | None:
        """Return the result of a call that the vendor shows and the journal had forgotten.

        Raises:
            ReferenceConflict: if the vendor shows another amount under this reference.
            OutcomePending: if the movement was still pending when the journal was restored.
        """
        kinds = [kind.value for kind, verbs in _VERBS.items() if record.key.verb in verbs]
        query = sa.select(adopted).where(
            adopted.c.account == record.key.account,
            adopted.c.host == record.target.host,
            adopted.c.mark.in_(list(tags)),
            adopted.c.kind.in_(kinds),
        )
        row = connection.execute(query).first()
        if row is None:
            return None
        money = Money(row.amount, row.currency)
        asked = record.target.money
        is_part = partial and asked is not None and money.currency == asked.currency and money < asked
        if money != asked and not is_part:
            raise ReferenceConflict(
                f"before the journal was restored, this reference stood for {money}", account=record.key.account
            )
        if row.pending:
            raise _pending_error(record, row.wire_reference)
        moved_at = parse_instant(row.moved_at) if row.moved_at else None
        kind = TopUp if record.key.verb is Operation.TOP_UP else Redemption
        return kind(
            account=record.key.account,
            id=row.movement_id or row.wire_reference,
            voucher_id=row.voucher_id or None,
            money=money,
            created_at=moved_at,
        )


def rename_movements(connection: Connection, keys: JournalKeys, former: str, name: str, host: str) -> None:
    """Give the movements of an account that were imported its new name.

    Args:
        connection: in a transaction.
        keys: the journal's.
        former: the name until now.
        name: the new name.
        host: the vendor's host.
    """
    query = sa.select(adopted).where(adopted.c.account == former, adopted.c.host == host)
    for row in [dict(row) for row in connection.execute(query).mappings()]:
        renamed = ADOPTED.seal_again(keys, row, {**row, "account": name})
        connection.execute(sa.update(adopted).where(adopted.c.id == row["id"]).values(renamed))


def _pending_error(record: OperationRecord, wire_reference: str) -> OutcomePending:
    """Return the error of a call that was pending at the vendor when the journal was restored."""
    target = record.target
    intent = Intent(
        account=record.key.account,
        provider=target.provider,
        host=target.host,
        login=target.login,
        verb=record.key.verb.value,
        reference=wire_reference,
        order=record.order,
        subject=target.id,
        money=target.money,
    )
    return intent.pending("the vendor had accepted it before the journal was restored")


def _own_tag(connection: Connection, keys: JournalKeys, account: str, host: str, movement: Movement) -> str | None:
    """Return the tag of a movement that may be ours and that the journal does not know; None for any other.

    Refunds carry no reference at some vendors: those that no operation of the journal made are without a tag.
    """
    if movement.kind is MovementKind.REFUND:
        known = sa.select(operations.c.result).where(
            without_index(operations.c.verb) == Operation.REFUND.value,
            operations.c.host == host,
            operations.c.voucher_id == movement.voucher_id,
            operations.c.result.is_not(None),
        )
        results = [read_result(text) for text in connection.scalars(known)]
        if any(getattr(result, "id", None) == movement.id for result in results):
            return None
        return None if is_own_movement(connection, keys, host, reference=None, movement_id=movement.id) else ""
    tag = find_tag(movement.reference)
    if tag is None or movement.kind not in _VERBS or _is_known(connection, account, tag):
        return None
    return None if is_own_movement(connection, keys, host, reference=movement.reference, movement_id=None) else tag


def _is_pending(connection: Connection) -> bool:
    return connection.scalar(sa.select(facts.c.value).where(facts.c.name == RESTORED)) is not None


def _is_known(connection: Connection, account: str, tag: str) -> bool:
    known = (operations.c.account == account) & operations.c.id.endswith(tag)
    return bool(connection.scalar(sa.select(sa.exists().where(known))))
