"""The capabilities of JTL, and the scopes that each call needs."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Final

import attrs

from voucher_gateway.provider_api import (
    AmountRules,
    Capabilities,
    CodeRules,
    Expiry,
    ListingRules,
    Operation,
    OperationSupport,
    RefundLink,
    RepeatSafety,
    ReservationRules,
    Support,
    native,
)
from voucher_gateway_jtl.filters import COMMON_FILTERS, NATIVE_FILTERS

# The scopes that a call needs. Two are in the seed: manage to create, use to reserve. The others follow from the
# descriptions of the scopes.
SCOPES_OF: Final[Mapping[Operation, tuple[str, ...]]] = {
    Operation.FIND: ("read-lists",),
    Operation.GET: ("read",),
    Operation.BALANCE: ("read-lists",),
    Operation.VOUCHERS: ("read-lists",),
    # Movements have no currency, so the voucher is read as well.
    Operation.HISTORY: ("read", "read-lists"),
    Operation.ISSUE: ("manage",),
    Operation.ACTIVATE: ("use",),
    Operation.DEACTIVATE: ("use",),
    Operation.UPDATE: ("update",),
    Operation.TOP_UP: ("recharge",),
    Operation.DELETE: ("manage",),
    Operation.RESERVE: ("use",),
    Operation.CAPTURE: ("use",),
    Operation.REFUND: ("use",),
}

# The call that the resolution rule of an operation makes: movements for money, the voucher for its state, and any list
# for the vendor's clock.
_READ_BY_RULE: Final[Mapping[Operation, Operation]] = {
    Operation.ISSUE: Operation.GET,
    Operation.ACTIVATE: Operation.GET,
    Operation.DEACTIVATE: Operation.GET,
    Operation.UPDATE: Operation.GET,
    Operation.DELETE: Operation.GET,
    Operation.TOP_UP: Operation.HISTORY,
    Operation.RESERVE: Operation.VOUCHERS,
    Operation.CAPTURE: Operation.HISTORY,
    Operation.REFUND: Operation.HISTORY,
}

DECLARED: Final = Capabilities(
    operations={
        Operation.FIND: native(note="by the code filter of the list"),
        Operation.GET: native(),
        Operation.BALANCE: native(),
        Operation.VOUCHERS: native(),
        Operation.HISTORY: native(),
        Operation.PRESENTATION: OperationSupport(
            support=Support.UNSUPPORTED, note="its API does not describe the appearance of a voucher"
        ),
        Operation.ISSUE: native(repeat=RepeatSafety.NATURAL_KEY),
        Operation.ACTIVATE: native(repeat=RepeatSafety.LOOK_UP),
        Operation.DEACTIVATE: native(repeat=RepeatSafety.LOOK_UP),
        Operation.UPDATE: native(repeat=RepeatSafety.LOOK_UP),
        Operation.TOP_UP: native(repeat=RepeatSafety.LOOK_UP),
        Operation.DELETE: native(repeat=RepeatSafety.LOOK_UP),
        Operation.RESERVE: native(repeat=RepeatSafety.NONE, note="it moves no money and expires by itself"),
        Operation.CAPTURE: native(partial=False, repeat=RepeatSafety.LOOK_UP),
        Operation.REFUND: native(partial=True, repeat=RepeatSafety.LOOK_UP),
        Operation.RELEASE: OperationSupport(
            support=Support.UNSUPPORTED,
            emulation="release-by-expiry",
            note="it has no call that releases a reservation; one expires after 30 minutes by itself",
        ),
        Operation.REDEEM: OperationSupport(
            support=Support.UNSUPPORTED,
            emulation="redeem-by-capture",
            note="the gateway makes it of reserve and capture",
        ),
    },
    amounts=AmountRules(decimals=2, maximum=Decimal("99999.99")),
    currency_from="voucher",
    codes=CodeRules(choosable=True, readable=True, max_length=255, ids_choosable=True),
    expiry=Expiry.RELATIVE,
    listing=ListingRules(page_size=100, sortable=True, filters=COMMON_FILTERS, native_filters=NATIVE_FILTERS),
    reservations=ReservationRules(
        at_once=1,
        superseded_by_next=True,
        time_to_live=timedelta(minutes=30),
        partial_capture=False,
        release=False,
    ),
    refund_link=RefundLink.LINKED,
    resolvable=frozenset(_READ_BY_RULE),
    max_reference_length=64,
    stored_fields=frozenset(
        {
            "id",
            "code",
            "pin",
            "active",
            "medium",
            "validity",
            "taxable",
            "tax_rate",
            "sku",
            "batch",
            "order",
            "metadata",
        }
    ),
    # Seed: 30 for the batch, 255 for other texts. No limit is documented for the order number and the tax rate;
    # `voucher_gateway_jtl.request_bodies` limits them to 255 as well.
    max_text_lengths={"batch": 30, "pin": 255, "sku": 255, "tax_rate": 255, "order": 255},
    # Seed: a new voucher is inactive in general, and a request can set its status.
    can_issue_inactive=True,
    # Not documented, but likely, as the vendor computes the end on activation.
    restarts_validity=True,
    requests_per_operation={Operation.GET: 2},  # the voucher, and its complete view with the secrets
)
"""The capabilities of a login with every scope."""


@functools.cache
def narrow_by_scopes(scopes: frozenset[str] | None) -> Capabilities:
    """Return the capabilities of a login with these scopes. None means that the scopes are not known."""
    if scopes is None:
        return DECLARED
    denied = {
        operation: OperationSupport(support=Support.DENIED, note=f"this login lacks the scope {scope}")
        for operation, needed in SCOPES_OF.items()
        for scope in needed
        if scope not in scopes
    }
    codes = attrs.evolve(DECLARED.codes, readable="read-secrets" in scopes)
    resolves = frozenset(operation for operation, read in _READ_BY_RULE.items() if read not in denied)
    return attrs.evolve(DECLARED.with_support(denied), codes=codes, resolvable=resolves)
