"""The capabilities of the shop's own vouchers: every operation except for presentation."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Final

import attrs

from voucher_gateway.provider_api import (
    AmountRules,
    Capabilities,
    CodeRules,
    Expiry,
    KeyRules,
    ListingRules,
    Operation,
    OperationSupport,
    RefundLink,
    RepeatSafety,
    ReservationRules,
    Support,
    native,
)
from voucher_gateway_local.settings import LONGEST_TEXT, LocalSettings

COMMON_FILTERS: Final = frozenset(
    {
        "code",
        "status",
        "created_from",
        "created_to",
        "valid_until_from",
        "valid_until_to",
        "sku",
        "batch",
        "has_value",
    }
)
NATIVE_FILTERS: Final = frozenset({"order"})
"""`order` selects the vouchers that were sold with an order."""

LARGEST_AMOUNT: Final = Decimal(9999999999999)
"""In major units, so that the minor units of every currency (four decimals at most) stay below `LARGEST_MINOR`."""

_LONGEST_REFERENCE: Final = 200
_CHANGES: Final = frozenset(operation for operation in Operation if operation.changes)
_PARTIAL: Final = frozenset({Operation.CAPTURE, Operation.REFUND})

_NO_PRESENTATION: Final = OperationSupport(support=Support.UNSUPPORTED, note="the shop designs its own vouchers")

DECLARED: Final = Capabilities(
    operations={
        operation: _NO_PRESENTATION
        if operation is Operation.PRESENTATION
        else native(
            partial=True if operation in _PARTIAL else None,
            repeat=RepeatSafety.VENDOR_KEY if operation.changes else None,
            note="only without a movement" if operation is Operation.DELETE else "",
        )
        for operation in Operation
    },
    amounts=AmountRules(maximum=LARGEST_AMOUNT),
    currency_from="voucher",
    codes=CodeRules(choosable=True, readable=True, max_length=LONGEST_TEXT, ids_choosable=True),
    expiry=Expiry.BOTH,
    listing=ListingRules(
        page_size=500, max_page_size=10_000, sortable=True, filters=COMMON_FILTERS, native_filters=NATIVE_FILTERS
    ),
    reservations=ReservationRules(
        at_once=None,
        superseded_by_next=False,
        time_to_live=timedelta(minutes=30),
        partial_capture=True,
        release=True,
    ),
    refund_link=RefundLink.LINKED,
    keys=KeyRules(max_length=_LONGEST_REFERENCE, lifetime=None),
    resolvable=_CHANGES,
    max_reference_length=_LONGEST_REFERENCE,
    stored_fields=frozenset(
        {"id", "code", "pin", "active", "medium", "taxable", "tax_rate", "sku", "batch", "order", "metadata"}
    ),
    max_text_lengths=dict.fromkeys(("id", "code", "pin", "tax_rate", "sku", "batch", "order"), LONGEST_TEXT),
    can_issue_inactive=True,
)
"""The capabilities with the default settings."""


def capabilities_of(settings: LocalSettings) -> Capabilities:
    """Return the capabilities of an account with these settings."""
    assert DECLARED.reservations is not None
    time_to_live = timedelta(minutes=settings.reservation_minutes)
    return attrs.evolve(
        DECLARED,
        reservations=attrs.evolve(DECLARED.reservations, time_to_live=time_to_live),
        listing=attrs.evolve(DECLARED.listing, page_size=settings.page_size),
    )
