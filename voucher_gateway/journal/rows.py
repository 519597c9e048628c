"""The rows of operations and requests: each statement on them as a function within the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import attrs
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from voucher_gateway.capabilities import Operation
from voucher_gateway.errors import OperationInProgress, Ticket
from voucher_gateway.journal.records import (
    UNRESOLVED,
    OperationKey,
    OperationRecord,
    OperationState,
    RequestRecord,
    RequestResult,
)
from voucher_gateway.journal.schema import operations, requests
from voucher_gateway.outcome import Intent
from voucher_gateway.storage.locks import lock_in_transaction
from voucher_gateway.storage.statements import PreparedStatement

UNRESOLVED_STATES: Final = tuple(state.value for state in UNRESOLVED)
"""The values of the states of operations whose outcome is not known yet."""

_RESTARTABLE: Final = (
    OperationState.DECLINED.value,
    OperationState.NOT_EXECUTED.value,
    OperationState.UNKNOWN.value,  # only if its provider says that a repeat is safe
)
_EXCLUSIVE_OPERATIONS: Final = (Operation.REFUND, Operation.CAPTURE)

_BY_KEY: Final = PreparedStatement(
    sa.select(operations).where(
        operations.c.account == sa.bindparam("account"),
        operations.c.verb == sa.bindparam("verb"),
        operations.c.reference == sa.bindparam("reference"),
    )
)
_BY_ID: Final = PreparedStatement(sa.select(operations).where(operations.c.id == sa.bindparam("operation_id")))
_REQUESTS_OF: Final = PreparedStatement(
    sa.select(requests).where(requests.c.operation_id == sa.bindparam("operation")).order_by(requests.c.id)
)
_INSERT: Final = PreparedStatement(sa.insert(operations))
_INSERT_REQUEST: Final = PreparedStatement(sa.insert(requests).returning(requests.c.id))
_FINISH_REQUEST: Final = PreparedStatement(
    sa.update(requests)
    .where(requests.c.id == sa.bindparam("row"))
    .values(effect=sa.bindparam("effect"), reason=sa.bindparam("reason"), finished_at=sa.bindparam("at"))
)
_FORGET_KEY: Final = sa.update(requests).where(requests.c.id == sa.bindparam("row")).values(vendor_key=None)
_OWN_EPOCH: Final = (operations.c.id == sa.bindparam("operation_id")) & (
    operations.c.epoch == sa.bindparam("known_epoch")
)
_IS_OPEN: Final = operations.c.state == OperationState.OPEN.value
_IS_UNRESOLVED: Final = sa.or_(*[operations.c.state == state for state in UNRESOLVED_STATES])
_NEW_VOUCHER_ID: Final[sa.Function[str | None]] = sa.func.coalesce(
    sa.bindparam("new_voucher_id"), operations.c.voucher_id
)
_REFRESH: Final = PreparedStatement(
    sa.update(operations).where(_OWN_EPOCH, _IS_OPEN).values(updated_at=sa.bindparam("at"), voucher_id=_NEW_VOUCHER_ID)
)
_NEW_EPOCH: Final = (
    sa.update(operations)
    .where(_OWN_EPOCH)
    .values(
        epoch=operations.c.epoch + 1,
        attempt=operations.c.attempt + sa.bindparam("added_attempts"),
        state=OperationState.OPEN.value,
        owner=sa.bindparam("new_owner"),
        updated_at=sa.bindparam("at"),
    )
)
_TAKE_OVER: Final = PreparedStatement(_NEW_EPOCH.where(_IS_OPEN))
_RESTART: Final = PreparedStatement(
    _NEW_EPOCH.where(sa.or_(*[operations.c.state == state for state in _RESTARTABLE])).returning(operations)
)
_CLOSE: Final = PreparedStatement(
    sa.update(operations)
    .where(_OWN_EPOCH, _IS_UNRESOLVED)
    .values(
        state=sa.bindparam("new_state"),
        result=sa.bindparam("new_result"),
        error=sa.bindparam("new_error"),
        voucher_id=_NEW_VOUCHER_ID,
        updated_at=sa.bindparam("at"),
        check_at=sa.bindparam("next_check"),
        checks=sa.bindparam("check_count"),
        decided_by=sa.bindparam("person"),
        decision=sa.bindparam("person_reason"),
    )
    .returning(operations.c.voucher_id)
)
_DECIDE: Final = PreparedStatement(
    sa.update(operations)
    .where(_OWN_EPOCH)
    .values(decided_by=sa.bindparam("person"), decision=sa.bindparam("person_reason"))
    .returning(operations)
)
_COMPETING: Final = PreparedStatement(
    sa.select(operations.c.id).where(
        operations.c.provider == sa.bindparam("provider"),
        operations.c.host == sa.bindparam("host"),
        operations.c.voucher_id == sa.bindparam("voucher"),
        operations.c.verb == sa.bindparam("verb"),
        _IS_UNRESOLVED,
        operations.c.id != sa.bindparam("operation"),
        (operations.c.verb == Operation.REFUND.value) | (operations.c.target == sa.bindparam("subject")),
    )
)


def select_operation(connection: Connection, key: OperationKey) -> OperationRecord | None:
    """Return the operation of a key, or None."""
    fields = {"account": key.account, "verb": key.verb.value, "reference": key.reference}
    row = _BY_KEY.first_row(connection, fields)
    return None if row is None else OperationRecord.from_row(row)


def select_operation_by_id(connection: Connection, operation_id: str) -> OperationRecord | None:
    """Return the operation of an id, or None."""
    row = _BY_ID.first_row(connection, {"operation_id": operation_id})
    return None if row is None else OperationRecord.from_row(row)


def select_requests(connection: Connection, operation_id: str) -> list[RequestRecord]:
    """Return the requests of an operation, the oldest first."""
    return [RequestRecord.from_row(row) for row in select_request_rows(connection, operation_id)]


def select_request_rows(connection: Connection, operation_id: str) -> Sequence[Mapping[str, Any]]:
    """Return the rows of the requests of an operation, the oldest first."""
    return _REQUESTS_OF.all_rows(connection, {"operation": operation_id})


def insert_operation(
    connection: Connection, operation: OperationRecord, voucher_id: str | None, at: str
) -> Mapping[str, Any]:
    """Write a new operation in its first attempt, and return its row.

    Raises:
        OperationInProgress: if another worker has written an operation of the same key.
    """
    target = operation.target
    values = {
        "id": operation.id,
        "account": operation.key.account,
        "verb": operation.key.verb.value,
        "reference": operation.key.reference,
        "order_number": operation.order,
        "provider": target.provider,
        "host": target.host,
        "login": target.login,
        "key_id": target.key_id,
        "fingerprint": target.fingerprint,
        "target": target.id,
        "voucher_id": voucher_id,
        "amount": None if target.money is None else f"{target.money.amount:f}",
        "currency": None if target.money is None else target.money.currency,
        "content": target.content,
        "state": OperationState.OPEN.value,
        "attempt": 1,
        "epoch": 1,
        "owner": operation.owner,
        "created_at": at,
        "updated_at": at,
        "checks": 0,
    }
    try:
        _INSERT.execute(connection, values)
    except sa.exc.IntegrityError:
        is_taken = True
    else:
        is_taken = False
    if is_taken:
        raise OperationInProgress("another worker runs this call already")
    return values


def restart_operation(connection: Connection, operation: OperationRecord, at: str) -> Mapping[str, Any]:
    """Open an operation for its next attempt, and return its row; it is known that the earlier ones moved nothing.

    Raises:
        OperationInProgress: if another worker has the operation.
    """
    epoch = operation.epoch - 1
    values = {"added_attempts": 1, "new_owner": operation.owner, "at": at}
    return _require_own_row(connection, _RESTART, operation.id, epoch, values)


def refresh_operation(connection: Connection, operation: OperationRecord, voucher_id: str | None, at: str) -> None:
    """Record that an operation continues, and its voucher if it is known.

    Raises:
        OperationInProgress: if another worker has the operation.
    """
    _require_own(connection, _REFRESH, operation.id, operation.epoch, {"new_voucher_id": voucher_id, "at": at})


def take_over_operation(connection: Connection, operation: OperationRecord, owner: str, at: str) -> None:
    """Give an open operation to another worker under the next epoch.

    Raises:
        OperationInProgress: if another worker was faster.
    """
    values = {"added_attempts": 0, "new_owner": owner, "at": at}
    _require_own(connection, _TAKE_OVER, operation.id, operation.epoch, values)


def close_operation(connection: Connection, operation: OperationRecord, values: Mapping[str, object]) -> str | None:
    """Write the state of an operation that is not closed yet, and return the id of its voucher.

    Raises:
        OperationInProgress: if another worker has the operation.
    """
    row = _require_own_row(connection, _CLOSE, operation.id, operation.epoch, values)
    voucher_id: str | None = row["voucher_id"]
    return voucher_id


def write_decision(connection: Connection, operation: OperationRecord, person: str, reason: str) -> Mapping[str, Any]:
    """Write who decided about an operation, and why; return its row.

    Raises:
        OperationInProgress: if another worker has the operation.
    """
    values = {"person": person, "person_reason": reason}
    return _require_own_row(connection, _DECIDE, operation.id, operation.epoch, values)


def _require_own(
    connection: Connection, statement: PreparedStatement, operation_id: str, epoch: int, values: Mapping[str, object]
) -> None:
    parameters = {"operation_id": operation_id, "known_epoch": epoch, **values}
    if statement.execute(connection, parameters) != 1:
        raise _take_over_error()


def _require_own_row(
    connection: Connection, statement: PreparedStatement, operation_id: str, epoch: int, values: Mapping[str, object]
) -> Mapping[str, Any]:
    row = statement.first_row(connection, {"operation_id": operation_id, "known_epoch": epoch, **values})
    if row is None:
        raise _take_over_error()
    return row


def _take_over_error() -> OperationInProgress:
    return OperationInProgress("another worker has taken this call over")


def insert_request(
    connection: Connection, operation: OperationRecord, *, step: str, decisive: bool, intent: Intent, at: str
) -> dict[str, Any]:
    """Write a request that is about to be sent, and return its row."""
    values = {
        "operation_id": operation.id,
        "epoch": operation.epoch,
        "attempt": operation.attempt,
        "step": step,
        "decisive": decisive,
        "prepares": intent.leaves is not None,
        "wire_reference": intent.reference or "",
        "vendor_key": intent.key,
        "key_credentials": intent.key_credentials,
        "intent": intent.to_json(),
        "sent_at": at,
    }
    row = _INSERT_REQUEST.first_row(connection, values)
    assert row is not None
    return {**values, "id": int(row["id"]), "finished_at": None, "effect": None, "reason": None}


@attrs.define
class SentRequests:
    """The rows of the requests of one attempt, as this process has written them: so they need not be read again.

    Attributes:
        is_complete: whether they are all requests of the operation, and the database holds just that.
        rows: by number, in the order of the sending.
    """

    is_complete: bool
    rows: dict[int, dict[str, Any]] = attrs.field(factory=dict)

    def finish(self, results: Iterable[RequestResult], at: str) -> None:
        """Note what `finish_request` wrote, or will write, of the outcomes of requests."""
        for result in results:
            row = self.rows.get(result.row)
            if row is None or result.key_forgotten or result.notes:
                self.is_complete = False  # more was written than this
                return
            row.update(finished_at=at, effect=result.effect.value, reason=result.reason)


def finish_request(connection: Connection, result: RequestResult, at: str) -> None:
    """Write what became of a request."""
    values: dict[str, Any] = {"row": result.row, "effect": result.effect.value, "reason": result.reason, "at": at}
    _FINISH_REQUEST.execute(connection, values)
    if result.key_forgotten:
        connection.execute(_FORGET_KEY, {"row": result.row})
    if result.notes:
        _add_notes(connection, result.row, result.notes)


def _add_notes(connection: Connection, row: int, notes: Mapping[str, str]) -> None:
    """Add to the intent of a request what the vendor gave when it accepted it."""
    of_request = requests.c.id == row
    ticket = Ticket.from_json(connection.scalar(sa.select(requests.c.intent).where(of_request)) or "")
    noted = attrs.evolve(ticket, notes={**ticket.notes, **notes})
    connection.execute(sa.update(requests).where(of_request).values(intent=noted.to_json()))


def reject_competing(connection: Connection, operation: OperationRecord, step: str, intent: Intent) -> None:
    """Refuse a refund while another one of the voucher is not resolved, and a capture while another one is not.

    Where refunds carry no reference, two open ones could not be told apart (JTL). Whether a reservation can be captured
    twice is not documented there.

    Raises:
        OperationInProgress: if there is such an operation.
    """
    if step not in _EXCLUSIVE_OPERATIONS or step != operation.key.verb or intent.voucher_id is None:
        return
    target = operation.target
    lock_in_transaction(connection, target.provider, target.host, intent.voucher_id)
    parameters = {
        "provider": target.provider,
        "host": target.host,
        "voucher": intent.voucher_id,
        "verb": step,
        "subject": intent.subject,
        "operation": operation.id,
    }
    if _COMPETING.first_row(connection, parameters) is not None:
        raise OperationInProgress(f"the outcome of another {step} of this voucher is not known: resolve that first")
