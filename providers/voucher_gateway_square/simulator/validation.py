"""The checks of what clients send, with the vendor's errors for each mistake (schema)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from voucher_gateway.simulator import InvalidJson, Request
from voucher_gateway_square.simulator.responses import refusal

MAX_KEY_LENGTH: Final = 128
MAX_INSTRUMENT_LENGTH: Final = 255
_MOST: Final = 2**63 - 1

REASONS: Final[Mapping[str, tuple[str, ...]]] = {
    "ADJUST_INCREMENT": ("COMPLIMENTARY", "SUPPORT_ISSUE", "TRANSACTION_VOIDED"),
    "ADJUST_DECREMENT": (
        "SUSPICIOUS_ACTIVITY",
        "BALANCE_ACCIDENTALLY_INCREASED",
        "SUPPORT_ISSUE",
        "PURCHASE_WAS_REFUNDED",
    ),
    "CLEAR_BALANCE": ("SUSPICIOUS_ACTIVITY", "REUSE_GIFTCARD"),
    "DEACTIVATE": ("SUSPICIOUS_ACTIVITY",),
}
"""The reasons that a client may give. The schema has further ones, which it calls read-only."""


def read_body(request: Request) -> Mapping[str, Any]:
    """Return the JSON object of a body."""
    try:
        body = request.json()
    except InvalidJson:
        raise refusal("EXPECTED_JSON_BODY", "The body is not JSON.") from None
    if not isinstance(body, dict):
        raise refusal("EXPECTED_OBJECT", "The body is not an object.")
    return body


def read_object(body: Mapping[str, Any], name: str, at: str = "") -> Mapping[str, Any]:
    """Return a member that must be an object."""
    value = body.get(name)
    if value is None:
        raise refusal("MISSING_REQUIRED_PARAMETER", "A field is missing.", at + name)
    if not isinstance(value, dict):
        raise refusal("EXPECTED_OBJECT", "A field is not an object.", at + name)
    return value


def read_text(body: Mapping[str, Any], name: str, at: str = "", most: int = 1000) -> str | None:
    """Return a member that may be missing or null, and is a text of one character or more."""
    value = body.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise refusal("EXPECTED_STRING", "A field is not a string.", at + name)
    if not value:
        raise refusal("VALUE_EMPTY", "A field is empty.", at + name)
    if len(value) > most:
        raise refusal("VALUE_TOO_LONG", f"A field has more than {most} characters.", at + name)
    return value


def require_text(body: Mapping[str, Any], name: str, at: str = "", most: int = 1000) -> str:
    """Return a member that must be a text of one character or more."""
    value = read_text(body, name, at, most)
    if value is None:
        raise refusal("MISSING_REQUIRED_PARAMETER", "A field is missing.", at + name)
    return value


def require_choice(body: Mapping[str, Any], name: str, choices: tuple[str, ...], at: str = "") -> str:
    """Return a member that must be one of these words."""
    value = require_text(body, name, at)
    if value not in choices:
        raise refusal("INVALID_ENUM_VALUE", "A field has a value that it cannot have here.", at + name)
    return value


def read_amount(details: Mapping[str, Any], currency: str, at: str) -> int:
    """Return the amount of an activity in minor units. It is above zero and in the currency of the card."""
    value = read_object(details, "amount_money", at)
    field = f"{at}amount_money.amount"
    amount = value.get("amount")
    if amount is None:
        raise refusal("MISSING_REQUIRED_PARAMETER", "A field is missing.", field)
    if isinstance(amount, bool) or not isinstance(amount, int):
        raise refusal("EXPECTED_INTEGER", "A field is not an integer.", field)
    given = require_text(value, "currency", f"{at}amount_money.")
    if given != currency:
        raise refusal("CURRENCY_MISMATCH", "The gift card has another currency.", f"{at}amount_money.currency")
    if amount <= 0:
        raise refusal("VALUE_TOO_LOW", "An amount must be above zero.", field)
    if amount > _MOST:
        raise refusal("VALUE_TOO_HIGH", "An amount is too high.", field)
    return amount


def read_instruments(details: Mapping[str, Any], at: str) -> list[str]:
    """Return the payment instruments of a sale. One or more are required where the order is not Square's."""
    field = f"{at}buyer_payment_instrument_ids"
    value = details.get("buyer_payment_instrument_ids")
    if value is None or value == []:
        raise refusal("MISSING_REQUIRED_PARAMETER", "The payment instruments of the buyer are missing.", field)
    if not isinstance(value, list) or not all(isinstance(instrument, str) and instrument for instrument in value):
        raise refusal("INVALID_ARRAY_VALUE", "Payment instruments are texts.", field)
    if any(len(instrument) > MAX_INSTRUMENT_LENGTH for instrument in value):
        raise refusal("VALUE_TOO_LONG", "A payment instrument has more than 255 characters.", field)
    return list(value)


def read_limit(request: Request, default: int, most: int) -> int:
    """Return the size of a page."""
    text = request.query.get("limit")
    if text is None:
        return default
    if not text.isascii() or not text.isdecimal():
        raise refusal("EXPECTED_INTEGER", "limit is not an integer.", "limit")
    limit = int(text[:9])
    if limit < 1:
        raise refusal("VALUE_TOO_LOW", "limit is at least 1.", "limit")
    if limit > most:
        raise refusal("VALUE_TOO_HIGH", f"limit is at most {most}.", "limit")
    return limit


def read_choice(request: Request, name: str, choices: tuple[str, ...]) -> str | None:
    """Return a filter that is one of these words; None without it."""
    value = request.query.get(name)
    if value is not None and value not in choices:
        raise refusal("INVALID_ENUM_VALUE", f"{name} has a value that does not exist.", name)
    return value


def read_instant(request: Request, name: str) -> datetime | None:
    """Return an instant of a query; None without it."""
    text = request.query.get(name)
    if text is None:
        return None
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        instant = None
    if instant is None or instant.tzinfo is None:
        raise refusal("INVALID_TIME", f"{name} is not an instant of RFC 3339.", name)
    return instant
