"""The ticketing vendor's JSON objects, field by field as the vendor names them.

Fields that its page calls required must be there. Every other field may be missing or null. Only lists show the
balance of a voucher. No documented voucher has an id, though every path needs one. The vendor's other objects have
`_id`; ``id`` is accepted as well.
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
    UnreadableEntry,
    configure,
    rename_to_camel,
    strict_converter,
    structure,
    structure_page,
)

AMOUNT: Final = JsonNumber()
"""The vendor's amounts: JSON numbers of type float, in the main unit of the seller's currency (seed)."""

Amount = Annotated[Decimal, AMOUNT]

CONVERTER: Final = strict_converter()

W = TypeVar("W")


@attrs.define(kw_only=True)
class TicketingVoucher:
    """A voucher in any of its views. It has no currency and no status. Only its balance shows whether it was used."""

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
        """The id, if the vendor sent it."""
        return self.id or self.plain_id or None

    @property
    def identity(self) -> str:
        """What distinguishes it from other vouchers: its id, or else its creation time and code."""
        return self.own_id or f"{self.created_at.isoformat()} {self.code.reveal()}"


VoucherEntry = tuple[TicketingVoucher, RawObject]
"""A voucher, parsed and as the vendor sent it."""


@attrs.define(kw_only=True)
class TicketingTransaction:
    """A checkout that used a voucher. The sign of its amount is not documented."""

    transaction_id: str
    amount: Amount
    created_at: datetime


@attrs.define(kw_only=True)
class TicketingKey:
    """The owner of a key. The vendor repeats the key in this reply, so the reply is never kept."""

    seller_id: str | None = None


@attrs.define(kw_only=True)
class TicketingSeller:
    """The public view of a seller."""

    currency: Currency


@attrs.define(kw_only=True)
class TicketingCodeVoucher:
    """The voucher in the public look-up of a code."""

    id: str
    code: Code


@attrs.define(kw_only=True)
class TicketingCode:
    """The reply of the public look-up of a code. The code may be that of a coupon, which is a discount."""

    type: str | None = None
    voucher: TicketingCodeVoucher | None = None


@attrs.define(kw_only=True)
class _VoucherPage:
    docs: list[TicketingVoucher]
    total: int


@attrs.define(kw_only=True)
class TicketingPage:
    """A part of the voucher list: the objects, parsed and as the vendor sent them, and the total of the list."""

    docs: list[TicketingVoucher | UnreadableEntry]
    raw: list[RawObject]
    total: int

    @property
    def entries(self) -> list[VoucherEntry]:
        """Each voucher that can be read, parsed and as the vendor sent it."""
        return [
            (doc, raw) for doc, raw in zip(self.docs, self.raw, strict=True) if not isinstance(doc, UnreadableEntry)
        ]


@attrs.define(kw_only=True)
class TicketingHistory:
    """A voucher's transactions, parsed and as the vendor sent them, and the vendor's time."""

    entries: list[TicketingTransaction]
    raw: list[RawObject]
    date: datetime | None


configure(CONVERTER, TicketingVoucher, **rename_to_camel(TicketingVoucher, id="_id", plain_id="id"))
configure(CONVERTER, TicketingTransaction, **rename_to_camel(TicketingTransaction))
configure(CONVERTER, TicketingKey, **rename_to_camel(TicketingKey))
configure(CONVERTER, TicketingCodeVoucher, **rename_to_camel(TicketingCodeVoucher, id="_id"))


def read_voucher(reply: Response) -> VoucherEntry:
    """Read a voucher."""
    return read_object(reply, TicketingVoucher, "voucher")


def read_vouchers(reply: Response) -> TicketingPage:
    """Read a part of the voucher list, all of which must be readable."""
    page, raw = read_object(reply, _VoucherPage, "voucher list")
    return TicketingPage(docs=[*page.docs], raw=raw["docs"], total=page.total)


def read_entries(reply: Response) -> TicketingPage:
    """Read a part of the voucher list, some of which may not be readable."""
    raw: Any = _decode(reply, "voucher list")
    page, docs = structure_page(CONVERTER, _VoucherPage, raw, array="docs", what="voucher list")
    return TicketingPage(docs=docs, raw=raw["docs"], total=page.total)


def read_transactions(reply: Response) -> TicketingHistory:
    """Read a voucher's transactions."""
    entries, raw = read_object(reply, list[TicketingTransaction], "list of transactions")
    return TicketingHistory(entries=entries, raw=raw, date=reply.date)


def read_code(reply: Response) -> TicketingCode:
    """Read the reply of the public look-up of a code."""
    return read_object(reply, TicketingCode, "code")[0]


def read_key(reply: Response) -> TicketingKey:
    """Read the owner of a key, and nothing else of the reply."""
    return read_object(reply, TicketingKey, "key")[0]


def read_seller(reply: Response) -> TicketingSeller:
    """Read a seller."""
    return read_object(reply, TicketingSeller, "seller")[0]


def _decode(reply: Response, what: str) -> object:
    if not reply.body:
        raise MalformedResponse(f"the {what} is missing: the reply is empty")
    return reply.json()


def read_object(reply: Response, cls: type[W], what: str) -> tuple[W, Any]:
    """Return an object, parsed and as the vendor sent it. `what` names it in error messages."""
    raw = _decode(reply, what)
    return structure(CONVERTER, cls, raw, what=what), raw
