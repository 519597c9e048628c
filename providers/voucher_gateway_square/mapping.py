"""What Square's cards and activities mean: vouchers and movements."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Final

import attrs

from voucher_gateway.provider_api import (
    Medium,
    Money,
    Movement,
    MovementKind,
    MovementState,
    RawObject,
    Status,
    Voucher,
)
from voucher_gateway_square import wire

STATUSES: Final = {
    "ACTIVE": Status.ACTIVE,
    "BLOCKED": Status.BLOCKED,
    "DEACTIVATED": Status.DEACTIVATED,
    "PENDING": Status.PENDING,
}
_MEDIA: Final = {"DIGITAL": Medium.DIGITAL, "PHYSICAL": Medium.PRINT}
_KINDS: Final = {
    "ACTIVATE": MovementKind.ACTIVATION,
    "ADJUST_DECREMENT": MovementKind.ADJUSTMENT_DOWN,
    "ADJUST_INCREMENT": MovementKind.ADJUSTMENT_UP,
    "BLOCK": MovementKind.BLOCK,
    "CLEAR_BALANCE": MovementKind.ADJUSTMENT_DOWN,
    "DEACTIVATE": MovementKind.DEACTIVATION,
    "IMPORT": MovementKind.ISSUE,
    "IMPORT_REVERSAL": MovementKind.REVERSAL_DOWN,
    "LOAD": MovementKind.TOP_UP,
    "REDEEM": MovementKind.REDEMPTION,
    "REFUND": MovementKind.REFUND,
    "TRANSFER_BALANCE_FROM": MovementKind.TRANSFER_OUT,
    "TRANSFER_BALANCE_TO": MovementKind.TRANSFER_IN,
    "UNBLOCK": MovementKind.UNBLOCK,
    "UNLINKED_ACTIVITY_REFUND": MovementKind.ADJUSTMENT_UP,  # of a sale that the card did not pay
}
_STATES: Final = {"CANCELED": MovementState.CANCELLED, "PENDING": MovementState.PENDING}


def voucher_of(account: str, card: wire.SquareCard, raw: RawObject, initial: Money | None = None) -> Voucher:
    """Return a card as a voucher. Linked customers are personal data and stay in `raw`."""
    return Voucher(
        account=account,
        id=card.id,
        code=card.gan,
        initial=initial,
        remaining=card.balance_money,
        status=STATUSES.get(card.state, Status.UNKNOWN),
        medium=_MEDIA.get(card.type, Medium.UNKNOWN),
        origin=card.gan_source,
        created_at=card.created_at,
        raw=raw,
    )


def movement_of(account: str, activity: wire.SquareActivity, raw: RawObject) -> Movement:
    """Return an activity as a movement; without an amount where the vendor shows none."""
    kind = _KINDS.get(activity.type, MovementKind.UNKNOWN)
    return Movement(
        account=account,
        id=activity.id,
        voucher_id=activity.gift_card_id,
        kind=kind,
        money=activity.details.amount_money,
        state=_STATES.get(activity.details.status or "", MovementState.COMPLETED),
        reference=activity.details.reference_id,
        created_at=activity.created_at,
        raw=raw,
    )


def with_cleared_amounts(movements: list[Movement]) -> list[Movement]:
    """Return a whole history in which each `CLEAR_BALANCE` has the amount that the movements before it left."""
    left = Decimal(0)
    complete = []
    for movement in movements:
        if movement.raw is not None and movement.raw.get("type") == "CLEAR_BALANCE":
            money = _amount_of_clearance(movement.raw, left)
            movement = attrs.evolve(movement, money=money)
        left += movement.change or 0
        complete.append(movement)
    return complete


def _amount_of_clearance(raw: RawObject, left: Decimal) -> Money | None:
    """Return what was cleared, in the currency of the balance that the vendor shows; None where it shows none."""
    balance = raw.get("gift_card_balance_money")
    currency = balance.get("currency") if isinstance(balance, Mapping) else None
    return Money(max(left, Decimal(0)), currency) if isinstance(currency, str) else None


def is_refunded(redemption_id: str | None, movements: Iterable[Movement]) -> bool:
    """Return whether refunds have given back a redemption as a whole."""
    given_back, taken = Decimal(0), None
    for movement in movements:
        amount = Decimal(0) if movement.money is None else movement.money.amount
        details = (movement.raw or {}).get("refund_activity_details")
        if movement.id == redemption_id:
            taken = amount
        elif isinstance(details, Mapping) and details.get("redeem_activity_id") == redemption_id:
            given_back += amount
    return taken is not None and given_back >= taken
