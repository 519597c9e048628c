"""What may be sent to the ticketing vendor, and the bodies of requests."""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Any, Final

from voucher_gateway.provider_api import (
    AmountOutOfRange,
    Code,
    InvalidRequest,
    Money,
    NewVoucher,
    UnsupportedOperation,
    VoucherChanges,
    format_milliseconds,
)
from voucher_gateway_ticketing.capabilities import FORBIDDEN_IN_CODES, MAX_AMOUNT, MIN_CODE_LENGTH
from voucher_gateway_ticketing.wire import AMOUNT

_ALPHABET: Final = "23456789ABCDEFGHJKMNPQRSTVWXYZ"  # without characters that look like others
_CODE_LENGTH: Final = 16

_NOT_STORED: Final = (
    "id",
    "pin",
    "medium",
    "validity",
    "taxable",
    "tax_rate",
    "sku",
    "batch",
    "order",
    "metadata",
)


def validate_new_code(code: Code) -> Code:
    """Return the code, if a new voucher can have it: four characters or more, and no semicolon (vendor page)."""
    text = code.reveal()
    if len(text) < MIN_CODE_LENGTH or FORBIDDEN_IN_CODES in text:
        rule = f"{MIN_CODE_LENGTH} characters or more, without {FORBIDDEN_IN_CODES!r}"
        raise InvalidRequest(f"code must have {rule} at vivenu", field="code", rule=rule)
    try:
        text.encode()
        is_unicode = True
    except UnicodeEncodeError:
        is_unicode = False  # raised below: the exception itself holds the code
    if not is_unicode:
        raise InvalidRequest("code is not valid Unicode text", field="code", rule="valid Unicode")
    return code


def make_code() -> Code:
    """Return a random code of 16 characters (78 bits), from an alphabet that can be read aloud."""
    return Code("".join(secrets.choice(_ALPHABET) for _ in range(_CODE_LENGTH)))


def check_new(new: NewVoucher) -> None:
    """Check that the vendor can store every field of a new voucher.

    Raises:
        UnsupportedOperation: if it cannot store a field.
        AmountOutOfRange: as `check_range`.
    """
    not_stored = [name for name in _NOT_STORED if getattr(new, name) is not None]
    if new.active is False:
        not_stored.append("active=False")
    if not_stored:
        raise UnsupportedOperation(
            f"vivenu cannot store {', '.join(not_stored)}: a voucher has a code, an amount and an absolute expiry",
            operation="issue",
        )
    check_range(new.initial)


def check_range(money: Money) -> None:
    """Check the size of an amount. Zero is allowed, because the vendor documents no limits (seed).

    Raises:
        AmountOutOfRange: if it is negative, or too large to be exact in the vendor's floats.
    """
    if not 0 <= money.amount <= MAX_AMOUNT:
        rule = f"0 to {MAX_AMOUNT}"
        raise AmountOutOfRange(f"amount {money} is outside of {rule}", field="amount", rule=rule)


def check_currency(money: Money, currency: str) -> None:
    """Check that money is in the currency of the account, because a voucher has no currency.

    Raises:
        InvalidRequest: if it is not.
    """
    if money.currency != currency:
        raise InvalidRequest(
            f"the vouchers of this account are in {currency}, not in {money.currency}",
            field="currency",
            rule=f"{currency}, the currency of the seller",
        )


def expiry(instant: datetime | None) -> str | None:
    """Return an expiry as the vendor writes it: UTC, cut to milliseconds (seed); None for never."""
    return None if instant is None else format_milliseconds(instant)


def create_body(new: NewVoucher, code: Code) -> dict[str, Any]:
    """Return the body that creates a voucher."""
    body: dict[str, Any] = {"amount": AMOUNT.write(new.initial), "code": code}
    if new.valid_until is not None:
        body["validUntil"] = expiry(new.valid_until)
    return body


def new_expiry(changes: VoucherChanges) -> datetime | None:
    """Return the new expiry of a voucher; None for never.

    Raises:
        UnsupportedOperation: if another field is to be changed.
        InvalidRequest: if nothing is changed.
    """
    fields = changes.fields_to_change()
    if not fields:
        raise InvalidRequest("the request has no change", field="changes", rule="at least one change")
    others = [name for name in fields if name != "valid_until"]
    if others:
        raise UnsupportedOperation(
            f"vivenu has no {' and no '.join(others)}: only the expiry of a voucher can be changed", operation="update"
        )
    until: datetime | None = fields["valid_until"]
    return until
