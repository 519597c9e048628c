"""The refusals of Square: ``{"errors": [{category, code, detail?, field?}]}``.

The schema names no HTTP status for a code, so the code decides. Details are not quoted, because they may name a card.
Codes and fields are names of the schema.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from voucher_gateway.provider_api import (
    AmountOutOfRange,
    AuthenticationFailed,
    Code,
    CurrencyMismatch,
    Declined,
    FieldError,
    InsufficientValue,
    MalformedResponse,
    MissingScope,
    ReferenceConflict,
    Rejected,
    Response,
    VoucherGatewayError,
    VoucherNotFound,
)

_CATEGORIES: Final = frozenset(
    {
        "AUTHENTICATION_ERROR",
        "EXTERNAL_VENDOR_ERROR",
        "INVALID_REQUEST_ERROR",
        "MERCHANT_SUBSCRIPTION_ERROR",
        "PAYMENT_METHOD_ERROR",
        "REFUND_ERROR",
    }
)
"""The categories of refusals (schema). API_ERROR and RATE_LIMIT_ERROR say nothing of what became of a request."""

IN_DOUBT: Final = frozenset(
    {
        "BAD_GATEWAY",
        "CONFLICT",
        "GATEWAY_TIMEOUT",
        "INTERNAL_SERVER_ERROR",
        "REQUEST_TIMEOUT",
        "SERVICE_UNAVAILABLE",
        "TEMPORARY_ERROR",
    }
)
"""The codes after which a request may have been carried out, whatever the status."""

_LIMITS: Final = frozenset({"PAYMENT_LIMIT_EXCEEDED", "TRANSACTION_LIMIT", "VALUE_TOO_HIGH", "VALUE_TOO_LOW"})
_CODE: Final = re.compile(r"[A-Z0-9_]{3,80}")
_FIELD: Final = re.compile(r"[a-z_]{1,60}(?:\.[a-z_]{1,60}){0,6}")
_MAXIMUM: Final = re.compile(
    r"(?:Activate|Activation|Balance|Load|Redeem) amount exceeds maximum(?: [a-z]{1,10}){1,6}\.?"
)
"""Details about maxima; Square has no code for them (vendor's forum). Words of a sentence alone are quoted."""


def parse_refusal(reply: Response) -> VoucherGatewayError | None:
    """Return the error that a refusal stands for; None if it is not one, or does not say what became of the request."""
    errors = _errors(reply)
    if not errors or any(error["code"] in IN_DOUBT or error["category"] not in _CATEGORIES for error in errors):
        return None
    code = str(errors[0]["code"])
    message = f"the vendor refused the call ({code})"
    if code in ("UNAUTHORIZED", "ACCESS_TOKEN_EXPIRED", "ACCESS_TOKEN_REVOKED"):
        return AuthenticationFailed(message, vendor_code=code)
    if code in ("INSUFFICIENT_SCOPES", "FORBIDDEN"):
        return MissingScope(f"{message}: the access token needs GIFTCARDS_READ and GIFTCARDS_WRITE", vendor_code=code)
    if code == "IDEMPOTENCY_KEY_REUSED":
        return ReferenceConflict("the reference was used for another call before", vendor_code=code)
    if code == "INSUFFICIENT_FUNDS":
        return InsufficientValue("the gift card is worth less than that", vendor_code=code)
    if code == "CURRENCY_MISMATCH":
        return CurrencyMismatch("the gift card or the location has another currency", vendor_code=code)
    if code in _LIMITS:
        return AmountOutOfRange(message, field="amount", rule="within the vendor's limits", vendor_code=code)
    detail = errors[0].get("detail")
    if code == "BAD_REQUEST" and isinstance(detail, str) and _MAXIMUM.fullmatch(detail):
        message = f"{message}: {detail}"
    return Rejected(message, vendor_code=code, fields=_fields(errors))


def names_field(error: Rejected, *names: str) -> bool:
    """Return whether a refusal is about one of these fields, wherever it is in the body."""
    return any(field.field.rpartition(".")[2] in names for field in error.fields)


def as_refusal(kind: type[Declined], message: str, refused: Declined) -> Declined:
    """Return a refusal as an error of another class, with what is known of the reply."""
    return kind(
        message,
        account=refused.account,
        operation=refused.operation,
        http_status=refused.http_status,
        vendor_code=refused.vendor_code,
        request_id=refused.request_id,
    )


def other_code_error(shown: Code | None, code: Code) -> VoucherGatewayError:
    """Return the error for a card that has another code than the one that was asked for."""
    if shown is not None and shown.reveal().strip().casefold() == code.reveal().strip().casefold():
        return VoucherNotFound("the vendor knows no voucher with exactly this code")
    return MalformedResponse("the reply is about another gift card")


def _errors(reply: Response) -> list[Mapping[str, Any]]:
    """Return the errors of a body; none if it is not in the vendor's shape."""
    try:
        body = reply.json()
    except MalformedResponse:
        return []
    errors = body.get("errors") if isinstance(body, Mapping) else None
    return errors if isinstance(errors, list) and all(map(_is_error, errors)) else []


def _is_error(error: object) -> bool:
    if not isinstance(error, Mapping):
        return False
    code, category = error.get("code"), error.get("category")
    return isinstance(category, str) and isinstance(code, str) and _CODE.fullmatch(code) is not None


def _fields(errors: list[Mapping[str, Any]]) -> tuple[FieldError, ...]:
    names = [error.get("field") for error in errors]
    return tuple(
        FieldError(name, "refused") for name in names if isinstance(name, str) and _FIELD.fullmatch(name) is not None
    )
