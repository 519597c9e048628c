"""The vendor's JSON, field by field as the vendor names it. Nothing in it is coerced or taken for granted."""

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
"""How the vendor writes amounts: 1053 for 10.53 EUR. Other vendors: DecimalText, JsonNumber, FixedScale."""

_CONVERTER: Final = strict_converter()


@attrs.define(kw_only=True)
class AcmeVoucher:
    """A voucher. A field without a default must be there, and only ``| None`` lets it be null."""

    id: str
    code: Code
    status: str
    currency: Currency
    initial: Annotated[Decimal, AMOUNT]
    balance: Annotated[Decimal, AMOUNT]
    valid_until: datetime | None = None


configure(_CONVERTER, AcmeVoucher, **rename_to_camel(AcmeVoucher))


def read_voucher(reply: Response) -> tuple[AcmeVoucher, RawObject]:
    """Read a voucher, and keep the vendor's own object beside it."""
    raw: Any = reply.json()
    return structure(_CONVERTER, AcmeVoucher, raw, what="voucher"), raw


def explain(reply: Response) -> VoucherGatewayError | None:
    """Return the error that a refusal stands for; None if the body is not in the vendor's own shape."""
    try:
        body = reply.json()
    except MalformedResponse:
        return None
    if not isinstance(body, dict) or "error" not in body:
        return None
    # The vendor's own words are not quoted: they could repeat a voucher's code.
    return AccessDenied("the vendor forbids this") if reply.status == 403 else Rejected("the vendor refuses this")
