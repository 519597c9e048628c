"""A movement at the vendor is the result of one operation at most."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from voucher_gateway.journal.records import OperationRecord, OperationState
from voucher_gateway.journal.results import read_result
from voucher_gateway.journal.schema import operations, requests
from voucher_gateway.models.results import Movement, Redemption, Refund, TopUp
from voucher_gateway.outcome import Result

if TYPE_CHECKING:
    from collections.abc import Iterable

    from voucher_gateway.journal.journal import Journal

_OTHERS: Final = sa.select(operations.c.result).where(
    operations.c.provider == sa.bindparam("provider"),
    operations.c.host == sa.bindparam("host"),
    operations.c.voucher_id == sa.bindparam("voucher"),
    operations.c.verb == sa.bindparam("verb"),
    operations.c.state == OperationState.SUCCEEDED.value,
    operations.c.id != sa.bindparam("mine"),
    operations.c.result.is_not(None),
)


def is_result_of_another(journal: Journal, entry: OperationRecord, result: Result | None) -> bool:
    """Whether what was found at the vendor for an operation is another operation's result already.

    A refund at JTL names nothing. One that another worker made between the look at the history and the row of ours
    looks like ours.
    """
    if not isinstance(result, Redemption | Refund | TopUp):
        return False
    parameters = {
        "provider": entry.target.provider,
        "host": entry.target.host,
        "voucher": result.voucher_id,
        "verb": entry.key.verb.value,
        "mine": entry.id,
    }
    with journal.database.read() as connection:
        others = [read_result(text) for text in connection.scalars(_OTHERS, parameters)]
    return any(getattr(other, "id", None) == result.id for other in others)


def all_claimed_by_others(journal: Journal, entry: OperationRecord, movements: Iterable[Movement]) -> bool:
    """Whether each movement belongs to another operation: as its result, or by a reference that it sent."""
    with journal.database.read() as connection:
        return all(_is_of_another(connection, entry, movement) for movement in movements)


def _is_of_another(connection: Connection, entry: OperationRecord, movement: Movement) -> bool:
    of_voucher = (
        (operations.c.provider == entry.target.provider)
        & (operations.c.host == entry.target.host)
        & (operations.c.voucher_id == (movement.voucher_id or entry.voucher_id))
        & (operations.c.id != entry.id)
    )
    sent = (
        sa.select(requests.c.id)
        .join(operations, operations.c.id == requests.c.operation_id)
        .where(of_voucher, requests.c.wire_reference == movement.reference)
    )
    if movement.reference and connection.execute(sent.limit(1)).first() is not None:
        return True
    results = sa.select(operations.c.result).where(
        of_voucher, operations.c.state == OperationState.SUCCEEDED.value, operations.c.result.is_not(None)
    )
    return any(getattr(read_result(text), "id", None) == movement.id for text in connection.scalars(results))
