"""What a file can do: be read, and get more vouchers at its end."""

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


def _lacking(note: str) -> OperationSupport:
    return OperationSupport(support=Support.UNSUPPORTED, note=note)


_RECORD: Final = "a file is a record: what was written stays as it is, and a change would take a rewriting of the file"
_NOWHERE: Final = "a file is a record: nobody can spend a voucher there, so it has nothing to set aside or give back"

DECLARED: Final = Capabilities(
    operations={
        Operation.FIND: native(),
        Operation.GET: native(),
        Operation.BALANCE: native(note="what was left when the voucher was written"),
        Operation.VOUCHERS: native(note="in the order of the file, and with its true number"),
        Operation.ISSUE: native(repeat=RepeatSafety.NATURAL_KEY, note="at the end; an id is there once"),
        Operation.HISTORY: _lacking("it holds vouchers, and not what happened to them"),
        Operation.PRESENTATION: _lacking("it says nothing of how a voucher is to look"),
        Operation.UPDATE: _lacking(_RECORD),
        Operation.ACTIVATE: _lacking(_RECORD),
        Operation.DEACTIVATE: _lacking(_RECORD),
        Operation.TOP_UP: _lacking(_RECORD),
        Operation.DELETE: _lacking(_RECORD),
        Operation.RESERVE: _lacking(_NOWHERE),
        Operation.CAPTURE: _lacking(_NOWHERE),
        Operation.RELEASE: _lacking(_NOWHERE),
        Operation.REDEEM: _lacking(_NOWHERE),
        Operation.REFUND: _lacking(_NOWHERE),
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
"""The most that a file can do. What is written of codes and PINs depends on the settings."""
