"""Corrects decisions of persons about operations, in the journal."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import attrs
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from voucher_gateway.capabilities import Operation
from voucher_gateway.errors import OperationInProgress
from voucher_gateway.journal.keys.keys import JournalKeys
from voucher_gateway.journal.pruned.pruned import has_pruned_refund, is_result_of_pruned
from voucher_gateway.journal.records import UNRESOLVED, OperationRecord, OperationState, write_result
from voucher_gateway.journal.schema import operations
from voucher_gateway.models.voucher import Voucher
from voucher_gateway.outcome import Result
from voucher_gateway.storage.statements import PreparedStatement

_MAY_HAVE_HAPPENED: Final = sa.or_(
    *[operations.c.state == state.value for state in (OperationState.SUCCEEDED, *UNRESOLVED)]
)
_REMOVED: Final = "(removed from the journal)"
"""Stands for a reference that the journal has no more."""

_CORRECT: Final = PreparedStatement(
    sa.update(operations)
    .where(
        operations.c.id == sa.bindparam("operation_id"),
        operations.c.epoch == sa.bindparam("known_epoch"),
        operations.c.state == sa.bindparam("known_state"),
        sa.func.coalesce(operations.c.decided_by, "") == sa.bindparam("known_person"),
    )
    .values(
        state=sa.bindparam("new_state"),
        result=sa.bindparam("new_result"),
        error=None,
        voucher_id=sa.bindparam("new_voucher_id"),
        updated_at=sa.bindparam("at"),
        decided_by=sa.bindparam("person"),
        decision=sa.bindparam("person_reason"),
    )
    .returning(operations)
)
_REFUND_OF: Final = PreparedStatement(
    sa.select(operations.c.reference).where(
        operations.c.verb == Operation.REFUND.value,
        operations.c.account == sa.bindparam("account"),
        operations.c.target == sa.bindparam("redemption"),
        _MAY_HAVE_HAPPENED,
    )
)


@attrs.frozen(kw_only=True)
class Correction:
    """Another decision about an operation.

    Attributes:
        state: the state of the operation from now on.
        result: its result, if it succeeded.
        by: the person's name.
        reason: how that person knows, and the former decision with its name and reason.
    """

    state: OperationState
    result: Result | None
    by: str
    reason: str


def correct_decision(
    connection: Connection, record: OperationRecord, correction: Correction, at: str
) -> tuple[OperationRecord, Mapping[str, Any]]:
    """Write another decision, and return the operation with its row.

    Raises:
        OperationInProgress: if the operation was run or decided again since it was read.
    """
    result = correction.result
    payload = None if result is None else write_result(result)
    voucher_id = result.id if isinstance(result, Voucher) else getattr(result, "voucher_id", None)
    values = {
        "operation_id": record.id,
        "known_epoch": record.epoch,
        "known_state": record.state.value,
        "known_person": record.decided_by or "",
        "new_state": correction.state.value,
        "new_result": payload,
        "new_voucher_id": voucher_id,
        "at": at,
        "person": correction.by,
        "person_reason": correction.reason,
    }
    row = _CORRECT.first_row(connection, values)
    if row is None:
        raise OperationInProgress("the operation was run or decided again; look at it again")
    corrected = attrs.evolve(
        record,
        state=correction.state,
        result=payload,
        error=None,
        voucher_id=voucher_id,
        decided_by=correction.by,
        decision=correction.reason,
    )
    return corrected, row


def find_refund_of(connection: Connection, keys: JournalKeys, record: OperationRecord) -> str | None:
    """Return the reference of a refund of a redemption that may have happened, or None.

    It is a word if the details of the refund were removed.
    """
    if record.key.verb is not Operation.REDEEM or record.result is None:
        return None
    redemption_id = getattr(record.replay(), "id", None)
    row = _REFUND_OF.first_row(connection, {"account": record.key.account, "redemption": redemption_id})
    if row is not None:
        return str(row["reference"])
    is_pruned = redemption_id is not None and has_pruned_refund(connection, keys, record.target.host, redemption_id)
    return _REMOVED if is_pruned else None


def find_issue_of(connection: Connection, keys: JournalKeys, record: OperationRecord, voucher_id: str) -> str | None:
    """Return the reference of another operation of an account that issued a voucher, or None.

    It is a word if the details of that operation were removed.
    """
    id_text = f'"id": {json.dumps(voucher_id, ensure_ascii=False)}'  # as `write_result` writes it
    query = sa.select(operations.c.reference).where(
        operations.c.verb == Operation.ISSUE.value,
        operations.c.account == record.key.account,
        operations.c.state == OperationState.SUCCEEDED.value,
        operations.c.id != record.id,
        operations.c.result.contains(id_text, autoescape=True),
    )
    reference = connection.scalar(query.limit(1))
    if reference is not None:
        return str(reference)
    is_pruned = is_result_of_pruned(connection, keys, record.target.host, voucher_id, Operation.ISSUE)
    return _REMOVED if is_pruned else None
