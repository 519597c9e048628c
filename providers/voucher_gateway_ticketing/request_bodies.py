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
from voucher_gateway_ticketing.capabilities import FORBIDDEN_IN_CODES, LARGEST_AMOUNT, SHORTEST_CODE
from voucher_gateway_ticketing.wire import AMOUNT

_ALPHABET: Final = "23456789ABCDEFGHJKMNPQRSTVWXYZ"  # without what is taken for something else when it is copied
_MADE_LENGTH: Final = 16

_CANNOT_KEEP: Final = (
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


def check_new_code(code: Code) -> Code:
    """Return the code if a new voucher can have it (vendor page): four characters or more, and no semicolon."""
    text = code.reveal()
    if len(text) < SHORTEST_CODE or FORBIDDEN_IN_CODES in text:
        rule = f"{SHORTEST_CODE} characters or more, without {FORBIDDEN_IN_CODES!r}"
        raise InvalidRequest(f"code must have {rule} at vivenu", field="code", rule=rule)
    try:
        text.encode()
        valid = True
    except UnicodeEncodeError:
        valid = False  # raised below, as the error itself would carry the code along
    if not valid:
        raise InvalidRequest("code is not valid Unicode text", field="code", rule="valid Unicode")
    return code


def make_code() -> Code:
    """Return a random code of 16 characters, from an alphabet that can be read aloud: 78 bits."""
    return Code("".join(secrets.choice(_ALPHABET) for _ in range(_MADE_LENGTH)))


def check_new(new: NewVoucher) -> None:
    """Make sure that the vendor can keep all that a new voucher is to have.

    Raises:
        UnsupportedOperation: naming every field that it cannot keep.
        AmountOutOfRange: as `check_range`.
    """
    lost = [name for name in _CANNOT_KEEP if getattr(new, name) is not None]
    if new.active is False:
        lost.append("active=False")
    if lost:
        raise UnsupportedOperation(
            f"vivenu has no place for {', '.join(lost)}: a new voucher has a code, an amount and an absolute expiry",
            operation="issue",
        )
    check_range(new.initial)


def check_range(money: Money) -> None:
    """Make sure of an amount's size. Zero can be sent, as the vendor states no limits (seed).

    Raises:
        AmountOutOfRange: if it is negative, or longer than the vendor's floats are exact.
    """
    if not 0 <= money.amount <= LARGEST_AMOUNT:
        rule = f"0 to {LARGEST_AMOUNT}"
        raise AmountOutOfRange(f"amount {money} is outside of {rule}", field="amount", rule=rule)


def check_currency(money: Money, currency: str) -> None:
    """Make sure that money is in the currency of the account, because a voucher has no currency itself.

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
    """Return an expiry as the vendor takes it: UTC with milliseconds (seed), finer parts cut; None for never."""
    return None if instant is None else format_milliseconds(instant)


def creation(new: NewVoucher, code: Code) -> dict[str, Any]:
    """Return the body that creates a voucher."""
    body: dict[str, Any] = {"amount": AMOUNT.write(new.initial), "code": code}
    if new.valid_until is not None:
        body["validUntil"] = expiry(new.valid_until)
    return body


def new_expiry(wanted: VoucherChanges) -> datetime | None:
    """Return the expiry that a voucher is to get, None for never.

    Raises:
        UnsupportedOperation: naming what else is to be changed.
        InvalidRequest: if nothing is.
    """
    changed = wanted.fields_to_change()
    if not changed:
        raise InvalidRequest("nothing is to be changed", field="changes", rule="at least one change")
    others = [name for name in changed if name != "valid_until"]
    if others:
        raise UnsupportedOperation(
            f"vivenu has no {' and no '.join(others)}: only the expiry of a voucher can be changed", operation="update"
        )
    until: datetime | None = changed["valid_until"]
    return until
