"""What calls of several requests left behind at the vendors, because they went no further."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import sqlalchemy as sa

from voucher_gateway.journal.records import OperationRecord, OperationState, RequestRecord
from voucher_gateway.journal.rows import select_requests
from voucher_gateway.journal.schema import operations, requests
from voucher_gateway.outcome import Effect, Leftover
from voucher_gateway.storage.engine import Database


def find_leftovers(record: OperationRecord, sent: Sequence[RequestRecord]) -> tuple[Leftover, ...]:
    """Return what an operation left behind, from all of its requests.

    Nothing is left behind by an operation that a worker runs, and by an attempt whose deciding request succeeded or is
    in doubt.
    """
    if record.state is OperationState.OPEN:
        return ()
    used = {
        request.intent.reference
        for request in sent
        if request.intent.leaves is None and request.effect in (None, Effect.UNKNOWN, Effect.SUCCEEDED)
    }
    leftovers: dict[tuple[str | None, str], Leftover] = {}
    for request in sent:
        intent = request.intent
        if (
            intent.leaves is None
            or intent.reference in used
            or request.effect in (Effect.NOT_EXECUTED, Effect.DECLINED)
        ):
            continue
        name = (intent.reference, intent.part)
        is_certain = request.effect is Effect.SUCCEEDED or (name in leftovers and leftovers[name].is_certain)
        leftovers[name] = Leftover(intent.leaves, _voucher_id(request, sent), is_certain)
    return tuple(leftovers.values())


def _voucher_id(prepared: RequestRecord, sent: Sequence[RequestRecord]) -> str | None:
    """Return the id of what a request made, from a later request of the same call that names it."""
    ids = [
        request.intent.voucher_id
        for request in sent
        if request.intent.reference == prepared.intent.reference and request.intent.voucher_id
    ]
    return ids[-1] if ids else None


def iterate_leftovers(database: Database, account: str) -> Iterator[tuple[OperationRecord, Leftover]]:
    """Iterate over what the operations of an account left behind, the oldest operation first."""
    preparing = sa.select(requests.c.operation_id).where(requests.c.prepares.is_(True))
    query = sa.select(operations).where(operations.c.account == account, operations.c.id.in_(preparing))
    for row in database.iterate_rows(query, operations.c.id):
        record = OperationRecord.from_row(row)
        with database.read() as connection:
            sent = select_requests(connection, record.id)
        for leftover in find_leftovers(record, sent):
            yield record, leftover
