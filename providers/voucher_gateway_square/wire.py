"""The JSON objects of Square, field by field as the vendor names them.

An amount is an integer of the currency's smallest unit, with its currency, and never negative: the type of an activity
says the direction. Details of an activity are in a member that is named after its type.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, TypeVar

import attrs

from voucher_gateway.provider_api import (
    Code,
    MinorUnits,
    Money,
    RawObject,
    Response,
    UnreadableEntry,
    WireError,
    strict_converter,
    structure,
    structure_page,
)

AMOUNT: Final = MinorUnits()

_CONVERTER: Final = strict_converter()


def amount_details(money: Money, reference: str | None) -> dict[str, Any]:
    """Return the amount and the reference of an activity, as a request has them."""
    return {"amount_money": {"amount": AMOUNT.write(money), "currency": money.currency}, "reference_id": reference}


def _read_money(value: Any, _: Any) -> Money:
    """Return an amount of the domain from ``{amount, currency}``, without an object in between: a page has hundreds."""
    if type(value) is dict:
        amount, currency = value.get("amount"), value.get("currency")
        if type(amount) is int and type(currency) is str and amount >= 0:
            return AMOUNT.money(Decimal(amount), currency)
    raise WireError("expected an amount that is not negative, and its currency")


_CONVERTER.register_structure_hook(Money, _read_money)

W = TypeVar("W")


@attrs.define(kw_only=True)
class SquareCard:
    """A gift card. It has no face value, and it never ends."""

    id: str
    type: str
    state: str
    balance_money: Money
    gan: Code | None = None
    gan_source: str | None = None
    created_at: datetime | None = None


@attrs.define(kw_only=True)
class ActivityDetails:
    """The members of an activity's details that are read, whatever its type."""

    amount_money: Money | None = None
    reference_id: str | None = None
    redeem_activity_id: str | None = None
    status: str | None = None


@attrs.define(kw_only=True)
class SquareActivity:
    """Something that happened to a gift card."""

    id: str
    type: str
    created_at: datetime
    gift_card_id: str
    gift_card_gan: Code | None = None
    gift_card_balance_money: Money | None = None
    details: ActivityDetails


@attrs.define(kw_only=True)
class SquareLocation:
    """A location of the seller. New cards have its currency."""

    id: str
    currency: str


@attrs.define(kw_only=True)
class _LocationReply:
    location: SquareLocation


@attrs.define(kw_only=True)
class _CardReply:
    gift_card: SquareCard


@attrs.define(kw_only=True)
class _CardPage:
    gift_cards: list[SquareCard] = attrs.field(factory=list)
    cursor: str | None = None


@attrs.define(kw_only=True)
class _ActivityReply:
    gift_card_activity: SquareActivity


@attrs.define(kw_only=True)
class ActivityPage:
    """A page of activities; the last one has no cursor, and an empty one no list."""

    gift_card_activities: list[SquareActivity] = attrs.field(factory=list)
    cursor: str | None = None


def read_card(reply: Response) -> tuple[SquareCard, RawObject]:
    """Read a card, and keep the vendor's own object beside it."""
    raw: Any = reply.json()
    return structure(_CONVERTER, _CardReply, raw, what="gift card").gift_card, raw["gift_card"]


def read_location(reply: Response) -> SquareLocation:
    """Read a location."""
    return structure(_CONVERTER, _LocationReply, reply.json(), what="location").location


def read_cards(reply: Response) -> tuple[list[SquareCard | UnreadableEntry], list[RawObject], str | None]:
    """Read a page of cards, the vendor's own objects, and the cursor of the next page."""
    raw: Any = reply.json()
    page, cards = structure_page(_CONVERTER, _CardPage, raw, array="gift_cards", what="list of gift cards")
    return cards, raw.get("gift_cards", []), page.cursor


def read_activity(reply: Response) -> tuple[SquareActivity, RawObject]:
    """Read an activity, and keep the vendor's own object beside it."""
    raw: Any = reply.json()
    document = _with_details(raw, "gift_card_activity", _name_details)
    activity = structure(_CONVERTER, _ActivityReply, document, what="activity").gift_card_activity
    return activity, raw["gift_card_activity"]


def read_activities(reply: Response) -> tuple[ActivityPage, list[RawObject], datetime | None]:
    """Read a page of activities, the vendor's own objects, and the vendor's time."""
    raw: Any = reply.json()
    document = _with_details(raw, "gift_card_activities", _name_all_details)
    page = structure(_CONVERTER, ActivityPage, document, what="list of activities")
    return page, raw.get("gift_card_activities", []), reply.date


def _with_details(raw: Any, name: str, change: Any) -> Any:
    return {**raw, name: change(raw[name])} if isinstance(raw, Mapping) and name in raw else raw


def _name_all_details(activities: Any) -> Any:
    return [_name_details(activity) for activity in activities] if isinstance(activities, list) else activities


def _name_details(activity: Any) -> Any:
    """Return an activity whose details are under one name, whatever its type."""
    kind = activity.get("type") if isinstance(activity, Mapping) else None
    if not isinstance(kind, str):
        return activity
    return {**activity, "details": activity.get(f"{kind.lower()}_activity_details") or {}}
