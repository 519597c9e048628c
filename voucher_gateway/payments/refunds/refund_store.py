"""The rows of refunds of payments and of their parts, and their commits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from voucher_gateway.instants import format_micros, now, parse_instant
from voucher_gateway.journal.events.kinds import EventKind
from voucher_gateway.money import Money
from voucher_gateway.payments.rows.records import PaymentRecord
from voucher_gateway.payments.rows.refund_records import PaymentRefund, RefundPart, ReplacementRule
from voucher_gateway.payments.rows.schema import refund_parts, refunds
from voucher_gateway.payments.rows.states import PartState, RefundState
from voucher_gateway.payments.rows.store import PaymentStore
from voucher_gateway.payments.work import PaymentWork


def select_refunds(connection: Connection, payment_id: str, currency: str) -> tuple[PaymentRefund, ...]:
    """Return the refunds of a payment, the oldest first."""
    rows = connection.execute(
        sa.select(refunds).where(refunds.c.payment_id == payment_id).order_by(refunds.c.number)
    ).mappings()
    by_number: dict[int, list[RefundPart]] = {}
    query = sa.select(refund_parts).where(refund_parts.c.payment_id == payment_id).order_by(refund_parts.c.leg)
    for row in connection.execute(query).mappings():
        by_number.setdefault(row["refund"], []).append(_part(row, currency))
    return tuple(_refund(row, currency, tuple(by_number.get(row["number"], ()))) for row in rows)


def read_refunds(store: PaymentStore, record: PaymentRecord) -> tuple[PaymentRefund, ...]:
    """Return the refunds of a payment, the oldest first."""
    with store.database.read() as connection:
        return select_refunds(connection, record.id, record.total.currency)


def commit_refund(
    work: PaymentWork,
    refund: PaymentRefund,
    parts: Mapping[int, Mapping[str, Any]],
    *,
    state: RefundState = RefundState.OPEN,
    **changes: Any,
) -> None:
    """Change a refund, its parts by the numbers of their legs, and the payment, in one transaction."""
    event = EventKind.PAYMENT_REFUNDED if state is RefundState.DONE else EventKind.PAYMENT_CHANGED
    with work.transaction(event=event, refund=refund, **changes) as connection:
        update_refund(connection, work.record.id, refund, state=state, parts=parts)


def insert_refund(connection: Connection, payment_id: str, refund: PaymentRefund) -> None:
    """Insert a refund with its parts."""
    connection.execute(
        sa.insert(refunds).values(
            payment_id=payment_id,
            number=refund.number,
            reference=refund.reference,
            asked=None if refund.asked is None else f"{refund.asked.amount:f}",
            amount=f"{refund.amount.amount:f}",
            strategy=refund.strategy,
            replacement=None if refund.replacement is None else refund.replacement.to_json(),
            state=refund.state.value,
            created_at=format_micros(refund.created_at),
            updated_at=format_micros(refund.updated_at),
        )
    )
    for part in refund.parts:
        connection.execute(
            sa.insert(refund_parts).values(
                payment_id=payment_id,
                refund=refund.number,
                leg=part.leg,
                amount=f"{part.amount.amount:f}",
                state=part.state.value,
                reason=part.reason,
            )
        )


def update_refund(
    connection: Connection,
    payment_id: str,
    refund: PaymentRefund,
    *,
    state: RefundState,
    parts: Mapping[int, Mapping[str, Any]],
) -> None:
    """Change the state of a refund, and its parts by the numbers of their legs.

    The caller changes the payment in the same transaction, which proves that it may.
    """
    own = (refunds.c.payment_id == payment_id) & (refunds.c.number == refund.number)
    connection.execute(sa.update(refunds).where(own).values(state=state.value, updated_at=format_micros(now())))
    own = (refund_parts.c.payment_id == payment_id) & (refund_parts.c.refund == refund.number)
    for leg, changes in parts.items():
        connection.execute(sa.update(refund_parts).where(own, refund_parts.c.leg == leg).values(**changes))


def _refund(row: Mapping[Any, Any], currency: str, parts: tuple[RefundPart, ...]) -> PaymentRefund:
    return PaymentRefund(
        number=row["number"],
        reference=row["reference"],
        asked=None if row["asked"] is None else Money(row["asked"], currency),
        amount=Money(row["amount"], currency),
        strategy=row["strategy"],
        replacement=None if row["replacement"] is None else ReplacementRule.from_json(row["replacement"]),
        state=RefundState(row["state"]),
        created_at=parse_instant(row["created_at"]),
        updated_at=parse_instant(row["updated_at"]),
        parts=parts,
    )


def _part(row: Mapping[Any, Any], currency: str) -> RefundPart:
    return RefundPart(
        leg=row["leg"],
        amount=Money(row["amount"], currency),
        state=PartState(row["state"]),
        reason=row["reason"],
        replacement_account=row["replacement_account"],
        replacement_id=row["replacement_id"],
    )
