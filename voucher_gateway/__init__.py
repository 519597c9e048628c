"""One exact, safe interface to every vendor of stored-value vouchers.

    from voucher_gateway import Gateway, Money

    gateway = Gateway.from_config("voucher-gateway.toml")
    gateway.redeem("shop", code, Money("10.53", "EUR"), reference="1001-a", order="1001")

The names here are loaded when they are first used, so that importing the package costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from voucher_gateway.capabilities import (
        AmountRules,
        Capabilities,
        Checkup,
        CodeRules,
        Expiry,
        ListingRules,
        Operation,
        OperationSupport,
        RepeatSafety,
        ReservationRules,
        Support,
    )
    from voucher_gateway.config import Config
    from voucher_gateway.errors import (
        AccessDenied,
        AlreadyCaptured,
        AlreadyRefunded,
        AmountOutOfRange,
        AmountPrecisionError,
        AuthenticationFailed,
        ConcurrentModification,
        ConfigurationError,
        CurrencyMismatch,
        DatabaseUnavailable,
        Declined,
        DuplicateCode,
        FieldError,
        InsufficientValue,
        IntegrityMismatch,
        InvalidRequest,
        MalformedResponse,
        MissingScope,
        NotExecuted,
        OperationInProgress,
        OutcomeUnknown,
        ProviderUnavailable,
        RateLimited,
        ReferenceConflict,
        Rejected,
        ReservationExpired,
        ReservationReleased,
        ReservationSuperseded,
        Ticket,
        UnsupportedOperation,
        VoucherExpired,
        VoucherGatewayError,
        VoucherHeld,
        VoucherInactive,
        VoucherNotFound,
        WrongPin,
    )
    from voucher_gateway.gateway import Account, Gateway, Lookup
    from voucher_gateway.journal import Entry, Journal, Key, Moved, State
    from voucher_gateway.masking import Code, Pin, Secret
    from voucher_gateway.model import (
        KEEP,
        Balance,
        Deletion,
        History,
        Interval,
        Medium,
        Movement,
        MovementKind,
        NewVoucher,
        Redemption,
        Refund,
        Release,
        Reservation,
        Status,
        TopUp,
        Validity,
        Voucher,
        VoucherChanges,
        VoucherQuery,
    )
    from voucher_gateway.money import Money
    from voucher_gateway.outcome import Effect, Intent, Outcome
    from voucher_gateway.paging import Listing, ListingReport
    from voucher_gateway.provider import VoucherProvider
    from voucher_gateway.recovery import Resolution

__all__ = [
    "KEEP",
    "AccessDenied",
    "Account",
    "AlreadyCaptured",
    "AlreadyRefunded",
    "AmountOutOfRange",
    "AmountPrecisionError",
    "AmountRules",
    "AuthenticationFailed",
    "Balance",
    "Capabilities",
    "Checkup",
    "Code",
    "CodeRules",
    "ConcurrentModification",
    "Config",
    "ConfigurationError",
    "CurrencyMismatch",
    "DatabaseUnavailable",
    "Declined",
    "Deletion",
    "DuplicateCode",
    "Effect",
    "Entry",
    "Expiry",
    "FieldError",
    "Gateway",
    "History",
    "InsufficientValue",
    "IntegrityMismatch",
    "Intent",
    "Interval",
    "InvalidRequest",
    "Journal",
    "Key",
    "Listing",
    "ListingReport",
    "ListingRules",
    "Lookup",
    "MalformedResponse",
    "Medium",
    "MissingScope",
    "Money",
    "Moved",
    "Movement",
    "MovementKind",
    "NewVoucher",
    "NotExecuted",
    "Operation",
    "OperationInProgress",
    "OperationSupport",
    "Outcome",
    "OutcomeUnknown",
    "Pin",
    "ProviderUnavailable",
    "RateLimited",
    "Redemption",
    "ReferenceConflict",
    "Refund",
    "Rejected",
    "Release",
    "RepeatSafety",
    "Reservation",
    "ReservationExpired",
    "ReservationReleased",
    "ReservationRules",
    "ReservationSuperseded",
    "Resolution",
    "Secret",
    "State",
    "Status",
    "Support",
    "Ticket",
    "TopUp",
    "UnsupportedOperation",
    "Validity",
    "Voucher",
    "VoucherChanges",
    "VoucherExpired",
    "VoucherGatewayError",
    "VoucherHeld",
    "VoucherInactive",
    "VoucherNotFound",
    "VoucherProvider",
    "VoucherQuery",
    "WrongPin",
]

_HOMES = {
    "capabilities": [
        "AmountRules",
        "Capabilities",
        "Checkup",
        "CodeRules",
        "Expiry",
        "ListingRules",
        "Operation",
        "OperationSupport",
        "RepeatSafety",
        "ReservationRules",
        "Support",
    ],
    "config": [
        "Config",
    ],
    "errors": [
        "AccessDenied",
        "AlreadyCaptured",
        "AlreadyRefunded",
        "AmountOutOfRange",
        "AmountPrecisionError",
        "AuthenticationFailed",
        "ConcurrentModification",
        "ConfigurationError",
        "CurrencyMismatch",
        "DatabaseUnavailable",
        "Declined",
        "DuplicateCode",
        "FieldError",
        "InsufficientValue",
        "IntegrityMismatch",
        "InvalidRequest",
        "MalformedResponse",
        "MissingScope",
        "NotExecuted",
        "OperationInProgress",
        "OutcomeUnknown",
        "ProviderUnavailable",
        "RateLimited",
        "ReferenceConflict",
        "Rejected",
        "ReservationExpired",
        "ReservationReleased",
        "ReservationSuperseded",
        "Ticket",
        "UnsupportedOperation",
        "VoucherExpired",
        "VoucherGatewayError",
        "VoucherHeld",
        "VoucherInactive",
        "VoucherNotFound",
        "WrongPin",
    ],
    "gateway": [
        "Account",
        "Gateway",
        "Lookup",
    ],
    "journal": [
        "Entry",
        "Journal",
        "Key",
        "Moved",
        "State",
    ],
    "masking": [
        "Code",
        "Pin",
        "Secret",
    ],
    "model": [
        "KEEP",
        "Balance",
        "Deletion",
        "History",
        "Interval",
        "Medium",
        "Movement",
        "MovementKind",
        "NewVoucher",
        "Redemption",
        "Refund",
        "Release",
        "Reservation",
        "Status",
        "TopUp",
        "Validity",
        "Voucher",
        "VoucherChanges",
        "VoucherQuery",
    ],
    "money": [
        "Money",
    ],
    "outcome": [
        "Effect",
        "Intent",
        "Outcome",
    ],
    "paging": [
        "Listing",
        "ListingReport",
    ],
    "provider": [
        "VoucherProvider",
    ],
    "recovery": [
        "Resolution",
    ],
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
