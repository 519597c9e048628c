"""The capabilities of an account at pretix."""

from __future__ import annotations

from string import ascii_letters, digits
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
    RefundLink,
    RepeatSafety,
    native,
)
from voucher_gateway_pretix.settings import MAX_PAGE_SIZE
from voucher_gateway_pretix.wire import LARGEST

NATIVE_FILTERS: Final = {"testmode": ("true", "false"), "expired": ("true", "false")}
"""The vendor's own filters, and their values."""

KEYS: Final = KeyRules(
    scope=KeyScope.TOKEN,
    max_length=190,
    kept_refusals=frozenset({400, 403, 404, 405}),
    forgotten_after=frozenset({500, 503}),
)
"""The idempotency keys. They live 24 hours, and then until the next cleaning (witness)."""

DECLARED: Final = Capabilities(
    operations={
        Operation.FIND: native(note="without the face value, which `history` shows"),
        Operation.GET: native(note="without the face value, which `history` shows"),
        Operation.BALANCE: native(),
        Operation.VOUCHERS: native(note="oldest first"),
        Operation.HISTORY: native(note="the first transaction is the issue"),
        Operation.ISSUE: native(repeat=RepeatSafety.NATURAL_KEY, note="a code exists once at an issuer"),
        Operation.UPDATE: native(repeat=RepeatSafety.LOOK_UP, note="the end of validity"),
        Operation.TOP_UP: native(repeat=RepeatSafety.VENDOR_KEY),
        Operation.REDEEM: native(repeat=RepeatSafety.VENDOR_KEY, note="expired and test cards are refused here"),
        Operation.REFUND: native(
            partial=True,
            repeat=RepeatSafety.VENDOR_KEY,
            note="the vendor links it to nothing; its `info` names the redemption",
        ),
    },
    amounts=AmountRules(decimals=2, maximum=LARGEST),
    codes=CodeRules(
        choosable=True,
        readable=True,
        min_length=2,
        max_length=190,
        alphabet=f"{ascii_letters}{digits}.-",
        pattern="[a-zA-Z0-9].*",  # vendor page; blanks around a code would be cut without an error (witness)
        example="GALA-2030.1",
    ),
    expiry=Expiry.ABSOLUTE,
    listing=ListingRules(
        page_size=MAX_PAGE_SIZE,
        max_page_size=MAX_PAGE_SIZE,
        filters=frozenset({"code"}),
        native_filters=frozenset(NATIVE_FILTERS),
    ),
    keys=KEYS,
    refund_link=RefundLink.UNLINKED,
    shows_initial=False,
    resolvable=frozenset({Operation.ISSUE, Operation.UPDATE, Operation.TOP_UP, Operation.REDEEM, Operation.REFUND}),
    stored_fields=frozenset({"code"}),
    requests_per_operation={
        Operation.HISTORY: 2,
        Operation.TOP_UP: 2,
        Operation.REDEEM: 2,
        Operation.REFUND: 3,
    },
)
"""The calls that move value have an idempotency key. A code exists once, and an end of validity is written again."""
