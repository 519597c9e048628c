"""What other parts of the library ask the journal about vouchers and accounts. `Journal` has a method for each."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from voucher_gateway.capabilities import Operation
from voucher_gateway.instants import format_micros
from voucher_gateway.journal.holds import HoldState
from voucher_gateway.journal.records import OperationKey, OperationState
from voucher_gateway.journal.rows import UNRESOLVED_STATES
from voucher_gateway.journal.schema import holds, moved, operations
from voucher_gateway.money import Money

_ACTIVE_HOLDS: Final = (HoldState.REQUESTED.value, HoldState.LIVE.value)
_TAKES: Final = (Operation.REDEEM.value, Operation.CAPTURE.value)
_GIVES: Final = (Operation.REFUND.value, Operation.TOP_UP.value)


def select_unresolved(connection: Connection, *, provider: str, host: str, voucher_id: str) -> OperationKey | None:
    """Return the key of an operation on a voucher whose outcome is not known yet; None if there is none."""
    query = (
        sa.select(operations.c.account, operations.c.verb, operations.c.reference)
        .where(
            operations.c.provider == provider,
            operations.c.host == host,
            operations.c.voucher_id == voucher_id,
            operations.c.state.in_(UNRESOLVED_STATES),
        )
        .limit(1)
    )
    row = connection.execute(query).first()
    return None if row is None else OperationKey(row.account, Operation(row.verb), row.reference)


def has_active_hold(
    connection: Connection, *, provider: str, host: str, fingerprints: Iterable[str], at: datetime
) -> bool:
    """Whether a reservation may hold value of a voucher at a moment of the vendor's clock."""
    query = sa.select(holds.c.operation_id).where(
        holds.c.provider == provider,
        holds.c.host == host,
        holds.c.fingerprint.in_(list(fingerprints)),
        holds.c.state.in_(_ACTIVE_HOLDS),
        holds.c.expires_at.is_(None) | (holds.c.expires_at > format_micros(at)),
    )
    return connection.execute(query.limit(1)).first() is not None


def sum_changes(connection: Connection, *, account: str, voucher_id: str, currency: str) -> Money:
    """Return what the account's successful operations changed of a voucher's value: negative where they took."""
    query = sa.select(operations.c.verb, operations.c.amount, operations.c.currency).where(
        operations.c.account == account,
        operations.c.voucher_id == voucher_id,
        operations.c.state == OperationState.SUCCEEDED.value,
        operations.c.verb.in_([*_TAKES, *_GIVES]),
    )
    total = Money.zero(currency)
    for row in connection.execute(query):
        money = Money(row.amount, row.currency)
        total = total - money if row.verb in _TAKES else total + money
    return total


def select_moved_ids(connection: Connection, account: str) -> list[str]:
    """Return the ids of the vouchers of an account that migrations move or have moved."""
    return list(connection.scalars(sa.select(moved.c.voucher_id).where(moved.c.account == account)))


def select_issued(
    connection: Connection, *, account: str, reference_prefix: str, after: str, limit: int
) -> list[sa.Row[Any]]:
    """Return id, reference and result of the next successful operations that issued a voucher, by id.

    Args:
        connection: for reading.
        account: where they were issued.
        reference_prefix: how their references begin.
        after: only operations after this id.
        limit: at most so many.
    """
    query = (
        sa.select(operations.c.id, operations.c.reference, operations.c.result)
        .where(
            operations.c.account == account,
            operations.c.verb == Operation.ISSUE.value,
            operations.c.reference.startswith(reference_prefix, autoescape=True),
            operations.c.state == OperationState.SUCCEEDED.value,
            operations.c.result.is_not(None),
            operations.c.id > after,
        )
        .order_by(operations.c.id)
        .limit(limit)
    )
    return list(connection.execute(query))
