"""What the journal records as begun and not ended, while both accounts are read for a certificate.

A request that was sent by a process that was killed may arrive at a vendor after both accounts were read. So a
certificate is not final while the journal has an operation without a known outcome, a move without an end, or a run.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import datetime
from typing import Final

import attrs
import sqlalchemy as sa

from voucher_gateway.instants import now
from voucher_gateway.journal.moves import move_reference
from voucher_gateway.journal.records import UNRESOLVED, OperationKey, OperationRecord
from voucher_gateway.migration.run.context import MigrationContext
from voucher_gateway.migration.run.state import MigrationState
from voucher_gateway.migration.run_records import run_records
from voucher_gateway.migration.schema import RowState, Work, vouchers

MOST_OPERATIONS: Final = 1000
"""The largest number of operations that a certificate names. It counts all of them."""

_KEPT: Final = 100 * MOST_OPERATIONS
"""The largest number of operations that are counted."""


@attrs.frozen(kw_only=True)
class OpenOperation:
    """An operation at one of the accounts whose outcome the journal does not know.

    Attributes:
        account: its account.
        verb: its verb.
        reference: its reference.
        state: its state: open, unknown or pending.
        of_plan: whether it is a step of the plan. Otherwise a shop, or another plan, has called it.
        began_at: when its first attempt began.
    """

    account: str
    verb: str
    reference: str
    state: str
    of_plan: bool
    began_at: datetime


@attrs.frozen(kw_only=True)
class OpenWork:
    """What had begun and had not ended while both accounts were read.

    Attributes:
        operations: the operations whose outcome was not known, the oldest first; at most `MOST_OPERATIONS`.
        operation_count: the number of all of them.
        vouchers: the numbers of the vouchers whose move or rollback has begun and has not ended.
        run_in_progress: whether a run or a rollback of the plan was under way.
    """

    operations: tuple[OpenOperation, ...]
    operation_count: int
    vouchers: frozenset[int]
    run_in_progress: bool


class OpenWorkObserver:
    """Observes what is open, from before both accounts are read until after it.

    What is open at one of both moments may have changed an amount after it was read.

    Args:
        context: what all moves of the plan share.
        state: the state of the plan.
    """

    def __init__(self, context: MigrationContext, state: MigrationState) -> None:
        self._context = context
        self._state = state
        self._began = now()
        self._operations: dict[OperationKey, OpenOperation] = {}
        self._vouchers: set[int] = set()
        self._observe()

    def open_work(self) -> OpenWork:
        """Observe once more, and return what was open at one of both moments."""
        self._observe()
        ordered = sorted(self._operations.values(), key=_age)
        return OpenWork(
            operations=tuple(ordered[:MOST_OPERATIONS]),
            operation_count=len(ordered),
            vouchers=frozenset(self._vouchers),
            run_in_progress=self._was_run(),
        )

    def _observe(self) -> None:
        for record in itertools.islice(self._iterate_open_operations(), _KEPT):
            self._operations[record.key] = self._describe(record)
        with self._state.database.read() as connection:
            self._vouchers.update(connection.scalars(_select_unfinished(self._state.plan_id)))

    def _iterate_open_operations(self) -> Iterator[OperationRecord]:
        journal = self._context.journal
        for account in (self._context.source, self._context.target):
            for name in (account, *journal.names.former_names(account)):
                yield from journal.iterate_operations(states=UNRESOLVED, account=name)

    def _describe(self, record: OperationRecord) -> OpenOperation:
        key = record.key
        return OpenOperation(
            account=key.account,
            verb=key.verb.value,
            reference=key.reference,
            state=record.state.value,
            of_plan=key.reference.startswith(move_reference(self._context.plan_id, "")),
            began_at=record.created_at,
        )

    def _was_run(self) -> bool:
        return any(
            record.working or (record.ended_at is not None and record.ended_at >= self._began)
            for record in run_records(self._state.database, self._state.plan_id)
            if record.work in (Work.RUN, Work.ROLLBACK)
        )


def _select_unfinished(plan_id: str) -> sa.Select[tuple[int]]:
    """Return the query of the numbers of the vouchers whose move or rollback has begun and has not ended."""
    return sa.select(vouchers.c.number).where(
        vouchers.c.plan_id == plan_id,
        sa.or_(
            vouchers.c.state == RowState.IN_DOUBT.value,
            vouchers.c.state == RowState.WORKING.value,
            sa.and_(vouchers.c.state == RowState.PLANNED.value, vouchers.c.attempts > 0),
            vouchers.c.owner.is_not(None),
            vouchers.c.undo_target_state.is_not(None),
        ),
    )


def _age(operation: OpenOperation) -> tuple[datetime, str, str, str]:
    return operation.began_at, operation.account, operation.verb, operation.reference
