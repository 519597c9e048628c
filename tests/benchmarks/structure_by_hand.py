"""Hand-written structuring, to compare with: careful, field by field, without wire objects.

It checks all that the wire classes check, and is faster in that it neither knows which field is wrong nor looks for
more than the first.
"""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Context, Decimal, Inexact, InvalidOperation
from typing import Any, Final

from voucher_gateway.errors import MalformedResponse
from voucher_gateway.masking import Code, Pin
from voucher_gateway.models.voucher import Interval, Medium, Status, Validity, Voucher
from voucher_gateway.money import MAX_DIGITS, Money, exponent
from voucher_gateway.wire.amounts import JsonNumber
from voucher_gateway.wire.json import decode, exact_decimal
from voucher_gateway.wire.scalars import read_instant

STATUSES: Final = {member.value: member for member in Status}
MEDIA: Final = {member.value: member for member in Medium}
INTERVALS: Final = {member.value: member for member in Interval}
CENT: Final = Decimal("0.01")
CENTS: Final = Context(prec=MAX_DIGITS + 2, traps=[InvalidOperation, Inexact])
NUMBER: Final = JsonNumber()
AMOUNT_TEXT: Final = re.compile(r"[0-9]{1,6}\.[0-9]{2}")


class Wrong(Exception):
    """A field that breaks the vendor's contract."""


def hand_amount(text: object, currency: str | None) -> Money | None:
    if text is None:
        return None
    if type(text) is not str or currency is None or not AMOUNT_TEXT.fullmatch(text):
        raise Wrong
    number = exact_decimal(text)
    return Money.from_exact(number, currency) if exponent(currency) == 2 else Money(number, currency)


def hand_instant(text: object) -> datetime | None:
    if text is None:
        return None
    if type(text) is not str:
        raise Wrong
    return read_instant(text)


def hand_metadata(data: str | None) -> dict[str, Any] | None:
    if not data:
        return None
    try:
        found = decode(data.encode())
    except MalformedResponse:
        return None
    return found if type(found) is dict else None


def jtl_by_hand(body: bytes) -> list[Voucher]:
    payload = decode(body)
    if type(payload) is not dict or type(payload.get("data")) is not list or type(payload.get("meta")) is not dict:
        raise Wrong
    for name in ("current_page", "per_page", "last_page", "total"):
        number = payload["meta"].get(name)
        if number is not None and type(number) is not int:
            raise Wrong
    vouchers = []
    for raw in payload["data"]:
        if type(raw) is not dict:
            raise Wrong
        get = raw.get
        id, client_id, sku, batch = get("id"), get("client_id"), get("sku"), get("batch")
        currency, tax_rate, order, data = get("currency"), get("tax_rate"), get("order_number"), get("data")
        code, pin = get("code"), get("pin")
        if (
            type(id) is not str
            or (client_id is not None and type(client_id) is not str)
            or (sku is not None and type(sku) is not str)
            or (batch is not None and type(batch) is not str)
            or (tax_rate is not None and type(tax_rate) is not str)
            or (order is not None and type(order) is not str)
            or (data is not None and type(data) is not str)
            or (code is not None and type(code) is not str)
            or (pin is not None and type(pin) is not str)
        ):
            raise Wrong
        if currency is not None:
            if type(currency) is not str:
                raise Wrong
            exponent(currency)
        taxable, deletable, lasting = get("taxable"), get("deletable"), get("validity_value")
        if (
            (taxable is not None and type(taxable) is not bool)
            or (deletable is not None and type(deletable) is not bool)
            or (lasting is not None and type(lasting) is not int)
        ):
            raise Wrong
        status, medium, interval = get("status"), get("type"), get("validity_interval")
        if (
            (status is not None and type(status) is not str)
            or (medium is not None and type(medium) is not str)
            or (interval is not None and type(interval) is not str)
        ):
            raise Wrong
        vouchers.append(
            Voucher(
                account="shop",
                id=id,
                code=None if code is None else Code(code),
                pin=None if pin is None else Pin(pin),
                initial=hand_amount(get("amount"), currency),
                remaining=hand_amount(get("remaining_amount"), currency),
                status=None if status is None else STATUSES.get(status, Status.UNKNOWN),
                medium=None if medium is None else MEDIA.get(medium, Medium.UNKNOWN),
                valid_until=hand_instant(get("valid_until")),
                validity=None
                if lasting is None or interval is None
                else Validity(lasting, INTERVALS.get(interval, Interval.UNKNOWN)),
                taxable=taxable,
                tax_rate=tax_rate,
                sku=sku,
                batch=batch,
                order=order,
                metadata=hand_metadata(data),
                login=client_id,
                created_at=hand_instant(get("created_at")),
                updated_at=hand_instant(get("updated_at")),
                deletable=deletable,
                raw=raw,
            )
        )
    return vouchers


def hand_number(value: object) -> Money:
    if type(value) is int:
        value = Decimal(value)
    elif type(value) is not Decimal:
        raise Wrong
    try:
        return Money.from_exact(CENTS.quantize(value, CENT), "EUR")
    except (Inexact, InvalidOperation):
        return NUMBER.money(value, "EUR")


def ticketing_by_hand(body: bytes) -> list[Voucher]:
    payload = decode(body)
    if type(payload) is not dict or type(payload.get("docs")) is not list or type(payload.get("total")) is not int:
        raise Wrong
    vouchers = []
    for raw in payload["docs"]:
        if type(raw) is not dict:
            raise Wrong
        get = raw.get
        id, plain, code, origin, balance = get("_id"), get("id"), get("code"), get("origin"), get("balance")
        seller, transaction, product = get("sellerId"), get("transactionId"), get("productId")
        refund, customer, created, updated = get("refundId"), get("customerId"), get("createdAt"), get("updatedAt")
        if (
            (id is not None and type(id) is not str)
            or (plain is not None and type(plain) is not str)
            or type(code) is not str
            or type(created) is not str
            or type(updated) is not str
            or (origin is not None and type(origin) is not str)
            or (seller is not None and type(seller) is not str)
            or (transaction is not None and type(transaction) is not str)
            or (product is not None and type(product) is not str)
            or (refund is not None and type(refund) is not str)
            or (customer is not None and type(customer) is not str)
        ):
            raise Wrong
        known = id or plain
        if not known:
            raise Wrong
        links = {}
        if seller is not None:
            links["seller_id"] = seller
        if transaction is not None:
            links["transaction_id"] = transaction
        if product is not None:
            links["product_id"] = product
        if refund is not None:
            links["refund_id"] = refund
        if customer is not None:
            links["customer_id"] = customer
        vouchers.append(
            Voucher(
                account="events",
                id=known,
                code=Code(code),
                initial=hand_number(get("amount")),
                remaining=None if balance is None else hand_number(balance),
                valid_until=hand_instant(get("validUntil")),
                origin=origin,
                links=links,
                created_at=read_instant(created),
                updated_at=read_instant(updated),
                raw=raw,
            )
        )
    return vouchers


SQUARE_STATUSES: Final = {
    "ACTIVE": Status.ACTIVE,
    "BLOCKED": Status.BLOCKED,
    "DEACTIVATED": Status.DEACTIVATED,
    "PENDING": Status.PENDING,
}
SQUARE_MEDIA: Final = {"DIGITAL": Medium.DIGITAL, "PHYSICAL": Medium.PRINT}
LARGEST: Final = 10**MAX_DIGITS
PLACES: Final = Context(prec=MAX_DIGITS + 4, traps=[InvalidOperation, Inexact])


def square_by_hand(body: bytes) -> list[Voucher]:
    payload = decode(body)
    if type(payload) is not dict:
        raise Wrong
    cards, cursor = payload.get("gift_cards", []), payload.get("cursor")
    if type(cards) is not list or (cursor is not None and type(cursor) is not str):
        raise Wrong
    vouchers = []
    for raw in cards:
        if type(raw) is not dict:
            raise Wrong
        get = raw.get
        id, kind, state, gan, source = get("id"), get("type"), get("state"), get("gan"), get("gan_source")
        created, balance = get("created_at"), get("balance_money")
        if (
            type(id) is not str
            or type(kind) is not str
            or type(state) is not str
            or type(balance) is not dict
            or (gan is not None and type(gan) is not str)
            or (source is not None and type(source) is not str)
        ):
            raise Wrong
        amount, currency = balance.get("amount"), balance.get("currency")
        if type(amount) is not int or not 0 <= amount < LARGEST or type(currency) is not str:
            raise Wrong
        places = exponent(currency)
        units = Decimal(amount)
        remaining = Money.from_exact(units.scaleb(-places, PLACES) if places else units, currency)
        vouchers.append(
            Voucher(
                account="cafe",
                id=id,
                code=None if gan is None else Code(gan),
                remaining=remaining,
                status=SQUARE_STATUSES.get(state, Status.UNKNOWN),
                medium=SQUARE_MEDIA.get(kind, Medium.UNKNOWN),
                origin=source,
                created_at=hand_instant(created),
                raw=raw,
            )
        )
    return vouchers
