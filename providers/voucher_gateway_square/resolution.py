"""The rules by which an unknown outcome is resolved at Square.

=======================  ============================================================================================
request                  rule
=======================  ============================================================================================
activation, top-up,      An activity with the reference, the kind and the amount proves it. Absence proves nothing.
redeem, refund           With the code, the card that has it is looked at as well.
creation of a card       It moves no value. After a day, a card without value or none proves that nothing was issued:
                         the request cannot arrive any more, and a repeat takes the card up again by its code. Before
                         that, the repeat goes on under the key.
deactivate               The state of the card. No other state follows it.
=======================  ============================================================================================
"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final, Protocol

import attrs

from voucher_gateway.provider_api import (
    Code,
    Effect,
    History,
    Intent,
    Movement,
    MovementKind,
    Operation,
    Outcome,
    Redemption,
    Refund,
    Status,
    TopUp,
    Voucher,
    VoucherNotFound,
    format_milliseconds,
    resolve_by_reference,
)

MARGIN: Final = timedelta(days=1)
"""How long before a call the look-up of its activity begins."""


ARRIVAL: Final = timedelta(days=1)
"""After this time, a request that created a card cannot arrive any more. It is as long as its key surely lives."""


class CardRecords(Protocol):
    """The calls by which the rules read the vendor's records; the provider has them."""

    def find(self, code: Code) -> Voucher:
        """Return the card with a code."""
        ...

    def get(self, id: str) -> Voucher:
        """Return the card with an id."""
        ...

    def vendor_now(self) -> datetime:
        """Return the time by the vendor's clock."""
        ...

    def activities(self, operation: str, id: str, begin: str) -> History:
        """Return the activities of a card from an instant on."""
        ...


def resolve(records: CardRecords, intent: Intent, code: Code | None) -> Outcome:
    """Return the outcome of a call, by the rule of its request."""
    if intent.verb == Operation.ISSUE and intent.voucher_id is None:
        return _outcome_of_creation(records, intent, code)
    if intent.voucher_id is None:
        return Outcome(effect=Effect.UNKNOWN, reason="the call names no card")
    if intent.verb == Operation.DEACTIVATE:
        return _outcome_of_deactivation(records.get(intent.voucher_id))
    outcome = _outcome_of_movement(records, intent, intent.voucher_id)
    card = None if outcome.effect is not Effect.UNKNOWN or code is None else _find(records, code)
    if card is None or card.id == intent.voucher_id:
        return outcome
    # The id may be from a reply about another card. Value moves on the card that has the code.
    return _outcome_of_movement(records, attrs.evolve(intent, voucher_id=card.id), card.id)


def _find(records: CardRecords, code: Code) -> Voucher | None:
    with suppress(VoucherNotFound):
        return records.find(code)
    return None


def _outcome_of_movement(records: CardRecords, intent: Intent, id: str) -> Outcome:
    history = records.activities(intent.verb, id, format_milliseconds(intent.sent_at - MARGIN))
    completed = [movement for movement in history if movement.state == "completed"]
    match intent.verb:
        case Operation.REDEEM:
            kind = MovementKind.REDEMPTION
        case Operation.REFUND:
            kind = MovementKind.REFUND
        case Operation.TOP_UP:
            kind = MovementKind.TOP_UP
        case _:
            kind = MovementKind.ACTIVATION

    def make_result(movement: Movement) -> Redemption | Refund | TopUp | Voucher:
        if kind is MovementKind.REDEMPTION:
            return Redemption.from_movement(movement, order=intent.order)
        if kind is MovementKind.REFUND:
            return Refund.from_movement(movement, order=intent.order, redemption_id=intent.subject)
        if kind is MovementKind.TOP_UP:
            return TopUp.from_movement(movement, order=intent.order)
        return attrs.evolve(records.get(id), initial=movement.money)

    return resolve_by_reference(intent, completed, kind, make_result)


def _outcome_of_deactivation(card: Voucher) -> Outcome:
    if card.status is Status.DEACTIVATED:
        return Outcome(effect=Effect.SUCCEEDED, result=card, reason="the card is deactivated")
    return Outcome(effect=Effect.UNKNOWN, reason="the card is not deactivated yet", repeatable=True)


def _outcome_of_creation(records: CardRecords, intent: Intent, code: Code | None) -> Outcome:
    """Return the outcome of an issue of which only the first request may have been sent."""
    if code is None:
        return Outcome(effect=Effect.UNKNOWN, reason="the card can be looked up only by a caller that knows its code")
    card = _find(records, code)
    if card is not None and card.status is not Status.PENDING:
        return _outcome_of_movement(records, intent, card.id)
    state = "no card has the code" if card is None else f"the card {card.id} was left behind without value"
    if records.vendor_now() < intent.sent_at + ARRIVAL:
        return Outcome(effect=Effect.UNKNOWN, reason=f"{state}, and the request may still arrive")
    return Outcome(effect=Effect.NOT_EXECUTED, reason=f"{state}, and the request that was sent moves no value")
