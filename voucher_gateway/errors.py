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
    │   └── IntegrityMismatch       the vendor echoed another amount than was sent
    ├── ReferenceConflict           this reference stands for another call already
    ├── OperationInProgress         another worker is on this very call
    └── ConcurrentModification      somebody else changed the voucher meanwhile; a person must look

``except OutcomeUnknown`` catches everything that may have run without our knowing. No error carries a payload, a
code, a PIN or a secret, and every error survives pickling.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

import attrs

OutcomeName = Literal["succeeded", "declined", "not_executed", "unknown", "pending"]


@attrs.frozen(kw_only=True)
class Ticket:
    """What is needed to find out later what became of one changing call. Strings only, no code and no PIN.

    Attributes:
        account: the account's name in the config.
        provider: the provider's name.
        host: the vendor's host the call went to; it is never looked up at another.
        login: the vendor-side login, where the vendor names one.
        verb: the operation, e.g. ``capture``.
        reference: the caller's reference.
        wire_reference: the name under which the vendor may know the call.
        order: the shop's order.
        voucher_id: the voucher, by the vendor's id, where it is known.
        subject: the id the call acted on: a reservation's, a redemption's, or the voucher's own.
        amount: the amount, as decimal text.
        currency: the currency of the amount.
        sent_at: when the call was sent, RFC 3339.
        reason: why the outcome is not known.
        operation_id: the journal's name of the operation, where there is a journal.
        step: the verb of the request that it is about, where the operation is made of others.
        notes: provider's notes taken before sending, by which the outcome can be found.
    """

    account: str
    provider: str
    host: str
    login: str | None = None
    verb: str
    reference: str | None = None
    wire_reference: str | None = None
    order: str | None = None
    voucher_id: str | None = None
    subject: str | None = None
    amount: str | None = None
    currency: str | None = None
    sent_at: str | None = None
    reason: str = ""
    operation_id: str | None = None
    step: str | None = None
    notes: Mapping[str, str] = attrs.field(factory=dict, hash=False)

    def to_json(self) -> str:
        """Return the ticket as one line of JSON, without the parts that are not known."""
        return json.dumps(attrs.asdict(self, filter=lambda _, value: value not in (None, {}, "")), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read a ticket back.

        Raises:
            InvalidRequest: if the text is no ticket.
        """
        try:
            fields = json.loads(text)
            ticket = cls(**fields)
            strings = [v for k, v in fields.items() if k != "notes"] + list(ticket.notes.values())
        except (TypeError, ValueError, AttributeError, RecursionError):
            raise InvalidRequest("the ticket is not one of ours", field="ticket", rule="JSON of a ticket") from None
        if not all(isinstance(value, str) for value in strings):
            raise InvalidRequest("a ticket holds only text", field="ticket", rule="strings only")
        return ticket


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


class VoucherGatewayError(Exception):
    """The root of all errors here.

    Attributes:
        outcome: what became of the call: ``declined``, ``not_executed``, ``unknown`` or ``pending``.
        retry_safe: whether the same call may be made again, unchanged, without the danger of moving money twice.
        account: the account's name, if one was involved.
        operation: the operation's name, e.g. ``capture``.
        http_status: the vendor's HTTP status, if it answered.
        vendor_code: the vendor's own error code.
        request_id: the vendor's id of the request, for its support.
    """

    outcome: OutcomeName = "not_executed"
    retry_safe: bool = True

    _named: ClassVar[tuple[str, ...]] = ("account", "operation", "http_status", "vendor_code", "request_id")

    def __init__(
        self,
        message: str,
        *,
        account: str | None = None,
        operation: str | None = None,
        http_status: int | None = None,
        vendor_code: str | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.account = account
        self.operation = operation
        self.http_status = http_status
        self.vendor_code = vendor_code
        self.request_id = request_id

    @property
    def message(self) -> str:
        """The sentence alone."""
        return str(self.args[0])

    def __str__(self) -> str:
        where = " ".join(part for part in (self.account, self.operation) if part)
        return f"{where}: {self.message}" if where else self.message

    def about(self, **named: Any) -> Self:
        """Fill in what is not yet known of `account`, `operation` and the like, and return the error itself."""
        for name, value in named.items():
            if getattr(self, name) is None:
                setattr(self, name, value)
        return self


class ConfigurationError(VoucherGatewayError):
    """The configuration, or a provider's declaration, is wrong."""


class UnsupportedOperation(VoucherGatewayError):
    """The vendor has no such operation, and no emulation is accepted. Raised before any request.

    Attributes:
        emulation: the emulation that the account could accept in `accept_risks`, if there is one.
    """

    def __init__(self, message: str, *, emulation: str | None = None, **named: Any) -> None:
        super().__init__(message, **named)
        self.emulation = emulation


class InvalidRequest(VoucherGatewayError):
    """The call is wrong as it stands. Nothing was sent.

    Attributes:
        field: the argument that is wrong.
        rule: the rule it breaks.
    """

    def __init__(self, message: str, *, field: str, rule: str, **named: Any) -> None:
        super().__init__(message, **named)
        self.field = field
        self.rule = rule

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild, (type(self), self.message, self.__dict__.copy()))


class AmountPrecisionError(InvalidRequest):
    """The amount has more decimals than the currency, or the vendor's wire format, can carry."""


class AmountOutOfRange(InvalidRequest):
    """The amount is above or below what the vendor takes."""


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


class AlreadyCaptured(Declined):
    """The reservation was captured before."""


class AlreadyRefunded(Declined):
    """The redemption was given back before."""


class DuplicateCode(Declined):
    """The code or id is taken already."""


class Rejected(Declined):
    """The vendor refused for a reason that its documents do not define.

    Attributes:
        fields: the vendor's complaints about single fields.
    """

    def __init__(self, message: str, *, fields: tuple[FieldError, ...] = (), **named: Any) -> None:
        super().__init__(message, **named)
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

    def __init__(self, message: str, *, scope: str | None = None, **named: Any) -> None:
        super().__init__(message, **named)
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

    def __init__(self, message: str, *, retry_after: float | None = None, **named: Any) -> None:
        super().__init__(message, **named)
        self.retry_after = retry_after


class OutcomeUnknown(VoucherGatewayError):
    """The call may have happened. Keep the ticket, resolve it; a blind repeat could move money twice.

    Attributes:
        ticket: by which any process with the config can find out later.
    """

    outcome: OutcomeName = "unknown"
    retry_safe = False

    def __init__(self, message: str, *, ticket: Ticket, **named: Any) -> None:
        super().__init__(message, **named)
        self.ticket = ticket

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild, (type(self), self.message, self.__dict__.copy()))


class MalformedResponse(VoucherGatewayError):
    """The answer to a read breaks the vendor's contract.

    Attributes:
        problems: every wrong field, in the vendor's words, without its value.
    """

    def __init__(self, message: str, *, problems: tuple[str, ...] = (), **named: Any) -> None:
        super().__init__(message, **named)
        self.problems = problems


class IntegrityMismatch(MalformedResponse):
    """The vendor's answer tells of another amount or voucher than was asked for.

    Adapters raise it while they read the answer to a changing call, where it becomes the reason of an `OutcomeUnknown`.
    """


class ReferenceConflict(VoucherGatewayError):
    """The reference belongs to another call already. A new call needs a new reference."""


class OperationInProgress(VoucherGatewayError):
    """Another worker is carrying out this very call now."""


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
        **named: Any,
    ) -> None:
        super().__init__(message, **named)
        self.evidence = dict(evidence or {})
        self.ticket = ticket


def _rebuild(kind: type[VoucherGatewayError], message: str, state: dict[str, Any]) -> VoucherGatewayError:
    """Make an error again from a pickle without its constructor, whose keywords are required."""
    error = kind.__new__(kind, message)
    error.args = (message,)
    error.__dict__.update(state)
    return error
