"""The journal's statements on operations and requests, compiled once."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from voucher_gateway.capabilities import Operation
from voucher_gateway.journal.records import OperationState
from voucher_gateway.journal.schema import operations, requests

OF_KEY: Final = sa.select(operations).where(
    operations.c.account == sa.bindparam("account"),
    operations.c.verb == sa.bindparam("verb"),
    operations.c.reference == sa.bindparam("reference"),
)
OF_ID: Final = sa.select(operations).where(operations.c.id == sa.bindparam("id"))
SENT: Final = sa.select(requests).where(requests.c.operation_id == sa.bindparam("id")).order_by(requests.c.id)
INSERT: Final = sa.insert(operations)
INSERT_REQUEST: Final = sa.insert(requests).returning(requests.c.id)
FINISH_REQUEST: Final = (
    sa.update(requests)
    .where(requests.c.id == sa.bindparam("row"))
    .values(effect=sa.bindparam("effect"), reason=sa.bindparam("reason"), finished_at=sa.bindparam("at"))
)
OWN_EPOCH: Final = (operations.c.id == sa.bindparam("mine")) & (operations.c.epoch == sa.bindparam("seen"))
NOT_SETTLED: Final = (operations.c.state == OperationState.OPEN.value) | (
    operations.c.state == OperationState.UNKNOWN.value
)
REFRESH: Final = (
    sa.update(operations)
    .where(OWN_EPOCH, operations.c.state == OperationState.OPEN.value)
    .values(
        updated_at=sa.bindparam("at"), voucher_id=sa.func.coalesce(sa.bindparam("voucher"), operations.c.voucher_id)
    )
)
TAKE_OVER: Final = (
    sa.update(operations)
    .where(OWN_EPOCH)
    .values(
        epoch=operations.c.epoch + 1,
        attempt=operations.c.attempt + sa.bindparam("more"),
        state=sa.bindparam("to"),
        owner=sa.bindparam("by"),
        updated_at=sa.bindparam("at"),
    )
)
SETTLE: Final = (
    sa.update(operations)
    .where(OWN_EPOCH, NOT_SETTLED)
    .values(
        state=sa.bindparam("to"),
        result=sa.bindparam("made"),
        error=sa.bindparam("wrong"),
        voucher_id=sa.func.coalesce(sa.bindparam("voucher"), operations.c.voucher_id),
        updated_at=sa.bindparam("at"),
        check_at=sa.bindparam("next"),
        checks=sa.bindparam("count"),
        decided_by=sa.bindparam("person"),
        decision=sa.bindparam("why"),
    )
)


EXCLUSIVE_OPERATIONS: Final = (Operation.REFUND, Operation.CAPTURE)
COMPETING: Final = sa.select(operations.c.id).where(
    operations.c.provider == sa.bindparam("provider"),
    operations.c.host == sa.bindparam("host"),
    operations.c.voucher_id == sa.bindparam("voucher"),
    operations.c.verb == sa.bindparam("verb"),
    NOT_SETTLED,
    operations.c.id != sa.bindparam("mine"),
    (operations.c.verb == Operation.REFUND.value) | (operations.c.target == sa.bindparam("subject")),
)

# An unknown one is begun again only where its provider says that a repeat is safe.
RESTARTABLE: Final = [OperationState.DECLINED.value, OperationState.NOT_EXECUTED.value, OperationState.UNKNOWN.value]
