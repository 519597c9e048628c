"""The capabilities of a file: it is read, and new vouchers are appended."""

from __future__ import annotations

from typing import Final

from voucher_gateway.provider_api import (
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
from voucher_gateway_file.filters import COMMON_FILTERS

PAGE_SIZE: Final = 500


def _no_support(note: str) -> OperationSupport:
    return OperationSupport(support=Support.UNSUPPORTED, note=note)


_NOT_CHANGED: Final = "a file is a record: what was written is not changed"
_NOT_SPENT: Final = "a file is a record: its vouchers cannot be spent"

DECLARED: Final = Capabilities(
    operations={
        Operation.FIND: native(),
        Operation.GET: native(),
        Operation.BALANCE: native(note="the value that was left when the voucher was written"),
        Operation.VOUCHERS: native(note="in the order of the file, with the exact total"),
        Operation.ISSUE: native(repeat=RepeatSafety.NATURAL_KEY, note="appended; the id must be new"),
        Operation.HISTORY: _no_support("a file has vouchers, but not their movements"),
        Operation.PRESENTATION: _no_support("a file does not describe the appearance of a voucher"),
        Operation.UPDATE: _no_support(_NOT_CHANGED),
        Operation.ACTIVATE: _no_support(_NOT_CHANGED),
        Operation.DEACTIVATE: _no_support(_NOT_CHANGED),
        Operation.TOP_UP: _no_support(_NOT_CHANGED),
        Operation.DELETE: _no_support(_NOT_CHANGED),
        Operation.RESERVE: _no_support(_NOT_SPENT),
        Operation.CAPTURE: _no_support(_NOT_SPENT),
        Operation.RELEASE: _no_support(_NOT_SPENT),
        Operation.REDEEM: _no_support(_NOT_SPENT),
        Operation.REFUND: _no_support(_NOT_SPENT),
    },
    codes=CodeRules(choosable=True, readable=True, ids_choosable=True),
    expiry=Expiry.BOTH,
    listing=ListingRules(page_size=PAGE_SIZE, filters=COMMON_FILTERS),
    resolvable=frozenset({Operation.ISSUE}),
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
    can_issue_inactive=True,
    record=True,
)
"""The capabilities of any file. The settings decide whether codes and PINs are written."""
