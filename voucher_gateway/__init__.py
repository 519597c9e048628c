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
    from voucher_gateway.capabilities import Capabilities, Operation, OperationSupport, Support
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
        Declined,
        DuplicateCode,
        FieldError,
        InsufficientValue,
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
        ReservationSuperseded,
        Ticket,
        UnsupportedOperation,
        VoucherExpired,
        VoucherGatewayError,
        VoucherInactive,
        VoucherNotFound,
        WrongPin,
    )
    from voucher_gateway.gateway import Account, Gateway, Lookup
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

__all__ = [
    "KEEP",
    "AccessDenied",
    "Account",
    "AlreadyCaptured",
    "AlreadyRefunded",
    "AmountOutOfRange",
    "AmountPrecisionError",
    "AuthenticationFailed",
    "Balance",
    "Capabilities",
    "Code",
    "ConcurrentModification",
    "ConfigurationError",
    "CurrencyMismatch",
    "Declined",
    "Deletion",
    "DuplicateCode",
    "Effect",
    "FieldError",
    "Gateway",
    "History",
    "InsufficientValue",
    "Intent",
    "Interval",
    "InvalidRequest",
    "Listing",
    "ListingReport",
    "Lookup",
    "MalformedResponse",
    "Medium",
    "MissingScope",
    "Money",
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
    "Reservation",
    "ReservationExpired",
    "ReservationSuperseded",
    "Secret",
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
    "VoucherInactive",
    "VoucherNotFound",
    "VoucherProvider",
    "VoucherQuery",
    "WrongPin",
]

_HOMES = {
    "capabilities": [
        "Capabilities",
        "Operation",
        "OperationSupport",
        "Support",
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
        "Declined",
        "DuplicateCode",
        "FieldError",
        "InsufficientValue",
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
        "ReservationSuperseded",
        "Ticket",
        "UnsupportedOperation",
        "VoucherExpired",
        "VoucherGatewayError",
        "VoucherInactive",
        "VoucherNotFound",
        "WrongPin",
    ],
    "gateway": [
        "Account",
        "Gateway",
        "Lookup",
    ],
    "masking": [
        "Code",
        "Pin",
        "Secret",
    ],
    "model": [
        "Balance",
        "Deletion",
        "History",
        "Interval",
        "KEEP",
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
