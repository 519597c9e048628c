"""What became of an order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from voucher_gateway.capabilities import Operation
from voucher_gateway.gateway.account import Account
from voucher_gateway.gateway.explanation.events import FIRST, JournalOperation, make_events, read_operations
from voucher_gateway.gateway.explanation.model import Explanation, ExplanationReason, StoryEvent
from voucher_gateway.gateway.explanation.payment import payment_events, payment_text, read_payments
from voucher_gateway.gateway.explanation.text import as_sentence, day_text, moment_text, sums_text, verb_text
from voucher_gateway.gateway.explanation.voucher import doubt_text
from voucher_gateway.instants import now
from voucher_gateway.journal.journal import Journal
from voucher_gateway.journal.pruned.pruned import ORDER, PAYMENT
from voucher_gateway.journal.records import OperationRecord, OperationState
from voucher_gateway.journal.search import OperationFilter, VendorVoucher
from voucher_gateway.models.requests import nfc
from voucher_gateway.money import Money
from voucher_gateway.payments.rows.records import PaymentRecord
from voucher_gateway.payments.rows.states import PaymentState

_FOLLOWING = (Operation.CAPTURE, Operation.RELEASE, Operation.REFUND)
"""Operations that name a result of an earlier one, and may name no order."""


def explain_order(journal: Journal, accounts: Mapping[str, Account], order: str) -> Explanation:
    """Return what became of an order, from the journal alone: no vendor is asked.

    Args:
        journal: the journal.
        accounts: all accounts by name.
        order: the shop's order number.
    """
    operations = read_operations(journal, _records_of(journal, order))
    at = _present(accounts, operations)
    payments = read_payments(journal, order)
    if payments:
        record, refunds = payments[0]
        reason, text = _reason_of_payment(record, payment_text(record, refunds, at), operations, at)
    elif not operations:
        reason, text = _reason_without_operations(journal, order)
    else:
        reason, text = _reason(operations, order, at)
    moves = [
        move
        for place in dict.fromkeys((each.record.key.account, each.record.voucher_id) for each in operations)
        if place[1] is not None
        for move in journal.move_chain(place[0], place[1])
    ]
    events = make_events(operations, (), moves, at)
    for record, refunds in payments:
        events.extend(payment_events(record, refunds))
    return Explanation(
        reason=reason,
        sentence=as_sentence(text),
        order=order,
        payment=payments[0][0] if payments else None,
        events=tuple(sorted(events, key=_moment_of)),
    )


def _moment_of(event: StoryEvent) -> datetime:
    return event.at or FIRST


def _reason_of_payment(
    record: PaymentRecord, text: str, operations: Sequence[JournalOperation], at: datetime
) -> tuple[ExplanationReason, str]:
    """Return the reason of an order that is paid by a payment."""
    unresolved = [operation.record for operation in operations if operation.record.state.is_unresolved]
    if unresolved:
        return ExplanationReason.IN_DOUBT, f"{text}; {doubt_text(unresolved[0], at)}"
    is_held = record.state is PaymentState.AUTHORIZED and record.authorized_until is not None
    return (ExplanationReason.HELD if is_held else ExplanationReason.DONE), text


def _records_of(journal: Journal, order: str) -> list[OperationRecord]:
    """Return the operations of an order, and those that took, released or gave back what they had made."""
    records = {record.id: record for record in journal.search(OperationFilter(order=order))}
    vouchers = {
        VendorVoucher(record.target.provider, record.target.host, record.voucher_id)
        for record in records.values()
        if record.voucher_id is not None
    }
    of_vouchers = list(journal.search(OperationFilter(fingerprints=(), vouchers=list(vouchers)))) if vouchers else []
    results = {getattr(record.replay(), "id", None) for record in records.values() if record.result is not None}
    for record in reversed(of_vouchers):
        if record.order is None and record.key.verb in _FOLLOWING and record.target.id in results:
            records[record.id] = record
            results.add(getattr(record.replay(), "id", None) if record.result is not None else None)
    return list(records.values())


def _present(accounts: Mapping[str, Account], operations: Iterable[JournalOperation]) -> datetime:
    """Return the latest time by the clocks of the order's vendors."""
    names = {operation.record.key.account for operation in operations}
    return max([now(), *(accounts[name].provider.vendor_now() for name in names if name in accounts)])


def _reason_without_operations(journal: Journal, order: str) -> tuple[ExplanationReason, str]:
    """Return the reason of an order of which the journal has nothing; perhaps because it was removed.

    The order is not repeated: a code may have been given in its place.
    """
    order = nfc(order)
    if journal.pruned.find(ORDER, order) is not None:
        return ExplanationReason.REMOVED, "the data of this order was erased from the journal"
    if (payment := journal.pruned.find(PAYMENT, order)) is not None:
        return ExplanationReason.REMOVED, (
            f"the payment of this order was opened in {payment.month} and ended as {payment.state}; its details were"
            " removed from the journal because they are old"
        )
    text = "the journal has no operation of this order"
    if (before := journal.pruned.before()) is not None:
        text += f"; what ended before {day_text(before)} was removed from it"
    return ExplanationReason.NOT_FOUND, text


def _reason(operations: Sequence[JournalOperation], order: str, at: datetime) -> tuple[ExplanationReason, str]:
    successes = [operation for operation in operations if operation.record.state is OperationState.SUCCEEDED]
    parts = [
        text
        for verbs, word in (
            ((Operation.REDEEM, Operation.CAPTURE), "took"),
            ((Operation.REFUND,), "gave back"),
            ((Operation.ISSUE,), "issued vouchers of"),
            ((Operation.TOP_UP,), "added"),
        )
        if (text := _sum_text(successes, verbs, word))
    ]
    held = [operation for operation in operations if operation.is_held(at)]
    parts += [f"holds {_hold_text(operation, at)}" for operation in held]
    unresolved = [operation.record for operation in operations if operation.record.state.is_unresolved]
    if not parts:
        parts = [_nothing_text(operations)]
    text = f"order {order} {', '.join(parts)}"
    if unresolved:
        return ExplanationReason.IN_DOUBT, f"{text}; {doubt_text(unresolved[0], at)}"
    return (ExplanationReason.HELD if held else ExplanationReason.DONE), text


def _sum_text(successes: Iterable[JournalOperation], verbs: Sequence[Operation], word: str) -> str:
    amounts: list[Money] = [
        operation.money for operation in successes if operation.record.key.verb in verbs and operation.money is not None
    ]
    return f"{word} {sums_text(amounts)}" if amounts else ""


def _hold_text(operation: JournalOperation, at: datetime) -> str:
    assert operation.hold is not None
    until = operation.hold.expires_at
    return f"{operation.hold.money}" + ("" if until is None else f" until {moment_text(until, at)}")


def _nothing_text(operations: Sequence[JournalOperation]) -> str:
    """Return the words for an order that took nothing, with the reason of its last refusal."""
    refused = [
        operation.record
        for operation in operations
        if operation.record.state in (OperationState.DECLINED, OperationState.NOT_EXECUTED)
    ]
    if not refused:
        return "took nothing"
    last = refused[-1]
    return f"took nothing: the last {verb_text(last.key.verb)} was {verb_text(last.state.value)} ({last.reason})"
