"""The rules by which outcomes are found at pretix.

========================  =========================================================================================
operation                 rule
========================  =========================================================================================
redeem, top-up, refund    A transaction whose `info` has our reference, the kind and the amount, proves it. Its absence
                          proves nothing: the request may still arrive.
issue                     The code is ours. A card with it and the value, that is not older than the call, proves it. A
                          second one cannot exist, so a repeat is safe (witness: a code exists once at an issuer).
update                    The card has the new end of validity, or a repeat writes the same again.
========================  =========================================================================================
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Final

from voucher_gateway.provider_api import (
    Code,
    Effect,
    Intent,
    Movement,
    MovementKind,
    Operation,
    Outcome,
    OutcomeUnknown,
    Redemption,
    ReferenceConflict,
    Refund,
    TopUp,
    VoucherGatewayError,
    VoucherNotFound,
    money_from,
    resolve_by_reference,
)
from voucher_gateway_pretix import mapping, wire
from voucher_gateway_pretix.reads import PretixReads

_MARGIN: Final = timedelta(minutes=1)
"""How much earlier than the call a card may be dated that is ours: the two clocks are compared by whole seconds."""

_KINDS: Final = {
    Operation.REDEEM: MovementKind.REDEMPTION,
    Operation.TOP_UP: MovementKind.TOP_UP,
    Operation.REFUND: MovementKind.REFUND,
}


def resolve(reads: PretixReads, intent: Intent, code: Code | None) -> Outcome:
    """Return the outcome of a call, by reads only."""
    if intent.verb == Operation.ISSUE:
        return _resolve_issue(reads, intent, code)
    if intent.verb == Operation.UPDATE and intent.voucher_id is not None:
        return _resolve_update(reads, intent, intent.voucher_id)
    if intent.verb not in _KINDS or intent.voucher_id is None:
        return Outcome(effect=Effect.UNKNOWN, reason=f"pretix keeps no record of this {intent.verb}")
    operation = Operation(intent.verb)
    card, _ = reads.card(operation, intent.voucher_id)
    transactions = reads.transactions(operation, intent.voucher_id)
    with reads.error_context(operation):
        history = mapping.history(intent.account, intent.voucher_id, card.currency, transactions)
        return resolve_by_reference(intent, history, _KINDS[operation], partial(_result, intent))


def _result(intent: Intent, movement: Movement) -> Redemption | TopUp | Refund:
    if intent.verb == Operation.REDEEM:
        return Redemption.from_movement(movement, order=intent.order)
    if intent.verb == Operation.TOP_UP:
        return TopUp.from_movement(movement, order=intent.order)
    return Refund.from_movement(movement, order=intent.order, redemption_id=intent.subject)


def _resolve_issue(reads: PretixReads, intent: Intent, code: Code | None) -> Outcome:
    if code is None:
        return Outcome(effect=Effect.UNKNOWN, reason="the code is not known here: repeat the call with it")
    try:
        card, raw = reads.card_with_code(Operation.ISSUE, code)
    except VoucherNotFound:
        return Outcome(effect=Effect.UNKNOWN, reason="pretix has no card with the code yet", repeatable=True)
    first = reads.first_transaction(Operation.ISSUE, str(card.id))
    with reads.error_context(Operation.ISSUE):
        initial = None if first is None else money_from(wire.AMOUNT, first.value, card.currency, "value")
        voucher = mapping.voucher(intent.account, card, raw, initial)
    if initial != intent.money or card.issuance is None or card.issuance < intent.sent_at - _MARGIN:
        return Outcome(effect=Effect.UNKNOWN, reason="there is a card with the code, but an older or another one")
    return Outcome(effect=Effect.SUCCEEDED, result=voucher, reason="there is a new card with the code and the value")


def _resolve_update(reads: PretixReads, intent: Intent, id: str) -> Outcome:
    card, raw = reads.card(Operation.UPDATE, id)
    if (wire.write_expiry(card.expires) or "") != intent.notes.get("valid_until"):
        return Outcome(effect=Effect.UNKNOWN, reason="the card has another end of validity", repeatable=True)
    with reads.error_context(Operation.UPDATE):
        voucher = mapping.voucher(intent.account, card, raw)
    return Outcome(effect=Effect.SUCCEEDED, result=voucher, reason="the card has the new end of validity")


def confirm_transaction(reads: PretixReads, intent: Intent, after: wire.PretixCard) -> None:
    """Make sure that a call was carried out, where the value after it is not the one that was expected.

    That is so if another program changed the card at the same time, or if the answer is that of an earlier call under
    the same key. The values of all transactions up to ours must add up to the value in the answer.

    Raises:
        OutcomeUnknown: if they do not, or if our transaction is not shown.
        ReferenceConflict: if our reference has another amount: the vendor answers each call under a key as the first.
    """
    assert intent.voucher_id is not None
    assert intent.money is not None
    problem = "the vendor does not show the transaction"
    try:
        entries = reads.transactions(Operation(intent.verb), intent.voucher_id).entries
    except VoucherGatewayError as error:
        entries, problem = (), f"its transactions could not be read: {error.message}"
    total = Decimal(0)
    for transaction, raw in entries:
        total += transaction.value
        if wire.info_of(raw, "reference") != intent.reference:
            continue
        if abs(transaction.value) != intent.money.amount:
            raise ReferenceConflict("the vendor has this reference for another amount: use a new one for a new call")
        if total == after.value:
            return
        problem = "the value that the vendor names does not follow from its transactions"
    raise OutcomeUnknown(
        f"{problem}; it may have been carried out",
        ticket=intent.ticket(problem),
        account=intent.account,
        operation=intent.verb,
    )
