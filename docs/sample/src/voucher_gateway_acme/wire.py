"""The vendor's JSON, field by field. No value is coerced, and a missing field is an error."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Final

import attrs
from voucher_gateway.provider_api import (
    AccessDenied,
    AlreadyRefunded,
    Code,
    Currency,
    CurrencyMismatch,
    InsufficientValue,
    MinorUnits,
    RawObject,
    ReferenceConflict,
    Rejected,
    Response,
    UnreadableEntry,
    VoucherExpired,
    VoucherGatewayError,
    VoucherInactive,
    configure,
    rename_to_camel,
    strict_converter,
    structure,
    structure_page,
)

AMOUNT: Final = MinorUnits()
"""The vendor's format of amounts: 1053 for 10.53 EUR. Other formats: DecimalText, JsonNumber, FixedScale."""

_CONVERTER: Final = strict_converter()
_REFUSALS: Final[dict[object, tuple[type[VoucherGatewayError], str]]] = {
    "currency": (CurrencyMismatch, "the voucher is in another currency"),
    "expired": (VoucherExpired, "the validity of the voucher is over"),
    "inactive": (VoucherInactive, "the voucher is not active"),
    "key-reused": (ReferenceConflict, "another request had this key"),
    "insufficient": (InsufficientValue, "less is left on the voucher"),
    "refunded": (AlreadyRefunded, "less is left of the redemption"),
}


@attrs.define(kw_only=True)
class AcmeVoucher:
    """A voucher. A field without a default is required. A field can be null only if its type has ``| None``."""

    id: str
    code: Code
    status: str
    currency: Currency
    initial: Annotated[Decimal, AMOUNT]
    balance: Annotated[Decimal, AMOUNT]
    valid_until: datetime | None = None


configure(_CONVERTER, AcmeVoucher, **rename_to_camel(AcmeVoucher))


def read_voucher(reply: Response) -> tuple[AcmeVoucher, RawObject]:
    """Return the voucher of a reply, and the vendor's object."""
    raw: Any = reply.json()
    return structure(_CONVERTER, AcmeVoucher, raw, what="voucher"), raw


def explain(reply: Response) -> VoucherGatewayError | None:
    """Return the error of a refusal; None if the body is not in the vendor's documented shape."""
    body: Any = reply.json()  # the client takes what is not JSON for a body in another shape
    if not isinstance(body, dict) or "error" not in body:
        return None
    # The vendor's message is not quoted, because it could contain the code of a voucher.
    if reply.status == 403:
        return AccessDenied("the vendor forbids this")
    kind, message = _REFUSALS.get(body["error"], (Rejected, "the vendor refuses this"))
    return kind(message, vendor_code=str(body["error"]))


@attrs.define(kw_only=True)
class AcmePage:
    """A page of the voucher list, with the cursor of the next one."""

    items: list[AcmeVoucher]
    next: str | None


Entries = list[AcmeVoucher | UnreadableEntry]


def read_page(reply: Response) -> tuple[AcmePage, Entries, list[RawObject]]:
    """Return a page, its vouchers, and the vendor's objects. A voucher that is wrong does not end the list."""
    raw: Any = reply.json()
    page, entries = structure_page(_CONVERTER, AcmePage, raw, array="items", what="list")
    return page, entries, raw["items"]


@attrs.define(kw_only=True)
class AcmeMovement:
    """A movement of value, with what is left on the voucher after it."""

    id: str
    voucher: str
    kind: str
    currency: Currency
    amount: Annotated[Decimal, AMOUNT]
    balance: Annotated[Decimal, AMOUNT]
    reference: str | None
    at: datetime


@attrs.define(kw_only=True)
class AcmeMovements:
    """A page of a voucher's movements, with the cursor of the next one."""

    items: list[AcmeMovement]
    next: str | None


def read_movement(reply: Response) -> tuple[AcmeMovement, RawObject]:
    """Return the movement of a reply, and the vendor's object."""
    raw: Any = reply.json()
    return structure(_CONVERTER, AcmeMovement, raw, what="movement"), raw


def read_movements(reply: Response) -> tuple[AcmeMovements, list[RawObject], datetime | None]:
    """Return a page of movements, the vendor's objects, and the vendor's time."""
    raw: Any = reply.json()
    return structure(_CONVERTER, AcmeMovements, raw, what="history"), raw["items"], reply.date
