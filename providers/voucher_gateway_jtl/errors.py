"""JTL's error bodies. Only what the vendor documents is mapped to a precise error; nothing is guessed.

Shapes (seed): 403 is a bare JSON string, 404 an object with a code, 422 an object with a code and errors of fields.
A 404 counts only in the documented shape and with a code of one of JTL's entities: a 404 of something in between says
nothing about a voucher. Codes are made of ENTITY.ACTION.FIELD.RULE, where the rule may carry a parameter after a colon
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
    """Return the reason that the voucher shows, with the vendor's own code; the refusal itself if it shows none.

    `at` is the vendor's clock: ours may differ, and would call a voucher expired too early or too late.
    """
    kind, sentence = _reason(voucher, money, at)
    if kind is None:
        return refused
    return kind(
        sentence,
        account=refused.account,
        operation=refused.operation,
        http_status=refused.http_status,
        vendor_code=refused.vendor_code,
        request_id=refused.request_id,
    )


def precise_capture(refused: Rejected, reservation: Reservation, *, at: datetime | None) -> Declined:
    """Return the refusal of a charge as `ReservationExpired` where the vendor's clock shows it, or else as it is.

    Only a 404 can mean that: of a reservation that was charged before, nobody must hear that it may be made again. `at`
    is the vendor's clock, which the refusal itself tells; None if it is not known.
    """
    over = at is not None and reservation.valid_until is not None and reservation.valid_until <= at
    if refused.http_status != 404 or not over:
        return refused
    return ReservationExpired(
        "the reservation was over before the capture arrived",
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
# Codes begin with the name of an entity (vendor page); an API gateway in front of JTL has codes of its own.
_OWN_CODE: Final = re.compile(r"(?:VOUCHER|RESERVATION|CHARGE|CLIENT)\.[A-Z0-9_.:]+")
# The code of the request's field `id` is CUSTOM_ID (vendor page).
_TAKEN: Final = frozenset({"VOUCHER.CREATE.CUSTOM_ID.UNIQUE", "VOUCHER.CREATE.CODE.UNIQUE"})

# What may be quoted of an error: names such as filter[sku] and codes. A free text could repeat a voucher's code.
_NAME: Final = re.compile(r"[A-Za-z0-9_.:,\[\]\-]{1,80}")


def parse_refusal(reply: Response) -> VoucherGatewayError | None:
    """Return the error that a refusal stands for; None if the body is not in one of JTL's shapes."""
    try:
        body = reply.json()
    except MalformedResponse:
        return None
    if reply.status == 403 and isinstance(body, str):
        return AccessDenied("the vendor forbids this: the login may lack the scope")
    if not isinstance(body, Mapping) or not isinstance(body.get("code"), str):
        return None
    if reply.status == 404 and not _is_own_not_found(body):
        return None
    code = _name(body["code"]) or None
    shown = code or "with a code that cannot be shown"
    if reply.status == 403:
        return AccessDenied(f"the vendor forbids this ({shown})", vendor_code=code)
    if reply.status == 404 and code == _NOT_FOUND:
        return VoucherNotFound("the vendor knows no such voucher", vendor_code=code)
    fields = _fields(body.get("errors"))
    if any(field.code in _TAKEN for field in fields):
        return DuplicateCode(f"taken already: {_sentence(fields)}", vendor_code=code)
    message = f"{shown}: {_sentence(fields)}" if fields else shown
    return Rejected(f"the vendor refuses ({message})", vendor_code=code, fields=fields)


def _is_own_not_found(body: Mapping[str, Any]) -> bool:
    """Whether a 404 is JTL's own: status, code and message are documented, and the code names one of its entities."""
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
    return FieldError(_name(item.get("property")), rule=_name(item.get("rule")), code=_name(item.get("code")))


def _sentence(fields: tuple[FieldError, ...]) -> str:
    return ", ".join(f"{field.field or 'a field'} breaks {field.rule or field.code or 'a rule'}" for field in fields)


def _name(value: object) -> str:
    return value if isinstance(value, str) and _NAME.fullmatch(value) else ""
