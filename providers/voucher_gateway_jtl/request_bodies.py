"""What is sent to JTL: texts within its limits, and the bodies of its requests."""

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

_LONGEST: Final = 255
_LONGEST_BATCH: Final = 30
# Half of a surrogate pair: Python text can hold one, UTF-8 cannot.
_HALF_A_CHARACTER: Final = re.compile(r"[\ud800-\udfff]")


def _validate_text(text: str, field: str, longest: int = _LONGEST) -> str:
    if not isinstance(text, str):
        raise TypeError(f"{field} is a str, not {type(text).__name__}")
    if not 1 <= len(text) <= longest:
        rule = f"1 to {longest} characters"
        raise InvalidRequest(f"{field} must have {rule} at JTL, not {len(text)}", field=field, rule=rule)
    if _HALF_A_CHARACTER.search(text):
        raise InvalidRequest(f"{field} is not valid Unicode text", field=field, rule="valid Unicode")
    return text


def validate_code(code: str | Code) -> Code:
    """Return the code if JTL could have it: 1 to 255 characters (seed)."""
    code = Code.of(code)
    with hide_frames():
        _validate_text(code.reveal(), "code")
    return code


def validate_pin(pin: str | Pin) -> Pin:
    """Return the PIN if JTL could have it: 1 to 255 characters (seed)."""
    pin = Pin.of(pin)
    with hide_frames():
        _validate_text(pin.reveal(), "pin")
    return pin


def validate_id(id: str) -> str:
    """Return the id if it can be part of a path: any 1 to 255 characters but ``.`` and ``..``."""
    if _validate_text(id, "id") in (".", ".."):
        raise InvalidRequest("id must not be '.' or '..'", field="id", rule="not '.' and not '..'")
    return id


def validate_reference(reference: str) -> str:
    """Return the reference if it can be an order number or a comment on a status; 255 characters at most.

    No limit is documented for either; this is the one of the other texts.
    """
    return _validate_text(reference, "reference")


def validate_comment(text: str) -> str:
    """Return the comment on a deletion, 255 characters at most (vendor page)."""
    return _validate_text(text, "reason")


def amount(money: Money) -> dict[str, Any]:
    """Return amount and currency for a body.

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
        InvalidRequest: naming the field that JTL cannot keep as it is.
        UnsupportedOperation: for an absolute expiry.
    """
    if new.valid_until is not None:
        raise UnsupportedOperation(
            "JTL takes no date of expiry, only a validity counted from activation", operation="issue"
        )
    body: dict[str, Any] = {"amount": AMOUNT.write(new.initial), "currency": new.initial.currency}
    texts = {"id": new.id, "sku": new.sku, "tax_rate": new.tax_rate}
    body |= {name: _validate_text(text, name) for name, text in texts.items() if text is not None}
    if new.id is not None:
        validate_id(new.id)
    if (sold_with := new.order or order) is not None:
        body["order_number"] = _validate_text(sold_with, "order")
    if new.batch is not None:
        body["batch"] = _validate_text(new.batch, "batch", _LONGEST_BATCH)
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
        raise InvalidRequest("validity must be at least 1", field="validity", rule="a whole number from 1")
    interval = _enum_value(validity.interval, Interval.UNKNOWN, "validity")
    return {"validity_value": validity.value, "validity_interval": interval}


def changes(wanted: VoucherChanges) -> dict[str, Any]:
    """Return the body of an update: SKU and batch (vendor page)."""
    changed = wanted.fields_to_change()
    if "valid_until" in changed:
        raise UnsupportedOperation("JTL cannot change the expiry of a voucher", operation="update")
    if not changed:
        raise InvalidRequest("nothing is to be changed", field="changes", rule="at least one change")
    limits = {"sku": _LONGEST, "batch": _LONGEST_BATCH}
    for name, value in changed.items():
        if value is None:
            raise InvalidRequest(f"JTL cannot clear {name}", field=name, rule="not None")
        _validate_text(value, name, limits[name])
    return changed


def data_text(metadata: Metadata) -> str:
    """Return the JSON text of a voucher's metadata; numbers keep all their digits.

    Raises:
        InvalidRequest: if it holds what JSON does not know.
    """
    try:
        return encode(json_value(metadata)).decode()
    except (TypeError, ValueError, InvalidRequest):
        pass  # raised below, without the data as context
    raise InvalidRequest("metadata must be a JSON value without floats", field="metadata", rule="JSON without floats")
