"""The payments of an order, in the words of an explanation."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from voucher_gateway.gateway.explanation.model import StoryEvent
from voucher_gateway.gateway.explanation.text import moment_text
from voucher_gateway.journal.journal import Journal
from voucher_gateway.money import Money
from voucher_gateway.payments.orders import has_payments
from voucher_gateway.payments.refunds.refund_store import read_refunds
from voucher_gateway.payments.rows.records import PaymentRecord, sum_money
from voucher_gateway.payments.rows.refund_records import PaymentRefund
from voucher_gateway.payments.rows.states import PaymentState
from voucher_gateway.payments.rows.store import PaymentStore


def read_payments(journal: Journal, order: str) -> list[tuple[PaymentRecord, tuple[PaymentRefund, ...]]]:
    """Return the payments of an order with their refunds, the newest first; empty if it has none."""
    if not has_payments(journal.database):
        return []
    store = PaymentStore(journal.database)
    return [(record, read_refunds(store, record)) for record in store.iterate(order=order)]


def payment_text(record: PaymentRecord, refunds: tuple[PaymentRefund, ...], at: datetime) -> str:
    """Return how the payment of an order stands, without a full stop."""
    text = _state_text(record, at)
    currency = record.total.currency
    if given_back := sum_money((refund.vouchers for refund in refunds), currency):
        text += f"; {given_back} of it was refunded to vouchers"
    return text if record.attention is None else f"{text}; it waits: {record.attention}"


def _state_text(record: PaymentRecord, at: datetime) -> str:
    order, total = f"order {record.order}", record.total
    by_vouchers = sum_money((leg.amount for leg in record.paying_legs), total.currency)
    match record.state:
        case PaymentState.OPEN:
            return f"{order} is not paid: its payment of {total} is open"
        case PaymentState.AUTHORIZED:
            until = record.authorized_until
            end = "" if until is None else f" until {moment_text(until, at)}"
            return f"{order} is not paid yet: {by_vouchers} of {total} by vouchers is authorized{end}"
        case PaymentState.CAPTURING:
            return f"the payment of {order} is being captured: {record.captured} of {total} is taken"
        case PaymentState.CAPTURED:
            return f"{order} is paid: {by_vouchers} of {total} by vouchers{_due_text(record)}"
        case PaymentState.SHORT:
            return f"the payment of {order} is short by {record.short_by}: {record.captured} of {total} is taken"
        case PaymentState.CANCELLING:
            return f"the payment of {order} is being cancelled: {_sum_returns(record)} came back"
    return f"the payment of {order} was cancelled: {_sum_returns(record)} came back"


def _due_text(record: PaymentRecord) -> str:
    if not record.due:
        return ""
    return f", {record.due} by the other means" if record.has_other else f", {record.due} due by other means"


def _sum_returns(record: PaymentRecord) -> Money:
    return sum_money((leg.returned for leg in record.legs if leg.returned is not None), record.total.currency)


def payment_events(record: PaymentRecord, refunds: tuple[PaymentRefund, ...]) -> Iterator[StoryEvent]:
    """Yield what happened to a payment: it was opened, it was decided about, and it was refunded."""
    yield _event(record, record.created_at, "payment", record.total, "open")
    if record.decided_at is not None:
        is_cancelled = record.state in (PaymentState.CANCELLING, PaymentState.CANCELLED)
        decision = "cancel" if is_cancelled else "capture"
        yield _event(record, record.decided_at, "payment", record.total, f"decided to {decision}")
    for refund in refunds:
        yield _event(record, refund.created_at, "payment refund", refund.amount, refund.state.value, refund.reference)


def _event(
    record: PaymentRecord, at: datetime, what: str, money: Money, state: str, reference: str | None = None
) -> StoryEvent:
    attempt = "" if record.attempt == 1 else f"attempt {record.attempt}"
    return StoryEvent(
        at=at,
        source="journal",
        what=what,
        account="",
        money=money,
        state=state,
        order=record.order,
        reference=reference,
        detail=attempt,
    )
