"""The vendor's JSON, field by field. No value is coerced, and a missing field is an error."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Final

import attrs
from voucher_gateway.provider_api import (
    AccessDenied,
    Code,
    Currency,
    MalformedResponse,
    MinorUnits,
    RawObject,
    Rejected,
    Response,
    VoucherGatewayError,
    configure,
    rename_to_camel,
    strict_converter,
    structure,
)

AMOUNT: Final = MinorUnits()
"""The vendor's format of amounts: 1053 for 10.53 EUR. Other formats: DecimalText, JsonNumber, FixedScale."""

_CONVERTER: Final = strict_converter()


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
    try:
        body = reply.json()
    except MalformedResponse:
        return None
    if not isinstance(body, dict) or "error" not in body:
        return None
    # The vendor's message is not quoted, because it could contain the code of a voucher.
    return AccessDenied("the vendor forbids this") if reply.status == 403 else Rejected("the vendor refuses this")
