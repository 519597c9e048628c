"""The kinds of errors, but for those of a wrong request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from voucher_gateway.errors.root import OutcomeName, VoucherGatewayError, rebuild
from voucher_gateway.errors.ticket import Ticket


@attrs.frozen
class FieldError:
    """One complaint of the vendor about one field, in the vendor's words.

    Attributes:
        field: the field's name at the vendor.
        rule: the broken rule, as the vendor calls it.
        code: the vendor's code for this complaint.
        message: the vendor's sentence, masked where it could repeat a code.
    """

    field: str
    rule: str = ""
    code: str = ""
    message: str = ""


class ConfigurationError(VoucherGatewayError):
    """The configuration, or a provider's declaration, is wrong."""


class UnsupportedOperation(VoucherGatewayError):
    """The vendor has no such operation, and no emulation is accepted. Raised before any request.

    Attributes:
        emulation: the emulation that the account could accept in `accept_risks`, if there is one.
    """

    def __init__(self, message: str, *, emulation: str | None = None, **context: Any) -> None:
        super().__init__(message, **context)
        self.emulation = emulation


class Declined(VoucherGatewayError):
    """The vendor refused. Nothing moved."""

    outcome: OutcomeName = "declined"


class VoucherNotFound(Declined):
    """The vendor knows no such voucher."""


class VoucherInactive(Declined):
    """The voucher is not active (yet, or any more)."""


class VoucherExpired(Declined):
    """The voucher's validity is over."""


class InsufficientValue(Declined):
    """The voucher holds less than was asked for."""


class CurrencyMismatch(Declined):
    """The voucher is in another currency."""


class WrongPin(Declined):
    """The PIN is wrong, or one was needed."""


class ReservationExpired(Declined):
    """The reservation's time is over, or would be before a capture could arrive."""


class ReservationSuperseded(Declined):
    """Another reservation took this one's place at the vendor."""


class ReservationReleased(Declined):
    """The reservation was given up before."""


class VoucherHeld(Declined):
    """Another reservation stands on the voucher, and would be lost."""


class VoucherMoved(Declined):
    """The voucher was moved to another account, and what was asked for would bring value back to where it was."""


class AlreadyCaptured(Declined):
    """The reservation was captured before."""


class AlreadyRefunded(Declined):
    """Less of the redemption is left to give back than was asked for."""


class DuplicateCode(Declined):
    """The code or id is taken already."""


class Rejected(Declined):
    """The vendor refused for a reason that its documents do not define.

    Attributes:
        fields: the vendor's complaints about single fields.
    """

    def __init__(self, message: str, *, fields: tuple[FieldError, ...] = (), **context: Any) -> None:
        super().__init__(message, **context)
        self.fields = fields


class AccessDenied(VoucherGatewayError):
    """The login may not do this."""

    outcome: OutcomeName = "declined"


class AuthenticationFailed(AccessDenied):
    """The vendor does not accept the credentials."""

    outcome: OutcomeName = "not_executed"


class MissingScope(AccessDenied):
    """The login lacks a scope that the call needs.

    Attributes:
        scope: the vendor's name of the scope.
    """

    def __init__(self, message: str, *, scope: str | None = None, **context: Any) -> None:
        super().__init__(message, **context)
        self.scope = scope


class NotExecuted(VoucherGatewayError):
    """The call surely did not happen; it may be made again."""


class ProviderUnavailable(NotExecuted):
    """The vendor could not be reached, or a read got no usable answer in time."""


class DatabaseUnavailable(NotExecuted):
    """The database cannot be read or written: full, locked, read-only or out of reach. Nothing was sent."""


class RateLimited(NotExecuted):
    """The vendor asks us to slow down.

    Attributes:
        retry_after: seconds to wait, if the vendor said so.
    """

    def __init__(self, message: str, *, retry_after: float | None = None, **context: Any) -> None:
        super().__init__(message, **context)
        self.retry_after = retry_after


class OutcomeUnknown(VoucherGatewayError):
    """The call may have happened. Keep the ticket, resolve it; a blind repeat could move money twice.

    Attributes:
        ticket: by which any process with the config can find out later.
    """

    outcome: OutcomeName = "unknown"
    retry_safe = False

    def __init__(self, message: str, *, ticket: Ticket, **context: Any) -> None:
        super().__init__(message, **context)
        self.ticket = ticket

    def __reduce__(self) -> tuple[Any, ...]:
        return (rebuild, (type(self), self.message, self.__dict__.copy()))


class MalformedResponse(VoucherGatewayError):
    """The answer to a read breaks the vendor's contract.

    Attributes:
        problems: every wrong field, in the vendor's words, without its value.
    """

    def __init__(self, message: str, *, problems: tuple[str, ...] = (), **context: Any) -> None:
        super().__init__(message, **context)
        self.problems = problems


class IntegrityMismatch(MalformedResponse):
    """The vendor's answer tells of another amount or voucher than was asked for.

    Adapters raise it while they read the answer to a changing call, where it becomes the reason of an `OutcomeUnknown`.
    """


class ReferenceConflict(VoucherGatewayError):
    """The reference belongs to another call already. A new call needs a new reference."""


class OperationInProgress(VoucherGatewayError):
    """Another worker carries out this very call now, or an operation in doubt must be settled before it."""


class ConcurrentModification(VoucherGatewayError):
    """Somebody else changed the voucher at the same time, so the result of an emulation is not certain.

    Attributes:
        evidence: the readings before and after, as text.
        ticket: by which the call can be looked into later.
    """

    outcome: OutcomeName = "unknown"
    retry_safe = False

    def __init__(
        self,
        message: str,
        *,
        evidence: Mapping[str, str] | None = None,
        ticket: Ticket | None = None,
        **context: Any,
    ) -> None:
        super().__init__(message, **context)
        self.evidence = dict(evidence or {})
        self.ticket = ticket
