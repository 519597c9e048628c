"""Every error of this library, arranged by what the caller must do.

::

    VoucherGatewayError
    ├── ConfigurationError          correct the configuration
    ├── UnsupportedOperation        this vendor cannot do it; ask `capabilities` first
    ├── InvalidRequest              correct the call (`field` and `rule` say what); nothing was sent
    ├── Declined                    the vendor refused; nothing moved
    ├── AccessDenied                correct the credentials or the rights of the login; nothing moved
    ├── NotExecuted                 certainly not done; the same call may be made again
    ├── TooManyChecks               too many codes were tried: wait until `retry_at`
    ├── OutcomeUnknown              may have happened: keep the `ticket` and resolve it, never simply repeat
    │   └── OutcomePending          the vendor has accepted it and will complete or cancel it later
    ├── MalformedResponse           the vendor's answer to a read breaks its contract
    │   └── MalformedFile           a file of vouchers has mistakes; correct the file
    ├── PartlyRedeemed              less than the amount was taken: accept it or refund it
    ├── PaymentShort                a leg of a payment is lost: capture the rest by other means, or cancel
    ├── PaymentConflict             the payment has another total, or its state does not allow the call
    ├── SaleConflict                the state of the sale does not allow the call
    ├── ReferenceConflict           the reference was already used for another call
    ├── OperationInProgress         another worker runs this call, or an unknown operation must be resolved first
    └── ConcurrentModification      another party changed the voucher at the same time; a person must decide

The more exact errors stand below their base class. ``except OutcomeUnknown`` catches everything that may have run
without our knowledge. No error carries a payload, a code, a PIN or a secret, and neither do the local variables of its
frames. Every error survives pickling.
"""

from __future__ import annotations

# In the order of the drawing above, which the documentation repeats.
# isort: off
from voucher_gateway.errors.base import OutcomeName, VoucherGatewayError, unpickle_error
from voucher_gateway.errors.request import (
    AmountOutOfRange,
    AmountPrecisionError,
    ConfigurationError,
    InvalidRequest,
    UnsupportedOperation,
)
from voucher_gateway.errors.declined import (
    AlreadyCaptured,
    AlreadyRefunded,
    CurrencyMismatch,
    Declined,
    DuplicateCode,
    FieldError,
    InsufficientValue,
    PaymentDeclined,
    Rejected,
    ReservationExpired,
    ReservationReleased,
    ReservationSuperseded,
    VoucherExpired,
    VoucherHeld,
    VoucherInactive,
    VoucherMoved,
    VoucherNotFound,
    WrongPin,
)
from voucher_gateway.errors.access import AccessDenied, AuthenticationFailed, MissingScope
from voucher_gateway.errors.not_executed import (
    AccountPaused,
    AccountsUnavailable,
    DatabaseUnavailable,
    NotExecuted,
    ProviderUnavailable,
    RateLimited,
    TooManyChecks,
)
from voucher_gateway.errors.ticket import Ticket, encode_ticket
from voucher_gateway.errors.unknown import ConcurrentModification, OutcomePending, OutcomeUnknown
from voucher_gateway.errors.malformed import IntegrityMismatch, MalformedFile, MalformedResponse
from voucher_gateway.errors.partial import PartlyRedeemed, PaymentShort
from voucher_gateway.errors.conflict import (
    OperationInProgress,
    PaymentConflict,
    ReferenceConflict,
    ReferencePruned,
    SaleConflict,
)
# isort: on

__all__ = [
    "AccessDenied",
    "AccountPaused",
    "AccountsUnavailable",
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
    "MalformedFile",
    "MalformedResponse",
    "MissingScope",
    "NotExecuted",
    "OperationInProgress",
    "OutcomeName",
    "OutcomePending",
    "OutcomeUnknown",
    "PartlyRedeemed",
    "PaymentConflict",
    "PaymentDeclined",
    "PaymentShort",
    "ProviderUnavailable",
    "RateLimited",
    "ReferenceConflict",
    "ReferencePruned",
    "Rejected",
    "ReservationExpired",
    "ReservationReleased",
    "ReservationSuperseded",
    "SaleConflict",
    "Ticket",
    "TooManyChecks",
    "UnsupportedOperation",
    "VoucherExpired",
    "VoucherGatewayError",
    "VoucherHeld",
    "VoucherInactive",
    "VoucherMoved",
    "VoucherNotFound",
    "WrongPin",
    "encode_ticket",
    "unpickle_error",
]

for _value in list(globals().values()):  # tracebacks and pickles name the path that programs import
    if _value is unpickle_error or (isinstance(_value, type) and issubclass(_value, VoucherGatewayError)):
        _value.__module__ = __name__
