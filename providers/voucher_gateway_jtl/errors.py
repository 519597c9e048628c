"""JTL's error bodies. Only a documented code becomes a precise error; nothing is guessed.

Shapes (seed): 403 is a bare JSON string, 404 an object with a code, 422 an object with a code and errors of fields.
A 404 counts only in the documented shape and with a code of one of JTL's entities: a 404 of a proxy proves nothing
about a voucher. Codes are made of ENTITY.ACTION.FIELD.RULE, where the rule may carry a parameter after a colon
(vendor page).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from voucher_gateway.provider_api import (
    AccessDenied,
    CurrencyMismatch,
    Declined,
    DuplicateCode,
    FieldError,
    InsufficientValue,
    MalformedResponse,
    Money,
    Rejected,
    Reservation,
    ReservationExpired,
    Response,
    Status,
    Voucher,
    VoucherExpired,
    VoucherGatewayError,
    VoucherInactive,
    VoucherNotFound,
)


def explain_refusal(refused: Rejected, voucher: Voucher, money: Money, *, at: datetime) -> Declined:
    """Return the error for the reason that the voucher shows, with the vendor's code; the refusal if it shows none.

    `at` is the vendor's time. Ours may differ, so that a voucher would seem expired too early or too late.
    """
    error_class, message = _reason(voucher, money, at)
    if error_class is None:
        return refused
    return error_class(
        message,
        account=refused.account,
        operation=refused.operation,
        http_status=refused.http_status,
        vendor_code=refused.vendor_code,
        request_id=refused.request_id,
    )


def explain_capture_refusal(refused: Rejected, reservation: Reservation, *, at: datetime | None) -> Declined:
    """Return `ReservationExpired` for a refused charge if the vendor's clock shows that; the refusal if not.

    Only a 404 can mean it: if the reservation was charged before, the caller must not reserve again. `at` is the
    vendor's time, from the refusal itself; None if it is not known.
    """
    is_over = at is not None and reservation.valid_until is not None and reservation.valid_until <= at
    if refused.http_status != 404 or not is_over:
        return refused
    return ReservationExpired(
        "the reservation expired before the capture arrived",
        account=refused.account,
        operation=refused.operation,
        http_status=refused.http_status,
        vendor_code=refused.vendor_code,
        request_id=refused.request_id,
    )


def _reason(voucher: Voucher, money: Money, at: datetime) -> tuple[type[Declined] | None, str]:
    if voucher.status is Status.INACTIVE:
        return VoucherInactive, "the voucher is not active"
    if voucher.valid_until is not None and voucher.valid_until <= at:
        return VoucherExpired, "the voucher's validity is over"
    remaining = voucher.remaining
    if remaining is None:
        return None, ""
    if remaining.currency != money.currency:
        return CurrencyMismatch, f"the voucher is in {remaining.currency}, not in {money.currency}"
    if remaining < money:
        return InsufficientValue, f"the voucher has {remaining} left, less than {money}"
    return None, ""


_NOT_FOUND: Final = "VOUCHER.NOT_FOUND"
# Codes begin with the name of an entity (vendor page); an API gateway in front of JTL has its own codes.
_OWN_CODE: Final = re.compile(r"(?:VOUCHER|RESERVATION|CHARGE|CLIENT)\.[A-Z0-9_.:]+")
# The code of the request's field `id` is CUSTOM_ID (vendor page).
_DUPLICATE_CODES: Final = frozenset({"VOUCHER.CREATE.CUSTOM_ID.UNIQUE", "VOUCHER.CREATE.CODE.UNIQUE"})

# Only names such as filter[sku], rules such as max:255 and error codes are quoted: words without digits, and numbers
# of rules. Any other text could be a voucher's code, or have one in it.
_PROPERTY: Final = re.compile(r"[a-z_]{1,40}(?:\[[a-z_]{1,40}\]|\.[a-z_]{1,40}|\.[0-9]{1,3}){0,6}")
_RULE: Final = re.compile(r"[a-z_]{1,40}(?::(?:[a-z_]{1,40}|[0-9.]{1,9})(?:,(?:[a-z_]{1,40}|[0-9.]{1,9})){0,6})?")
_ERROR_CODE: Final = re.compile(
    r"(?=[A-Z]*[._])[A-Z_.]{1,120}(?::(?:[A-Z_]{1,40}|[0-9.]{1,9})(?:,(?:[A-Z_]{1,40}|[0-9.]{1,9})){0,6})?"
)


def parse_refusal(reply: Response) -> VoucherGatewayError | None:
    """Return the error that a refusal stands for; None if the body is not in one of JTL's shapes."""
    try:
        body = reply.json()
    except MalformedResponse:
        return None
    if reply.status == 403 and isinstance(body, str):
        return AccessDenied("the vendor forbids the call: the login may lack the scope")
    if not isinstance(body, Mapping) or not isinstance(body.get("code"), str):
        return None
    if reply.status == 404 and not _is_own_not_found(body):
        return None
    code = _quotable_text(body["code"], _ERROR_CODE) or None
    reason = code or "with a code that cannot be shown"
    if reply.status == 403:
        return AccessDenied(f"the vendor forbids the call ({reason})", vendor_code=code)
    if reply.status == 404 and code == _NOT_FOUND:
        return VoucherNotFound("the vendor knows no such voucher", vendor_code=code)
    fields = _fields(body.get("errors"))
    if any(field.code in _DUPLICATE_CODES for field in fields):
        return DuplicateCode(f"id or code is in use: {_sentence(fields)}", vendor_code=code)
    message = f"{reason}: {_sentence(fields)}" if fields else reason
    return Rejected(f"the vendor refused the call ({message})", vendor_code=code, fields=fields)


def _is_own_not_found(body: Mapping[str, Any]) -> bool:
    """Return whether a 404 is from JTL: it has status, code and message, and the code names one of JTL's entities."""
    return (
        body.get("status") == 404
        and isinstance(body.get("message"), str)
        and _OWN_CODE.fullmatch(body["code"]) is not None
    )


def _fields(errors: object) -> tuple[FieldError, ...]:
    if not isinstance(errors, list):
        return ()
    return tuple(_field(item) for item in errors if isinstance(item, Mapping))


def _field(item: Mapping[str, Any]) -> FieldError:
    return FieldError(
        _quotable_text(item.get("property"), _PROPERTY),
        rule=_quotable_text(item.get("rule"), _RULE),
        code=_quotable_text(item.get("code"), _ERROR_CODE),
    )


def _sentence(fields: tuple[FieldError, ...]) -> str:
    return ", ".join(f"{field.field or 'a field'} breaks {field.rule or field.code or 'a rule'}" for field in fields)


def _quotable_text(value: object, shape: re.Pattern[str]) -> str:
    return value if isinstance(value, str) and shape.fullmatch(value) else ""
