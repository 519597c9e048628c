"""What may be sent to JTL, and the bodies of requests."""

from __future__ import annotations

import re
from typing import Any, Final

from voucher_gateway.provider_api import (
    AmountOutOfRange,
    Code,
    Interval,
    InvalidRequest,
    Medium,
    Metadata,
    Money,
    NewVoucher,
    Pin,
    UnsupportedOperation,
    Validity,
    VoucherChanges,
    encode,
    hide_frames,
    json_value,
)
from voucher_gateway_jtl.wire import AMOUNT

_MAX_TEXT: Final = 255
_MAX_BATCH: Final = 30
# Python text can hold half of a surrogate pair, UTF-8 cannot.
_LONE_SURROGATE: Final = re.compile(r"[\ud800-\udfff]")


def _validate_text(text: str, field: str, max_length: int = _MAX_TEXT) -> str:
    if not isinstance(text, str):
        raise TypeError(f"{field} is a str, not {type(text).__name__}")
    if not 1 <= len(text) <= max_length:
        rule = f"1 to {max_length} characters"
        raise InvalidRequest(f"{field} must have {rule} at JTL, not {len(text)}", field=field, rule=rule)
    if _LONE_SURROGATE.search(text):
        raise InvalidRequest(f"{field} is not valid Unicode text", field=field, rule="valid Unicode")
    return text


def validate_code(code: str | Code) -> Code:
    """Return the code, if it has 1 to 255 characters (seed)."""
    code = Code.of(code)
    with hide_frames():
        _validate_text(code.reveal(), "code")
    return code


def validate_pin(pin: str | Pin) -> Pin:
    """Return the PIN, if it has 1 to 255 characters (seed)."""
    pin = Pin.of(pin)
    with hide_frames():
        _validate_text(pin.reveal(), "pin")
    return pin


def validate_id(id: str) -> str:
    """Return the id, if it can be a part of a path: 1 to 255 characters, and not ``.`` or ``..``."""
    if _validate_text(id, "id") in (".", ".."):
        raise InvalidRequest("id must not be '.' or '..'", field="id", rule="not '.' and not '..'")
    return id


def validate_reference(reference: str) -> str:
    """Return the reference, if it can be an order number or a comment on a status: at most 255 characters.

    The vendor documents no limit for these; 255 is the limit of its other texts.
    """
    return _validate_text(reference, "reference")


def validate_comment(text: str) -> str:
    """Return the comment on a deletion, if it has at most 255 characters (vendor page)."""
    return _validate_text(text, "reason")


def amount(money: Money) -> dict[str, Any]:
    """Return amount and currency of a body.

    Raises:
        AmountOutOfRange: if it is not above zero, or above 99999.99.
        AmountPrecisionError: if it has a third decimal that is not zero.
    """
    if not isinstance(money, Money):
        raise TypeError(f"an amount is a Money, not {type(money).__name__}")
    if money.amount <= 0:
        raise AmountOutOfRange(f"amount {money} is not above zero", field="amount", rule="above zero")
    return {"amount": AMOUNT.write(money), "currency": money.currency}


def create_body(new: NewVoucher, *, order: str | None) -> dict[str, Any]:
    """Return the body that creates a voucher. A value of zero is allowed here (vendor's changelog 1.1).

    Raises:
        InvalidRequest: if JTL cannot keep a field as it is.
        UnsupportedOperation: if it has an absolute expiry.
    """
    if new.valid_until is not None:
        raise UnsupportedOperation(
            "JTL has no absolute expiry: use a validity, which is counted from activation", operation="issue"
        )
    body: dict[str, Any] = {"amount": AMOUNT.write(new.initial), "currency": new.initial.currency}
    texts = {"id": new.id, "sku": new.sku, "tax_rate": new.tax_rate}
    body |= {name: _validate_text(text, name) for name, text in texts.items() if text is not None}
    if new.id is not None:
        validate_id(new.id)
    if (order_number := new.order or order) is not None:
        body["order_number"] = _validate_text(order_number, "order")
    if new.batch is not None:
        body["batch"] = _validate_text(new.batch, "batch", _MAX_BATCH)
    if new.code is not None:
        body["code"] = validate_code(new.code)
    if new.pin is not None:
        body["pin"] = validate_pin(new.pin)
    if new.active is not None:
        body["status"] = "active" if new.active else "inactive"
    if new.medium is not None:
        body["type"] = _enum_value(new.medium, Medium.UNKNOWN, "medium")
    if new.validity is not None:
        body |= _validity(new.validity)
    if new.taxable is not None:
        body["taxable"] = new.taxable
    if new.metadata is not None:
        body["data"] = data_text(new.metadata)
    return body


def _enum_value(member: Medium | Interval, unknown: object, field: str) -> str:
    if member is unknown:
        raise InvalidRequest(f"{field} 'unknown' cannot be sent", field=field, rule="a known member")
    return member.value


def _validity(validity: Validity) -> dict[str, Any]:
    if type(validity.value) is not int or validity.value < 1:
        raise InvalidRequest("validity must be at least 1", field="validity", rule="an integer from 1")
    interval = _enum_value(validity.interval, Interval.UNKNOWN, "validity")
    return {"validity_value": validity.value, "validity_interval": interval}


def update_body(changes: VoucherChanges) -> dict[str, Any]:
    """Return the body of an update: SKU and batch (vendor page)."""
    fields = changes.fields_to_change()
    if "valid_until" in fields:
        raise UnsupportedOperation("JTL cannot change the expiry of a voucher", operation="update")
    if not fields:
        raise InvalidRequest("the request has no change", field="changes", rule="at least one change")
    limits = {"sku": _MAX_TEXT, "batch": _MAX_BATCH}
    for name, value in fields.items():
        if value is None:
            raise InvalidRequest(f"JTL cannot clear {name}", field=name, rule="not None")
        _validate_text(value, name, limits[name])
    return fields


def data_text(metadata: Metadata) -> str:
    """Return the JSON text of a voucher's metadata. Numbers keep all their digits.

    Raises:
        InvalidRequest: if a value is not a JSON value.
    """
    try:
        return encode(json_value(metadata)).decode()
    except (TypeError, ValueError, InvalidRequest):
        pass  # raised below, without the data as context
    raise InvalidRequest("metadata must be a JSON value without floats", field="metadata", rule="JSON without floats")
