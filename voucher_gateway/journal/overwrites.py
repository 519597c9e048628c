"""Requests that overwrite a voucher's value, and whether one of them can still take effect.

A request that was sent and not answered can arrive at any later time, also after the same operation was repeated and
succeeded. It then writes the value that was read before it was sent, and undoes whatever came between. Nothing but a
reading that shows it, or a person, closes such a request: it does not become old.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import attrs
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from voucher_gateway.journal.records import OperationKey, OperationRecord, OperationState, RequestRecord
from voucher_gateway.journal.schema import operations, requests
from voucher_gateway.outcome import Effect

OVERWRITE: Final = "update"
"""The step of every request that overwrites a value: the native update's and the emulations'."""

MAY_STILL_ARRIVE: Final = (
    "it is done, but an earlier request of it may still arrive and overwrite the value; a person must decide"
)
"""What is said of an operation that succeeded when it was repeated."""

_UNSETTLED: Final = (OperationState.OPEN.value, OperationState.UNKNOWN.value)


@attrs.frozen
class OpenOverwrite:
    """An operation of which a request may still overwrite the voucher's value.

    Attributes:
        key: the operation.
        settled: whether the operation itself is settled, and only an earlier request of it is not.
    """

    key: OperationKey
    settled: bool

    def __str__(self) -> str:
        operation = f"the {self.key.verb.value} {self.key.reference!r} of this voucher"
        if not self.settled:
            return f"{operation} is not settled: resolve that first"
        return (
            f"{operation} is done, but an earlier request of it may still arrive and write an old value back: close it"
            " with `operations decide` once the vendor says that it did not receive that request, or that it did"
        )


def open_overwrite(connection: Connection, entry: OperationRecord, voucher_id: str) -> OpenOverwrite | None:
    """Return another operation that may still overwrite this voucher's value; None if there is none."""
    query = (
        sa.select(operations)
        .join(requests, requests.c.operation_id == operations.c.id)
        .where(
            operations.c.provider == entry.target.provider,
            operations.c.host == entry.target.host,
            operations.c.voucher_id == voucher_id,
            operations.c.id != entry.id,
            requests.c.step == OVERWRITE,
            operations.c.state.in_(_UNSETTLED) | requests.c.effect.is_(None) | (requests.c.effect == Effect.UNKNOWN),
        )
        .limit(1)
    )
    row = connection.execute(query).mappings().first()
    if row is None:
        return None
    operation = OperationRecord.from_row(row)
    return OpenOverwrite(operation.key, settled=operation.state.value not in _UNSETTLED)


def open_requests(sent: Iterable[RequestRecord]) -> list[RequestRecord]:
    """Return those of an operation's requests that may still overwrite a value."""
    return [request for request in sent if request.step == OVERWRITE and request.effect in (None, Effect.UNKNOWN)]
