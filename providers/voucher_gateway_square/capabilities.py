"""The capabilities of Square's gift cards."""

from __future__ import annotations

import string
from datetime import timedelta
from decimal import Decimal
from typing import Final

from voucher_gateway.provider_api import (
    AmountRules,
    Capabilities,
    CodeRules,
    Expiry,
    KeyRules,
    KeyScope,
    ListingRules,
    Operation,
    OperationSupport,
    OptionRule,
    OptionType,
    RepeatSafety,
    Support,
    native,
)
from voucher_gateway_square.filters import NATIVE_FILTERS
from voucher_gateway_square.settings import MAX_INSTRUMENT_LENGTH, MAX_PAGE_SIZE

KEYS: Final = KeyRules(scope=KeyScope.PATH, max_length=128, lifetime=timedelta(days=1))
"""The vendor says neither how long it remembers a key nor whether it repeats refusals: a day, and no refusal."""


_SALES: Final = frozenset({Operation.ISSUE, Operation.TOP_UP})
_ACTIVATION: Final = "the value comes with the activation, so `issue` does both"

DECLARED: Final = Capabilities(
    operations={
        Operation.FIND: native(),
        Operation.GET: native(),
        Operation.BALANCE: native(),
        Operation.VOUCHERS: native(note="oldest first; the face value is not shown"),
        Operation.HISTORY: native(),
        Operation.ISSUE: native(repeat=RepeatSafety.VENDOR_KEY, note="two requests: the card, and its activation"),
        Operation.TOP_UP: native(repeat=RepeatSafety.VENDOR_KEY),
        Operation.REDEEM: native(repeat=RepeatSafety.VENDOR_KEY, note="two requests: the card, and the redemption"),
        Operation.REFUND: native(partial=True, repeat=RepeatSafety.VENDOR_KEY),
        Operation.DEACTIVATE: native(repeat=RepeatSafety.VENDOR_KEY, note="for ever"),
        Operation.ACTIVATE: OperationSupport(support=Support.UNSUPPORTED, note=_ACTIVATION),
    },
    amounts=AmountRules(minimum=Decimal("0.001")),
    issues_in_account_currency=True,
    codes=CodeRules(
        choosable=True, readable=True, min_length=8, max_length=20, alphabet=string.ascii_letters + string.digits
    ),
    expiry=Expiry.NONE,
    listing=ListingRules(
        page_size=MAX_PAGE_SIZE,
        max_page_size=MAX_PAGE_SIZE,
        filters=frozenset({"status"}),
        native_filters=frozenset(NATIVE_FILTERS),
    ),
    keys=KEYS,
    options=(
        OptionRule(
            name="location",
            operations=_SALES | {Operation.REDEEM, Operation.REFUND, Operation.DEACTIVATE},
            help="the id of the location, in place of location_id of the account",
        ),
        OptionRule(
            name="payment_instruments",
            operations=_SALES,
            type=OptionType.ARRAY,
            max_length=MAX_INSTRUMENT_LENGTH,
            help="how the buyer pays, such as ids of bank cards; the vendor limits what one may buy in a day",
        ),
    ),
    shows_initial=False,
    resolvable=frozenset({Operation.ISSUE, Operation.TOP_UP, Operation.REDEEM, Operation.REFUND, Operation.DEACTIVATE}),
    stored_fields=frozenset({"code", "medium"}),
    requests_per_operation={Operation.ISSUE: 2, Operation.REDEEM: 2, Operation.DEACTIVATE: 2, Operation.HISTORY: 2},
)
"""The capabilities of an access token with both rights."""
