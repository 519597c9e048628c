"""What a person looks for in the vendor's screens to decide an operation that no reading decides."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import attrs

from voucher_gateway.capabilities import Operation
from voucher_gateway.errors import InvalidRequest, VoucherGatewayError
from voucher_gateway.execution.resolution import find_undecided_requests
from voucher_gateway.journal.journal import Journal
from voucher_gateway.journal.queries import open_requests
from voucher_gateway.journal.records import OperationRecord, OperationState, RequestRecord
from voucher_gateway.models.results import History, Movement
from voucher_gateway.money import Money
from voucher_gateway.outcome import REFERENCE_MARGIN
from voucher_gateway.provider.provider import VoucherProvider

_TAKING: Final = (Operation.REDEEM.value, Operation.CAPTURE.value)
_ADDING: Final = (Operation.TOP_UP.value, Operation.REFUND.value)


@attrs.frozen(kw_only=True)
class LookupHint:
    """What one request would have left at the vendor, if it was carried out.

    Attributes:
        account: the account's name.
        host: the vendor's host.
        login: the vendor-side login that sent it.
        step: what the request does: ``redeem``, ``capture``, ``update``, ...
        voucher_id: the vendor's id of the voucher, where it is known.
        subject: the vendor's id of the reservation or redemption that it names.
        money: how much it moves.
        reference: the reference that the vendor received, which its screens may show as an order mark.
        order: the shop's order number.
        sent_at: when it was sent, by the vendor's clock.
        earliest: a record that is older cannot be of this request.
        latest: a record that is later cannot be of this request; None if it may still arrive.
        before: what was left on the voucher before it, where that is known.
        after: what is left on the voucher if it was carried out and nothing else happened.
    """

    account: str
    host: str
    login: str | None
    step: str
    voucher_id: str | None
    subject: str | None
    money: Money | None
    reference: str | None
    order: str | None
    sent_at: datetime
    earliest: datetime
    latest: datetime | None
    before: Money | None = None
    after: Money | None = None


def find_hints(journal: Journal, record: OperationRecord, provider: VoucherProvider | None = None) -> list[LookupHint]:
    """Return what to look for, for each request of an operation that a person may have to decide.

    Args:
        journal: the journal.
        record: the operation.
        provider: asks the vendor what was left on the voucher before; None asks nothing.
    """
    if record.state.is_unresolved:
        requests: Sequence[RequestRecord] = find_undecided_requests(journal, record)
    elif record.state is OperationState.SUCCEEDED:
        requests = open_requests(journal.requests_of(record.id))
    else:
        requests = ()
    hints = [_hint_of(journal, record, request) for request in requests]
    return [hint if hint.before is not None or provider is None else _with_balance(hint, provider) for hint in hints]


def _hint_of(journal: Journal, record: OperationRecord, request: RequestRecord) -> LookupHint:
    intent = request.intent
    before = _money_of(intent.notes.get("remaining_before"))
    return LookupHint(
        account=record.key.account,
        host=intent.host,
        login=intent.login,
        step=request.step,
        voucher_id=intent.voucher_id or record.voucher_id,
        subject=None if intent.subject == intent.voucher_id else intent.subject,
        money=intent.money or record.target.money,
        reference=intent.reference,
        order=record.order,
        sent_at=intent.sent_at,
        earliest=intent.sent_at - REFERENCE_MARGIN,
        latest=_latest(journal, request),
        before=before,
        after=_balance_after(before, intent.verb, intent.money),
    )


def _latest(journal: Journal, request: RequestRecord) -> datetime | None:
    """Return the end of the reservation that a capture takes: after it, the vendor refuses the capture."""
    intent = request.intent
    if request.step != Operation.CAPTURE or intent.subject is None:
        return None
    hold = journal.hold_of_reservation(intent.host, intent.subject)
    return None if hold is None else hold.expires_at


def _money_of(text: str | None) -> Money | None:
    """Return an amount with its currency from the notes of a request."""
    amount, _, currency = (text or "").partition(" ")
    try:
        return Money(amount, currency) if currency else None
    except InvalidRequest:
        return None


def _balance_after(before: Money | None, verb: str, money: Money | None) -> Money | None:
    if before is None or money is None or before.currency != money.currency:
        return None
    if verb in _TAKING:
        return before - money
    return before + money if verb in _ADDING else None


def _with_balance(hint: LookupHint, provider: VoucherProvider) -> LookupHint:
    """Return a hint with the balance before its request: what is left now, without the vendor's movements since."""
    if hint.voucher_id is None or hint.step not in (*_TAKING, *_ADDING):
        return hint
    try:
        before = _balance_before(hint, provider.get(hint.voucher_id).remaining, provider.history(hint.voucher_id))
    except VoucherGatewayError:
        return hint
    return attrs.evolve(hint, before=before, after=_balance_after(before, hint.step, hint.money))


def _balance_before(hint: LookupHint, remaining: Money | None, history: History) -> Money | None:
    """Return what was left before a request; None if the vendor does not show enough."""
    before = remaining if history.complete else None
    for movement in history:
        change = _change_since(hint, movement)
        before = None if before is None or change is None else before - change
    return before


def _change_since(hint: LookupHint, movement: Movement) -> Money | None:
    """Return what a movement since the request has changed; None if it is not known."""
    if movement.money is None or movement.change is None or movement.created_at is None:
        return None
    nothing = Money.zero(movement.money.currency)
    # A vendor's clock may have whole seconds only. Earlier operations of the same minute are not of this request.
    if movement.created_at < hint.sent_at.replace(microsecond=0) or movement.change == 0:
        return nothing
    return movement.money if movement.change > 0 else nothing - movement.money
