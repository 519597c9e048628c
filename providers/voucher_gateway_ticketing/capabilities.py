"""What the ticketing vendor can do: make, change and show vouchers. They are spent in its own ticket checkouts."""

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
from voucher_gateway_ticketing.settings import LARGEST_PAGE

SHORTEST_CODE: Final = 4
"""The fewest characters of a code (vendor page)."""
FORBIDDEN_IN_CODES: Final = ";"
"""The one character that a code must not have (vendor page)."""

LARGEST_AMOUNT: Final = Decimal(99_999_999_999)
"""Ours, for sending: the vendor states no limit, but its amounts are binary floats (seed), which carry 15 digits, and
eleven before the point leave room for the decimals of every currency."""


def _lacking(note: str, emulation: str | None = None) -> OperationSupport:
    return OperationSupport(support=Support.UNSUPPORTED, emulation=emulation, note=note)


_CHECKOUT_ONLY: Final = "a voucher is spent in the vendor's own ticket checkout only"
_NO_STATUS: Final = "a voucher can be spent as soon as it is there, until it expires"

DECLARED: Final = Capabilities(
    operations={
        Operation.FIND: native(note="by the code filter of the list"),
        Operation.GET: native(note="the vendor does not say what is left; balance does"),
        Operation.BALANCE: native(),
        Operation.VOUCHERS: native(note="in an order that is not documented and cannot be asked for"),
        Operation.HISTORY: native(note="what was taken in ticket checkouts; changes of the value leave no trace"),
        Operation.PRESENTATION: native(note="for printing; anybody who has the id and the code can see it"),
        Operation.ISSUE: native(repeat=RepeatSafety.LOOK_UP, note="look for the code before a repeat"),
        Operation.UPDATE: native(repeat=RepeatSafety.LOOK_UP, note="the expiry alone; the value is sent back as read"),
        Operation.ACTIVATE: _lacking(_NO_STATUS),
        Operation.DEACTIVATE: _lacking(_NO_STATUS),
        Operation.TOP_UP: _lacking("the value can only be overwritten", "top-up-by-update"),
        Operation.DELETE: _lacking("vouchers stay for ever"),
        Operation.RESERVE: _lacking(_CHECKOUT_ONLY),
        Operation.CAPTURE: _lacking(_CHECKOUT_ONLY),
        Operation.RELEASE: _lacking(_CHECKOUT_ONLY),
        Operation.REDEEM: _lacking(_CHECKOUT_ONLY, "redeem-by-update"),
        Operation.REFUND: _lacking(_CHECKOUT_ONLY, "refund-by-update"),
    },
    amounts=AmountRules(maximum=LARGEST_AMOUNT),
    currency_from="account",
    codes=CodeRules(choosable=True, readable=True, min_length=SHORTEST_CODE, forbidden=FORBIDDEN_IN_CODES),
    expiry=Expiry.ABSOLUTE,
    listing=ListingRules(
        page_size=100, max_page_size=LARGEST_PAGE, filters=COMMON_FILTERS, native_filters=NATIVE_FILTERS
    ),
    can_overwrite_value=True,
    resolvable=frozenset({Operation.ISSUE, Operation.UPDATE, Operation.REDEEM, Operation.REFUND, Operation.TOP_UP}),
    stored_fields=frozenset({"code"}),
    expiry_resolution=timedelta(milliseconds=1),  # seed: instants have milliseconds
    # An update reads the amount twice, sends it back and reads it again. Redeeming by update finds the voucher, reads
    # it under the lock, overwrites it and reads it again; a reading of a value by id takes two requests.
    requests_per_operation={Operation.PRESENTATION: 2, Operation.UPDATE: 4, Operation.REDEEM: 6},
    get_returns_balance=False,
)
"""What a seller's key can do at the most."""
