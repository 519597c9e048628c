"""The ticketing vendor's JSON objects, field by field as the vendor names them.

What its page calls required must be there; everything else may be missing (the vendor leaves a key out) or null. A
voucher's balance comes with lists only. No documented voucher has an id, though every path needs one: `_id` is what
the vendor's other objects carry, and ``id`` is taken too.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Final, TypeVar

import attrs

from voucher_gateway.provider_api import (
    Code,
    Currency,
    JsonNumber,
    MalformedResponse,
    RawObject,
    Response,
    configure,
    rename_to_camel,
    strict_converter,
    structure,
)

AMOUNT: Final = JsonNumber()
"""How the vendor writes amounts: JSON numbers in the main unit of the seller's currency, typed float (seed)."""

Amount = Annotated[Decimal, AMOUNT]

CONVERTER: Final = strict_converter()

W = TypeVar("W")


@attrs.define(kw_only=True)
class TicketingVoucher:
    """A voucher in any of its views. It has no currency, no status and no sign of use but its balance."""

    code: Code
    amount: Amount
    created_at: datetime
    updated_at: datetime
    id: str | None = None
    plain_id: str | None = None
    valid_until: datetime | None = None
    balance: Amount | None = None
    seller_id: str | None = None
    transaction_id: str | None = None
    product_id: str | None = None
    refund_id: str | None = None
    customer_id: str | None = None
    origin: str | None = None

    @property
    def own_id(self) -> str | None:
        """The id that the vendor sent along, if it did."""
        return self.id or self.plain_id or None

    @property
    def identity(self) -> str:
        """What tells it from other vouchers: its id, or what no two new ones have in common."""
        return self.own_id or f"{self.created_at.isoformat()} {self.code.reveal()}"


Shown = tuple[TicketingVoucher, RawObject]
"""A voucher as ours and as the vendor sent it."""


@attrs.define(kw_only=True)
class TicketingTransaction:
    """A checkout that a voucher took part in. The sign of its amount is not documented."""

    transaction_id: str
    amount: Amount
    created_at: datetime


@attrs.define(kw_only=True)
class TicketingKey:
    """Whose key it is. The vendor repeats the key itself in this answer, which is therefore never kept."""

    seller_id: str | None = None


@attrs.define(kw_only=True)
class TicketingSeller:
    """A seller, as anybody may see it."""

    currency: Currency


@attrs.define(kw_only=True)
class TicketingFound:
    """What the public look-up of a code shows of a voucher."""

    id: str
    code: Code


@attrs.define(kw_only=True)
class TicketingCode:
    """The answer of the public look-up of a code. The code may be a coupon's, which is a discount and no value."""

    type: str | None = None
    voucher: TicketingFound | None = None


@attrs.define(kw_only=True)
class _VoucherPage:
    docs: list[TicketingVoucher]
    total: int


@attrs.define(kw_only=True)
class TicketingPage:
    """A part of the voucher list: the objects as ours and as the vendor sent them, and how many there are in all."""

    docs: list[TicketingVoucher]
    raw: list[RawObject]
    total: int

    @property
    def shown(self) -> list[Shown]:
        """Each voucher as ours and as the vendor sent it."""
        return list(zip(self.docs, self.raw, strict=True))


@attrs.define(kw_only=True)
class TicketingHistory:
    """A voucher's transactions, as ours and as the vendor sent them, and the vendor's clock."""

    entries: list[TicketingTransaction]
    raw: list[RawObject]
    date: datetime | None


configure(CONVERTER, TicketingVoucher, **rename_to_camel(TicketingVoucher, id="_id", plain_id="id"))
configure(CONVERTER, TicketingTransaction, **rename_to_camel(TicketingTransaction))
configure(CONVERTER, TicketingKey, **rename_to_camel(TicketingKey))
configure(CONVERTER, TicketingFound, **rename_to_camel(TicketingFound, id="_id"))


def read_voucher(reply: Response) -> Shown:
    """Read a voucher."""
    return read_object(reply, TicketingVoucher, "voucher")


def read_vouchers(reply: Response) -> TicketingPage:
    """Read a part of the voucher list."""
    page, raw = read_object(reply, _VoucherPage, "voucher list")
    return TicketingPage(docs=page.docs, raw=raw["docs"], total=page.total)


def read_transactions(reply: Response) -> TicketingHistory:
    """Read a voucher's transactions."""
    entries, raw = read_object(reply, list[TicketingTransaction], "list of transactions")
    return TicketingHistory(entries=entries, raw=raw, date=reply.date)


def read_code(reply: Response) -> TicketingCode:
    """Read the answer to a public look-up of a code."""
    return read_object(reply, TicketingCode, "code")[0]


def read_key(reply: Response) -> TicketingKey:
    """Read whose key it is, and nothing else of the answer."""
    return read_object(reply, TicketingKey, "key")[0]


def read_seller(reply: Response) -> TicketingSeller:
    """Read a seller."""
    return read_object(reply, TicketingSeller, "seller")[0]


def read_object(reply: Response, cls: type[W], what: str) -> tuple[W, Any]:
    """Read an object as ours and as the vendor sent it; `what` is its name for people."""
    if not reply.body:
        raise MalformedResponse(f"the {what} is missing: the answer is empty")
    raw = reply.json()
    return structure(CONVERTER, cls, raw, what=what), raw
