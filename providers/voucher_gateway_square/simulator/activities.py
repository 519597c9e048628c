"""The activities that a client can create: what each needs, what it moves, and the state in which the card must be.

A card must be active for everything that changes its value, except for its activation (schema). The schema has no code
for a card in the wrong state: it is BAD_REQUEST here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import attrs

from voucher_gateway_square.simulator.ledger import CardLedger, CardState, StoredCard
from voucher_gateway_square.simulator.responses import money, refusal
from voucher_gateway_square.simulator.validation import (
    REASONS,
    read_amount,
    read_instruments,
    read_object,
    read_text,
    require_choice,
    require_text,
)

TYPES: Final = (
    "ACTIVATE",
    "LOAD",
    "REDEEM",
    "CLEAR_BALANCE",
    "DEACTIVATE",
    "ADJUST_INCREMENT",
    "ADJUST_DECREMENT",
    "REFUND",
    "UNLINKED_ACTIVITY_REFUND",
    "IMPORT",
    "BLOCK",
    "UNBLOCK",
    "IMPORT_REVERSAL",
    "TRANSFER_BALANCE_FROM",
    "TRANSFER_BALANCE_TO",
)
"""All types (schema). A client cannot create the last six."""


@attrs.frozen(kw_only=True)
class NewActivity:
    """What an activity will do.

    Attributes:
        amount: what it adds to the value, in minor units.
        shown: the details as the API shows them.
        reference: the client's reference.
        linked_id: the redemption that a refund gives back.
        state: the state of the card afterwards; None if it stays.
    """

    amount: int
    shown: dict[str, Any]
    reference: str | None = None
    linked_id: str | None = None
    state: CardState | None = None


def read_activity(ledger: CardLedger, card: StoredCard, kind: str, body: Mapping[str, Any]) -> NewActivity:
    """Return what an activity of a client will do.

    Raises:
        Refused: if the vendor does not allow it.
    """
    rule = _RULES.get(kind)
    if rule is None:
        raise refusal("BAD_REQUEST", "Only Square creates activities of this type.", "gift_card_activity.type")
    name = f"{kind.lower()}_activity_details"
    details = read_object(body, name, "gift_card_activity.")
    return rule(ledger, card, details, f"gift_card_activity.{name}.")


Details = Mapping[str, Any]


def _activate(_: CardLedger, card: StoredCard, details: Details, at: str) -> NewActivity:
    _require_state(card, "PENDING")
    return attrs.evolve(_add_with_instruments(card, details, at), state="ACTIVE")


def _load(_: CardLedger, card: StoredCard, details: Details, at: str) -> NewActivity:
    _require_state(card, "ACTIVE")
    return _add_with_instruments(card, details, at)


def _add_with_instruments(card: StoredCard, details: Details, at: str) -> NewActivity:
    if details.get("order_id") is not None:
        raise refusal("BAD_REQUEST", "The simulated seller has no orders at Square.", f"{at}order_id")
    amount, reference = read_amount(details, card.currency, at), read_text(details, "reference_id", at)
    instruments = read_instruments(details, at)
    shown = _details(card, amount, reference) | {"buyer_payment_instrument_ids": instruments}
    return NewActivity(amount=amount, shown=shown, reference=reference)


def _redeem(ledger: CardLedger, card: StoredCard, details: Details, at: str) -> NewActivity:
    _require_state(card, "ACTIVE")
    amount, reference = read_amount(details, card.currency, at), read_text(details, "reference_id", at)
    _require_funds(ledger, card, amount)
    return NewActivity(amount=-amount, shown=_details(card, amount, reference), reference=reference)


def _refund(ledger: CardLedger, card: StoredCard, details: Details, at: str) -> NewActivity:
    _require_state(card, "ACTIVE")
    redemption_id = require_text(details, "redeem_activity_id", at)
    amount, reference = read_amount(details, card.currency, at), read_text(details, "reference_id", at)
    redemption = ledger.activities.get(redemption_id)
    if redemption is None or redemption.voucher_id != card.id or redemption.kind != "REDEEM":
        raise refusal("NOT_FOUND", "There is no such redemption.", f"{at}redeem_activity_id", status=404)
    if redemption.state != "completed" or amount > ledger.activities.left_of(redemption_id):
        raise refusal("REFUND_AMOUNT_INVALID", "The refund is more than is left.", f"{at}amount_money")
    shown = {"redeem_activity_id": redemption_id, **_details(card, amount, reference)}
    return NewActivity(amount=amount, shown=shown, reference=reference, linked_id=redemption_id)


def _refund_unlinked(_: CardLedger, card: StoredCard, details: Details, at: str) -> NewActivity:
    _require_state(card, "ACTIVE")
    amount, reference = read_amount(details, card.currency, at), read_text(details, "reference_id", at)
    return NewActivity(amount=amount, shown=_details(card, amount, reference), reference=reference)


def _adjust_up(_: CardLedger, card: StoredCard, details: Details, at: str) -> NewActivity:
    _require_state(card, "ACTIVE")
    reason = require_choice(details, "reason", REASONS["ADJUST_INCREMENT"], at)
    amount = read_amount(details, card.currency, at)
    return NewActivity(amount=amount, shown={**_details(card, amount), "reason": reason})


def _adjust_down(ledger: CardLedger, card: StoredCard, details: Details, at: str) -> NewActivity:
    _require_state(card, "ACTIVE")
    reason = require_choice(details, "reason", REASONS["ADJUST_DECREMENT"], at)
    amount = read_amount(details, card.currency, at)
    _require_funds(ledger, card, amount)
    return NewActivity(amount=-amount, shown={**_details(card, amount), "reason": reason})


def _clear(ledger: CardLedger, card: StoredCard, details: Details, at: str) -> NewActivity:
    _require_state(card, "ACTIVE")
    reason = require_choice(details, "reason", REASONS["CLEAR_BALANCE"], at)
    return NewActivity(amount=-ledger.spendable(card), shown={"reason": reason})


def _deactivate(_: CardLedger, card: StoredCard, details: Details, at: str) -> NewActivity:
    if card.state == "DEACTIVATED":
        raise refusal("BAD_REQUEST", "The gift card is deactivated.", "gift_card_activity.gift_card_id")
    reason = require_choice(details, "reason", REASONS["DEACTIVATE"], at)
    return NewActivity(amount=0, shown={"reason": reason}, state="DEACTIVATED")


def _details(card: StoredCard, amount: int, reference: str | None = None) -> dict[str, Any]:
    shown: dict[str, Any] = {"amount_money": money(amount, card.currency)}
    return shown if reference is None else {**shown, "reference_id": reference}


def _require_state(card: StoredCard, state: CardState) -> None:
    if card.state != state:
        raise refusal("BAD_REQUEST", f"The gift card is not {state}.", "gift_card_activity.gift_card_id")


def _require_funds(ledger: CardLedger, card: StoredCard, amount: int) -> None:
    if amount > ledger.spendable(card):
        raise refusal("INSUFFICIENT_FUNDS", "The gift card is worth less.")


_RULES: Final[Mapping[str, Callable[[CardLedger, StoredCard, Details, str], NewActivity]]] = {
    "ACTIVATE": _activate,
    "LOAD": _load,
    "REDEEM": _redeem,
    "REFUND": _refund,
    "UNLINKED_ACTIVITY_REFUND": _refund_unlinked,
    "ADJUST_INCREMENT": _adjust_up,
    "ADJUST_DECREMENT": _adjust_down,
    "CLEAR_BALANCE": _clear,
    "DEACTIVATE": _deactivate,
}
