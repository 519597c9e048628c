"""The same with pydantic models, to compare with.

The models are as strict as pydantic can be quickly: its strict mode takes no text for an instant, and the lax one used
here also takes numbers, so that it checks a little less than the others. Of pydantic's ways a model is what people
write; a TypedDict, which makes no objects, took a seventh less in all. Letting it read the bytes costs more, as ``raw``
needs the exact decoding anyway.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, Strict, StringConstraints
from pydantic.alias_generators import to_camel

from tests.benchmarks.structure_by_hand import INTERVALS, MEDIA, STATUSES, hand_metadata, hand_number
from voucher_gateway.masking import Code, Pin
from voucher_gateway.models.voucher import Interval, Medium, Status, Validity, Voucher
from voucher_gateway.money import Money, exponent
from voucher_gateway.wire.json import decode, exact_decimal
from voucher_gateway_ticketing.mapping import LINKS

Text = Annotated[str, Strict()]
Flag = Annotated[bool, Strict()]
Whole = Annotated[int, Strict()]
JtlAmountText = Annotated[str, StringConstraints(strict=True, pattern=r"^[0-9]{1,6}\.[0-9]{2}$")]
Instant = AwareDatetime


class JtlModel(BaseModel):
    id: Text
    client_id: Text | None = None
    sku: Text | None = None
    batch: Text | None = None
    amount: JtlAmountText | None = None
    currency: Text | None = None
    valid_until: Instant | None = None
    validity_value: Whole | None = None
    validity_interval: Text | None = None
    status: Text | None = None
    type: Text | None = None
    taxable: Flag | None = None
    tax_rate: Text | None = None
    order_number: Text | None = None
    data: Text | None = None
    created_at: Instant | None = None
    updated_at: Instant | None = None
    remaining_amount: JtlAmountText | None = None
    deletable: Flag | None = None
    code: Text | None = None
    pin: Text | None = None


class JtlMetaModel(BaseModel):
    current_page: Whole | None = None
    per_page: Whole | None = None
    last_page: Whole | None = None
    total: Whole | None = None


class JtlPageModel(BaseModel):
    data: list[JtlModel]
    meta: JtlMetaModel


Number = Annotated[Decimal, Strict()] | Annotated[int, Strict()]


class TicketingModel(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel)

    id: Text | None = Field(alias="_id", default=None)
    plain_id: Text | None = Field(alias="id", default=None)
    code: Text
    amount: Number
    created_at: Instant
    updated_at: Instant
    valid_until: Instant | None = None
    seller_id: Text | None = None
    transaction_id: Text | None = None
    product_id: Text | None = None
    refund_id: Text | None = None
    customer_id: Text | None = None
    origin: Text | None = None
    balance: Number | None = None


class TicketingPageModel(BaseModel):
    docs: list[TicketingModel]
    total: Whole


def utc(instant: datetime | None) -> datetime | None:
    return None if instant is None else instant.astimezone(UTC)


def jtl_pydantic(body: bytes) -> list[Voucher]:
    payload: Any = decode(body)
    return [
        Voucher(
            account="shop",
            id=one.id,
            code=None if one.code is None else Code(one.code),
            pin=None if one.pin is None else Pin(one.pin),
            initial=money_of(one.amount, one.currency),
            remaining=money_of(one.remaining_amount, one.currency),
            status=None if one.status is None else STATUSES.get(one.status, Status.UNKNOWN),
            medium=None if one.type is None else MEDIA.get(one.type, Medium.UNKNOWN),
            valid_until=utc(one.valid_until),
            validity=None
            if one.validity_value is None or one.validity_interval is None
            else Validity(one.validity_value, INTERVALS.get(one.validity_interval, Interval.UNKNOWN)),
            taxable=one.taxable,
            tax_rate=one.tax_rate,
            sku=one.sku,
            batch=one.batch,
            order=one.order_number,
            metadata=hand_metadata(one.data),
            login=one.client_id,
            created_at=utc(one.created_at),
            updated_at=utc(one.updated_at),
            deletable=one.deletable,
            raw=raw,
        )
        for one, raw in zip(JtlPageModel.model_validate(payload).data, payload["data"], strict=True)
    ]


def money_of(text: str | None, currency: str | None) -> Money | None:
    if text is None or currency is None:
        return None
    number = exact_decimal(text)
    return Money.from_exact(number, currency) if exponent(currency) == 2 else Money(number, currency)


def ticketing_pydantic(body: bytes) -> list[Voucher]:
    payload: Any = decode(body)
    return [
        Voucher(
            account="events",
            id=one.id or one.plain_id or "",
            code=Code(one.code),
            initial=hand_number(one.amount),
            remaining=None if one.balance is None else hand_number(one.balance),
            valid_until=utc(one.valid_until),
            origin=one.origin,
            links={name: id for name in LINKS if (id := getattr(one, name)) is not None},
            created_at=utc(one.created_at),
            updated_at=utc(one.updated_at),
            raw=raw,
        )
        for one, raw in zip(TicketingPageModel.model_validate(payload).docs, payload["docs"], strict=True)
    ]
