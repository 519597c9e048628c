"""JTL's JSON objects, field by field as the vendor names them.

The vendor documents no field of a reply as required. Its schema has no null, though its examples show it. So every
field may be missing or null, except for the ids, and for the amount of a reservation and of a charge. Only the creation
and the complete view have code and PIN; only lists and single vouchers have remaining_amount and deletable.
"""

from __future__ import annotations

import enum
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Final, Generic, TypeVar

import attrs

from voucher_gateway.provider_api import (
    Code,
    Currency,
    DecimalText,
    Interval,
    MalformedResponse,
    Medium,
    Pin,
    RawObject,
    Response,
    Secret,
    UnreadableEntry,
    strict_converter,
    structure,
    structure_page,
)

AMOUNT: Final = DecimalText(places=2, integer_digits_out=5, integer_digits_in=6)
"""JTL's amounts: two decimals, whatever the currency. Its prose allows five digits before the point, its schema six.
Five are sent, six are read."""

Amount = Annotated[Decimal, AMOUNT]

CONVERTER: Final = strict_converter()

W = TypeVar("W")


class JtlStatus(enum.StrEnum):
    """The status of a voucher in JTL's schema.

    Attributes:
        ACTIVE: it can be spent.
        INACTIVE: it cannot be spent.
        UNKNOWN: another value, which is not in the schema.
    """

    ACTIVE = "active"
    INACTIVE = "inactive"
    UNKNOWN = "unknown"


@attrs.define(kw_only=True)
class JtlVoucher:
    """A voucher in any of its views."""

    id: str
    client_id: str | None = None
    sku: str | None = None
    batch: str | None = None
    amount: Amount | None = None
    currency: Currency | None = None
    valid_until: datetime | None = None
    validity_value: int | None = None
    validity_interval: Interval | None = None
    status: JtlStatus | None = None
    type: Medium | None = None
    taxable: bool | None = None
    tax_rate: str | None = None
    order_number: str | None = None
    data: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    remaining_amount: Amount | None = None
    deletable: bool | None = None
    code: Code | None = None
    pin: Pin | None = None


@attrs.define(kw_only=True)
class JtlReservation:
    """A reservation. It has neither a currency nor a code."""

    id: str
    amount: Amount
    voucher_id: str | None = None
    voucher_taxable: bool | None = None
    voucher_tax_rate: str | None = None
    client_id: str | None = None
    valid_until: datetime | None = None
    created_at: datetime | None = None


@attrs.define(kw_only=True)
class JtlCharge:
    """A movement: a charge, a recharge or a refund. It is positive and has no currency. A refund names no charge."""

    id: str
    amount: Amount
    voucher_id: str | None = None
    client_id: str | None = None
    type: str | None = None
    order_number: str | None = None
    created_at: datetime | None = None


@attrs.define(kw_only=True)
class JtlClient:
    """The login that a PIN is exchanged for."""

    id: str
    secret: Secret


@attrs.define(kw_only=True)
class JtlMeta:
    """The position of a page in its list. The links beside it are wrong in the vendor's example, and are not used."""

    current_page: int | None = None
    per_page: int | None = None
    last_page: int | None = None
    total: int | None = None


@attrs.define(kw_only=True)
class _VoucherPage:
    data: list[JtlVoucher]
    meta: JtlMeta = attrs.Factory(JtlMeta)


@attrs.define(kw_only=True)
class _ChargePage:
    data: list[JtlCharge]
    meta: JtlMeta = attrs.Factory(JtlMeta)


@attrs.define(kw_only=True)
class JtlPage(Generic[W]):
    """A page of a list: the objects, parsed and as the vendor sent them, and the vendor's time."""

    data: list[W]
    raw: list[RawObject]
    meta: JtlMeta
    date: datetime | None


def read_voucher(reply: Response) -> tuple[JtlVoucher, RawObject]:
    """Read a voucher."""
    return _read(reply, JtlVoucher, "voucher")


def read_reservation(reply: Response) -> tuple[JtlReservation, RawObject]:
    """Read a reservation."""
    return _read(reply, JtlReservation, "reservation")


def read_charge(reply: Response) -> tuple[JtlCharge, RawObject]:
    """Read a charge, recharge or refund."""
    return _read(reply, JtlCharge, "charge")


def read_nothing(reply: Response) -> None:
    """Check that the reply to a deletion is the vendor's: empty, or any JSON.

    The vendor's page shows a JSON text with the status 204. A web page of a proxy with 200 does not mean a deletion.
    """
    if reply.body:
        reply.json()


def read_client(reply: Response) -> JtlClient:
    """Read the reply to a connect."""
    return _read(reply, JtlClient, "client")[0]


def read_vouchers(reply: Response) -> JtlPage[JtlVoucher]:
    """Read a page of vouchers, all of which must be readable."""
    page, raw = _read(reply, _VoucherPage, "voucher list")
    return JtlPage(data=page.data, raw=raw["data"], meta=page.meta, date=reply.date)


def read_entries(reply: Response) -> JtlPage[JtlVoucher | UnreadableEntry]:
    """Read a page of the list of vouchers, some of which may not be readable."""
    raw: Any = _decode(reply, "voucher list")
    page, entries = structure_page(CONVERTER, _VoucherPage, raw, array="data", what="voucher list")
    return JtlPage(data=entries, raw=raw["data"], meta=page.meta, date=reply.date)


def read_charges(reply: Response) -> JtlPage[JtlCharge]:
    """Read a page of a voucher's charges."""
    page, raw = _read(reply, _ChargePage, "charge list")
    return JtlPage(data=page.data, raw=raw["data"], meta=page.meta, date=reply.date)


def _decode(reply: Response, what: str) -> object:
    if not reply.body:
        raise MalformedResponse(f"the {what} is missing: the reply is empty")
    return reply.json()


def _read(reply: Response, cls: type[W], what: str) -> tuple[W, Any]:
    raw = _decode(reply, what)
    return structure(CONVERTER, cls, raw, what=what), raw
