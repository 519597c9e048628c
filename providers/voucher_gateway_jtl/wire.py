"""JTL's JSON objects, field by field as the vendor names them.

No field of an answer is documented as always there, and null is never declared though examples show it: everything
may be missing or null but the ids, and an amount where an object is nothing without it. Code and PIN come only with
the creation and the complete view, remaining_amount and deletable only with lists and single vouchers.
"""

from __future__ import annotations

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
    Status,
    strict_converter,
    structure,
)

AMOUNT: Final = DecimalText(places=2, integer_digits_out=5, integer_digits_in=6)
"""How JTL writes amounts: exactly two decimals, whatever the currency. Its prose allows five digits before the point,
the length in its schema six: five are sent, six are read."""

Amount = Annotated[Decimal, AMOUNT]

CONVERTER: Final = strict_converter()

W = TypeVar("W")


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
    status: Status | None = None
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
    """A reservation. It has no currency and no code."""

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
    """A movement: a charge, a recharge or a refund, always positive. It has no currency, a refund names no charge."""

    id: str
    amount: Amount
    voucher_id: str | None = None
    client_id: str | None = None
    type: str | None = None
    order_number: str | None = None
    created_at: datetime | None = None


@attrs.define(kw_only=True)
class JtlClient:
    """The login that a PIN is swapped for."""

    id: str
    secret: Secret


@attrs.define(kw_only=True)
class JtlMeta:
    """Where in a list a page is. The links beside it are nonsense in the vendor's own example and never followed."""

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
    """A page of a list: the objects as ours and as the vendor sent them, and the vendor's clock."""

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
    """Make sure that the answer to a deletion is the vendor's: empty, or JSON of no interest.

    The vendor's page shows a JSON text beside the status 204. A web page in between that answers 200 deleted nothing.
    """
    if reply.body:
        reply.json()


def read_client(reply: Response) -> JtlClient:
    """Read the answer to a connect."""
    return _read(reply, JtlClient, "client")[0]


def read_vouchers(reply: Response) -> JtlPage[JtlVoucher]:
    """Read a page of vouchers."""
    page, raw = _read(reply, _VoucherPage, "voucher list")
    return JtlPage(data=page.data, raw=raw["data"], meta=page.meta, date=reply.date)


def read_charges(reply: Response) -> JtlPage[JtlCharge]:
    """Read a page of a voucher's charges."""
    page, raw = _read(reply, _ChargePage, "charge list")
    return JtlPage(data=page.data, raw=raw["data"], meta=page.meta, date=reply.date)


def _read(reply: Response, cls: type[W], what: str) -> tuple[W, Any]:
    if not reply.body:
        raise MalformedResponse(f"the {what} is missing: the answer is empty")
    raw = reply.json()
    return structure(CONVERTER, cls, raw, what=what), raw
