"""The capabilities of the ticketing vendor: it creates, changes and shows vouchers. Its ticket checkouts spend them."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Final

from voucher_gateway.provider_api import (
    AmountRules,
    Capabilities,
    CodeRules,
    Expiry,
    ListingRules,
    Operation,
    OperationSupport,
    RepeatSafety,
    Support,
    native,
)
from voucher_gateway_ticketing.filters import COMMON_FILTERS, NATIVE_FILTERS
from voucher_gateway_ticketing.settings import MAX_PAGE_SIZE

MIN_CODE_LENGTH: Final = 4
"""The minimum length of a code (vendor page)."""
FORBIDDEN_IN_CODES: Final = ";"
"""The character that a code must not have (vendor page)."""

MAX_AMOUNT: Final = Decimal(99_999_999_999)
"""Our limit for requests. The vendor documents none, but its amounts are binary floats (seed), which are exact to 15
digits. Eleven before the point leave four for the decimals of any currency."""


def _no_support(note: str, emulation: str | None = None) -> OperationSupport:
    return OperationSupport(support=Support.UNSUPPORTED, emulation=emulation, note=note)


_CHECKOUT_ONLY: Final = "a voucher is spent in the vendor's ticket checkouts only"
_NO_STATUS: Final = "a voucher is spendable from its creation until it expires"

DECLARED: Final = Capabilities(
    operations={
        Operation.FIND: native(note="by the code filter of the list"),
        Operation.GET: native(note="it does not show what is left; balance does"),
        Operation.BALANCE: native(),
        Operation.VOUCHERS: native(note="the order is not documented and cannot be chosen"),
        Operation.HISTORY: native(note="the ticket checkouts; changes of the value are not recorded"),
        Operation.PRESENTATION: native(note="for printing; public for whoever has the id and the code"),
        Operation.ISSUE: native(repeat=RepeatSafety.LOOK_UP, note="look the code up before a repeat"),
        Operation.UPDATE: native(
            repeat=RepeatSafety.LOOK_UP, note="the expiry only; the value is sent back as it was read"
        ),
        Operation.ACTIVATE: _no_support(_NO_STATUS),
        Operation.DEACTIVATE: _no_support(_NO_STATUS),
        Operation.TOP_UP: _no_support("the value can only be overwritten", "top-up-by-update"),
        Operation.DELETE: _no_support("a voucher cannot be deleted"),
        Operation.RESERVE: _no_support(_CHECKOUT_ONLY),
        Operation.CAPTURE: _no_support(_CHECKOUT_ONLY),
        Operation.RELEASE: _no_support(_CHECKOUT_ONLY),
        Operation.REDEEM: _no_support(_CHECKOUT_ONLY, "redeem-by-update"),
        Operation.REFUND: _no_support(_CHECKOUT_ONLY, "refund-by-update"),
    },
    amounts=AmountRules(maximum=MAX_AMOUNT),
    currency_from="account",
    codes=CodeRules(choosable=True, readable=True, min_length=MIN_CODE_LENGTH, forbidden=FORBIDDEN_IN_CODES),
    expiry=Expiry.ABSOLUTE,
    listing=ListingRules(
        page_size=100, max_page_size=MAX_PAGE_SIZE, filters=COMMON_FILTERS, native_filters=NATIVE_FILTERS
    ),
    can_overwrite_value=True,
    resolvable=frozenset({Operation.ISSUE, Operation.UPDATE, Operation.REDEEM, Operation.REFUND, Operation.TOP_UP}),
    stored_fields=frozenset({"code"}),
    expiry_resolution=timedelta(milliseconds=1),  # seed: instants have milliseconds
    # An update reads the amount twice, sends it back and reads it again. A redeem by update finds the voucher, reads it
    # under the lock, overwrites it and reads it again. Reading a value by id takes two requests.
    requests_per_operation={Operation.PRESENTATION: 2, Operation.UPDATE: 4, Operation.REDEEM: 6},
    get_returns_balance=False,
)
"""The capabilities of a seller's key."""
