"""The JSON objects of pretix, field by field as the vendor names them.

An amount is a string with two decimals in every currency; a movement has a sign. Amounts are read from the text.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Final, TypeVar

import attrs

from voucher_gateway.provider_api import (
    Code,
    Currency,
    DecimalText,
    Money,
    RawObject,
    Response,
    UnreadableEntry,
    configure,
    format_instant,
    rename_to_camel,
    strict_converter,
    structure,
    structure_page,
)

AMOUNT: Final = DecimalText(places=2, integer_digits_out=11, integer_digits_in=13)
"""The amounts of cards: up to 13 digits, two of them decimals (vendor page)."""


@attrs.frozen
class _SignedText(DecimalText):
    """An amount that may begin with a minus sign."""

    def parse(self, value: object) -> Decimal:
        """Return the number in the text."""
        if type(value) is str and value.startswith("-"):
            return -super().parse(value[1:])
        return super().parse(value)


SIGNED: Final = _SignedText(places=2, integer_digits_out=11, integer_digits_in=13)
"""The amounts of transactions: negative where value was taken."""

LARGEST: Final = Decimal("99999999999.99")
"""The largest value of a new card (witness)."""

_CONVERTER: Final = strict_converter()

W = TypeVar("W")


@attrs.define(kw_only=True)
class PretixCard:
    """A gift card. It has no face value: that is its first transaction."""

    id: int
    secret: Code
    value: Annotated[Decimal, AMOUNT]
    currency: Currency
    testmode: bool
    expires: datetime | None
    issuance: datetime | None = None
    owner_ticket: int | None = None
    issuer: str | None = None


@attrs.define(kw_only=True)
class PretixTransaction:
    """A transaction of a gift card. Those of the web shop have an order."""

    id: int
    at: datetime
    value: Annotated[Decimal, SIGNED]
    event: str | None = None
    order: str | None = None
    text: str | None = None
    acceptor: str | None = None


@attrs.define(kw_only=True)
class PretixPage:
    """A page of cards, and the total of the list."""

    count: int
    results: list[PretixCard]


@attrs.define(kw_only=True)
class PretixEntries:
    """A page of cards, some of which may not be readable, with the vendor's own objects, and the total of the list."""

    count: int
    cards: list[PretixCard | UnreadableEntry]
    raws: list[RawObject]


@attrs.define(kw_only=True)
class PretixTransactionPage:
    """A page of transactions, and the total of the list."""

    count: int
    results: list[PretixTransaction]


configure(_CONVERTER, PretixTransaction, **rename_to_camel(PretixTransaction, at="datetime"))


def read_card(reply: Response) -> tuple[PretixCard, RawObject]:
    """Read a card, and keep the vendor's own object beside it."""
    return _read(reply, PretixCard, "gift card")


def read_cards(reply: Response) -> tuple[PretixPage, list[RawObject]]:
    """Read a page of cards, all of which must be readable, and keep the vendor's own objects beside it."""
    page, raw = _read(reply, PretixPage, "list of gift cards")
    return page, raw["results"]


def read_entries(reply: Response) -> PretixEntries:
    """Read a page of the list of cards, some of which may not be readable."""
    raw: Any = reply.json()
    page, cards = structure_page(_CONVERTER, PretixPage, raw, array="results", what="list of gift cards")
    return PretixEntries(count=page.count, cards=cards, raws=raw["results"])


def read_transactions(reply: Response) -> tuple[PretixTransactionPage, list[RawObject], datetime | None]:
    """Read a page of transactions, the vendor's own objects, and the vendor's time."""
    page, raw = _read(reply, PretixTransactionPage, "list of transactions")
    return page, raw["results"], reply.date


def _read(reply: Response, cls: type[W], what: str) -> tuple[W, Any]:
    raw: Any = reply.json()
    return structure(_CONVERTER, cls, raw, what=what), raw


def info_of(raw: RawObject, name: str) -> str | None:
    """Return a text of ``info``, where our own transactions have ``reference``, and a refund ``redemption``."""
    info = raw.get("info")
    value = info.get(name) if isinstance(info, Mapping) else None
    return value if isinstance(value, str) else None


def write_signed(money: Money, amount: Decimal) -> str:
    """Return the amount of a transaction as the vendor takes it, negative if it takes value."""
    return f"{'-' if amount < 0 else ''}{AMOUNT.write(money)}"


def write_expiry(instant: datetime | None) -> str | None:
    """Return an end of validity as the vendor takes it, in UTC with all its digits; None for none."""
    return None if instant is None else format_instant(instant)
