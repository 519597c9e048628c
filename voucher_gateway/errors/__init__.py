"""Every error of this library, arranged by what the caller must do.

::

    VoucherGatewayError
    ├── ConfigurationError          mend the configuration
    ├── UnsupportedOperation        this vendor cannot do it; ask `capabilities` first
    ├── InvalidRequest              mend the call (`field` and `rule` say what); nothing was sent
    │   ├── AmountPrecisionError    more decimals than the currency, or the vendor, has
    │   └── AmountOutOfRange        more or less than the vendor takes
    ├── Declined                    the vendor said no; nothing moved
    │   ├── VoucherNotFound
    │   ├── VoucherInactive
    │   ├── VoucherExpired
    │   ├── InsufficientValue
    │   ├── CurrencyMismatch
    │   ├── WrongPin
    │   ├── ReservationExpired
    │   ├── ReservationSuperseded
    │   ├── ReservationReleased
    │   ├── VoucherHeld             a reservation of ours for another order stands on it
    │   ├── VoucherMoved            it is at another account now: `Gateway.moved` says where
    │   ├── AlreadyCaptured
    │   ├── AlreadyRefunded
    │   ├── DuplicateCode
    │   └── Rejected                no documented reason: `vendor_code` and `fields` are the vendor's own
    ├── AccessDenied                mend the credentials or the rights of the login; nothing moved
    │   ├── AuthenticationFailed
    │   └── MissingScope
    ├── NotExecuted                 surely not done; the same call may be made again
    │   ├── ProviderUnavailable
    │   ├── DatabaseUnavailable     the journal could not be written, so nothing was sent
    │   └── RateLimited             `retry_after` says when
    ├── OutcomeUnknown              may have happened: keep the `ticket` and resolve it, never simply repeat
    ├── MalformedResponse           a read whose answer breaks the vendor's contract
    │   └── IntegrityMismatch       the vendor's answer tells of another amount or voucher
    ├── ReferenceConflict           this reference stands for another call already
    ├── OperationInProgress         another worker is on this very call, or an operation in doubt must be settled first
    └── ConcurrentModification      somebody else changed the voucher meanwhile; a person must look

``except OutcomeUnknown`` catches everything that may have run without our knowing. No error carries a payload, a
code, a PIN or a secret, neither do the local variables of its frames, and every error survives pickling.
"""

from voucher_gateway.errors.frames import call_without_frames, drop_frames, hide_arguments, hide_init_arguments
from voucher_gateway.errors.kinds import (
    AccessDenied,
    AlreadyCaptured,
    AlreadyRefunded,
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
    UnsupportedOperation,
    VoucherExpired,
    VoucherHeld,
    VoucherInactive,
    VoucherMoved,
    VoucherNotFound,
    WrongPin,
)
from voucher_gateway.errors.request import AmountOutOfRange, AmountPrecisionError, InvalidRequest
from voucher_gateway.errors.root import OutcomeName, VoucherGatewayError
from voucher_gateway.errors.ticket import Ticket

__all__ = [
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
    "OutcomeName",
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
    "VoucherMoved",
    "VoucherNotFound",
    "WrongPin",
    "call_without_frames",
    "drop_frames",
    "hide_arguments",
    "hide_init_arguments",
]
