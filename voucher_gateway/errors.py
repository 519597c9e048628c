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

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Literal, Self

import attrs

OutcomeName = Literal["succeeded", "declined", "not_executed", "unknown", "pending"]


class VoucherGatewayError(Exception):
    """The base class of all errors here.

    Attributes:
        outcome: what became of the call: ``declined``, ``not_executed``, ``unknown`` or ``pending``; ``succeeded`` if
            it did something else than was asked for.
        retry_safe: whether the same call may be made again, unchanged, without the risk of moving money twice.
        account: the account's name, if one was involved.
        operation: the operation's name, e.g. ``capture``.
        http_status: the vendor's HTTP status, if it answered.
        vendor_code: the vendor's own error code.
        request_id: the vendor's id of the request, for its support.
    """

    outcome: OutcomeName = "not_executed"
    retry_safe: bool = True

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
        """The message without the account and the operation."""
        return str(self.args[0])

    def __str__(self) -> str:
        where = " ".join(part for part in (self.account, self.operation) if part)
        return f"{where}: {self.message}" if where else self.message

    def __reduce__(self) -> tuple[Any, ...]:
        return (unpickle_error, (type(self), self.message, self.__dict__.copy()))

    def with_context(self, **context: Any) -> Self:
        """Fill in the attributes among `context` that are still None, and return the error itself."""
        for name, value in context.items():
            if getattr(self, name) is None:
                setattr(self, name, value)
        return self


def unpickle_error(kind: type[VoucherGatewayError], message: str, state: dict[str, Any]) -> VoucherGatewayError:
    """Return the error that a pickle describes. It does not call the constructor, which can require more arguments."""
    error = kind.__new__(kind, message)
    error.args = (message,)
    error.__dict__.update(state)
    return error


# --- correct the configuration or the call ---


class ConfigurationError(VoucherGatewayError):
    """The configuration, or a provider's declaration, is wrong."""


class UnsupportedOperation(VoucherGatewayError):
    """The vendor does not have this operation, and no emulation is accepted. Raised before any request.

    Attributes:
        emulation: the emulation that the account could accept in `accept_risks`, if there is one.
    """

    def __init__(self, message: str, *, emulation: str | None = None, **context: Any) -> None:
        super().__init__(message, **context)
        self.emulation = emulation


class InvalidRequest(VoucherGatewayError):
    """An argument of the call is wrong. Nothing was sent.

    Attributes:
        field: the argument that is wrong.
        rule: the rule that it breaks.
    """

    def __init__(self, message: str, *, field: str, rule: str, **context: Any) -> None:
        super().__init__(message, **context)
        self.field = field
        self.rule = rule


class AmountPrecisionError(InvalidRequest):
    """The amount has more decimals than the currency, or the vendor's wire format, can carry."""


class AmountOutOfRange(InvalidRequest):
    """The amount is above or below what the vendor accepts."""


# --- the vendor refused ---


class Declined(VoucherGatewayError):
    """The vendor refused. Nothing moved."""

    outcome: OutcomeName = "declined"


class VoucherNotFound(Declined):
    """The vendor does not know this voucher."""


class VoucherInactive(Declined):
    """The voucher is not active yet, or not any more."""


class VoucherExpired(Declined):
    """The voucher's validity is over."""


class InsufficientValue(Declined):
    """The voucher holds less than the requested amount."""


class CurrencyMismatch(Declined):
    """The voucher is in another currency."""


class WrongPin(Declined):
    """The PIN is wrong, or a PIN is required."""


class ReservationExpired(Declined):
    """The reservation has ended, or would end before a capture could arrive."""


class ReservationSuperseded(Declined):
    """Another reservation replaced this one at the vendor."""


class ReservationReleased(Declined):
    """The reservation was released before."""


class VoucherHeld(Declined):
    """The voucher has a reservation for another order, which this call would end."""


class VoucherMoved(Declined):
    """The voucher was moved to another account; this call would add value at the old one. See `Gateway.find_moved`."""


class AlreadyCaptured(Declined):
    """The reservation was captured before."""


class AlreadyRefunded(Declined):
    """Less of the redemption is left to refund than the requested amount."""


class DuplicateCode(Declined):
    """Another voucher already has this code or id."""


class PaymentDeclined(Declined):
    """A payment could not be authorized, because one leg or the other means was refused. Nothing is taken.

    What was held for the other legs is released.

    Attributes:
        leg: the number of the leg; 0 for the other means.
        cause: why that leg was refused; None if the cause was not recorded.
    """

    def __init__(
        self, message: str, *, leg: int | None = None, cause: VoucherGatewayError | None = None, **context: Any
    ) -> None:
        super().__init__(message, **context)
        self.leg = leg
        self.cause = cause


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


class Rejected(Declined):
    """The vendor refused for a reason that its documents do not define; `vendor_code` and `fields` are its own words.

    Attributes:
        fields: the vendor's complaints about single fields.
    """

    def __init__(self, message: str, *, fields: tuple[FieldError, ...] = (), **context: Any) -> None:
        super().__init__(message, **context)
        self.fields = fields


# --- the login may not do it ---


class AccessDenied(VoucherGatewayError):
    """The login does not have the right to do this."""

    outcome: OutcomeName = "declined"


class AuthenticationFailed(AccessDenied):
    """The vendor does not accept the credentials."""

    outcome: OutcomeName = "not_executed"


class MissingScope(AccessDenied):
    """The login does not have a scope that the call needs.

    Attributes:
        scope: the vendor's name of the scope.
    """

    def __init__(self, message: str, *, scope: str | None = None, **context: Any) -> None:
        super().__init__(message, **context)
        self.scope = scope


# --- certainly not done ---


class NotExecuted(VoucherGatewayError):
    """The call certainly did not happen. The same call may be made again."""


class ProviderUnavailable(NotExecuted):
    """The vendor could not be reached, or a read got no usable answer in time."""


class AccountPaused(ProviderUnavailable):
    """A person has paused the account. Nothing was sent."""


class DatabaseUnavailable(NotExecuted):
    """The database cannot be read or written: full, locked, read-only or not reachable. Nothing was sent."""


class AccountsUnavailable(NotExecuted):
    """The source of the accounts raised an error, so that this account is not known now. Nothing was sent."""


class RateLimited(NotExecuted):
    """The vendor asks for fewer requests.

    Attributes:
        retry_after: seconds to wait, if the vendor said so.
    """

    def __init__(self, message: str, *, retry_after: float | None = None, **context: Any) -> None:
        super().__init__(message, **context)
        self.retry_after = retry_after


class TooManyChecks(VoucherGatewayError):
    """This caller, or all callers together, tried too many codes. The vendor was not asked.

    Attributes:
        retry_at: when the next code may be tried, in UTC.
    """

    def __init__(self, message: str, *, retry_at: datetime, **context: Any) -> None:
        super().__init__(message, **context)
        self.retry_at = retry_at


# --- the outcome is not known ---


_encode_json: Final = json.JSONEncoder(ensure_ascii=False).encode


@attrs.frozen(kw_only=True)
class Ticket:
    """What is needed to find out later what became of one changing call. Strings only, no code and no PIN.

    Attributes:
        account: the account's name in the configuration.
        provider: the provider's name.
        host: the vendor's host that the call went to. The call is never looked up at another host.
        login: the vendor-side login, where the vendor names one.
        verb: the operation, e.g. ``capture``.
        reference: the caller's reference.
        wire_reference: the reference under which the vendor may know the call.
        order: the shop's order number.
        voucher_id: the vendor's id of the voucher, where it is known.
        subject: the id that the call acted on: of a reservation, a redemption or the voucher itself.
        amount: the amount, as decimal text.
        currency: the currency of the amount.
        sent_at: when the call was sent, in RFC 3339.
        reason: why the outcome is not known.
        operation_id: the journal's id of the operation, where there is a journal.
        step: the verb of the request that is unknown, where the operation is emulated by others.
        notes: what the provider noted before sending, by which the outcome can be found.
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
        return encode_ticket({name: getattr(self, name) for name in _TICKET_FIELDS})

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read a ticket from the JSON that `to_json` returned.

        Raises:
            InvalidRequest: if the text is not a ticket.
        """
        try:
            fields = json.loads(text)
            ticket = cls(**fields)
            strings = [v for k, v in fields.items() if k != "notes"] + list(ticket.notes.values())
        except (TypeError, ValueError, AttributeError, RecursionError):
            raise InvalidRequest(
                "ticket: expected the JSON text of a ticket", field="ticket", rule="JSON of a ticket"
            ) from None
        if not all(isinstance(value, str) for value in strings):
            raise InvalidRequest("ticket: every value must be a string", field="ticket", rule="strings only")
        return ticket


_TICKET_FIELDS: Final = tuple(field.name for field in attrs.fields(Ticket))


def encode_ticket(fields: Mapping[str, object]) -> str:
    """Return the fields of a ticket as one line of JSON, without those that are not known."""
    return _encode_json({name: value for name, value in fields.items() if value})


class OutcomeUnknown(VoucherGatewayError):
    """The call may have happened. Keep the ticket and resolve it; a repeated call could move money twice.

    Attributes:
        ticket: with it, any process that has the configuration can find out later.
    """

    outcome: OutcomeName = "unknown"
    retry_safe = False

    def __init__(self, message: str, *, ticket: Ticket, **context: Any) -> None:
        super().__init__(message, **context)
        self.ticket = ticket


class OutcomePending(OutcomeUnknown):
    """The vendor has accepted the call, and will complete or cancel it later. Waiting never makes it failed.

    Keep the ticket and resolve it. With a journal, the same call under the same reference asks the vendor for news and
    sends nothing new.
    """

    outcome: OutcomeName = "pending"


class ConcurrentModification(VoucherGatewayError):
    """Another party changed the voucher at the same time, so the result of an emulation is not certain.

    Attributes:
        evidence: the readings before and after, as text.
        ticket: with it, the call can be examined later.
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


# --- something else happened than was asked for ---


class PartlyRedeemed(VoucherGatewayError):
    """The vendor took what was left, less than the amount, and it could not be given back.

    Accept the part, or refund it. With a journal, the same call goes on giving it back.

    Attributes:
        taken: the amount that was taken, such as ``3.00 EUR``.
        redemption_id: the vendor's id of the redemption.
        voucher_id: the vendor's id of the voucher, if it is known.
    """

    outcome: OutcomeName = "succeeded"
    retry_safe = False

    def __init__(
        self, message: str, *, taken: str, redemption_id: str, voucher_id: str | None = None, **context: Any
    ) -> None:
        super().__init__(message, **context)
        self.taken = taken
        self.redemption_id = redemption_id
        self.voucher_id = voucher_id


class PaymentShort(VoucherGatewayError):
    """A leg of a payment is lost after it was decided to capture. Other legs may be taken.

    Capture the payment again with `Payment.due`, which other means pay then, or cancel it.

    Attributes:
        short_by: how much is missing, such as ``3.00 EUR``; `Payment.short_by` is the same as `Money`.
        leg: the number of the leg; 0 for the other means.
        cause: why that leg is lost; None if this call did not lose it.
    """

    outcome: OutcomeName = "succeeded"
    retry_safe = False

    def __init__(
        self,
        message: str,
        *,
        short_by: str | None = None,
        leg: int | None = None,
        cause: VoucherGatewayError | None = None,
        **context: Any,
    ) -> None:
        super().__init__(message, **context)
        self.short_by = short_by
        self.leg = leg
        self.cause = cause


# --- the vendor's answer cannot be used ---


class MalformedResponse(VoucherGatewayError):
    """The answer to a read breaks the vendor's contract.

    Attributes:
        problems: every wrong field, in the vendor's words, without its value.
    """

    def __init__(self, message: str, *, problems: tuple[str, ...] = (), **context: Any) -> None:
        super().__init__(message, **context)
        self.problems = problems


class IntegrityMismatch(MalformedResponse):
    """The vendor's answer names another amount or voucher than the request.

    An adapter raises it while it reads the answer to a changing call. It becomes the reason of an `OutcomeUnknown`.
    """


_MAX_QUOTED: Final = 20
"""The maximum of problems in a message; `MalformedFile.problems` has more."""


class MalformedFile(MalformedResponse):
    """A file of vouchers has mistakes. It is the user's own file, and no vendor answered.

    Attributes:
        problems: the first problems, at most 200 of them, with line and column, without a value.
        problem_count: the number of all problems.
        wrong_lines: the number of lines that have a problem.
        listed_in: the path of the file that lists all problems; None if none was written.
    """

    def __init__(
        self,
        message: str,
        *,
        problems: tuple[str, ...] = (),
        problem_count: int | None = None,
        wrong_lines: int | None = None,
        listed_in: str | None = None,
        **context: Any,
    ) -> None:
        super().__init__(message, problems=problems, **context)
        self.problem_count = len(problems) if problem_count is None else problem_count
        self.wrong_lines = self.problem_count if wrong_lines is None else wrong_lines
        self.listed_in = listed_in

    def __str__(self) -> str:
        """Return the message with the first problems."""
        rest = self.problem_count - _MAX_QUOTED
        problems = "; ".join([*self.problems[:_MAX_QUOTED], *([f"and {rest} more"] if rest > 0 else [])])
        return f"{super().__str__()}: {problems}" if problems else super().__str__()


# --- another call is in the way ---


class ReferenceConflict(VoucherGatewayError):
    """The reference was already used for another call. A new call needs a new reference."""


class ReferencePruned(ReferenceConflict):
    """The reference was used before, and the details of that call were removed from the journal. It is not sent again.

    Attributes:
        state: how that call ended: ``succeeded``, ``declined`` or ``not_executed``; the state of a payment or a sale.
        month: the year and the month in which it was begun, such as ``2024-10``.
    """

    def __init__(self, message: str, *, state: str, month: str, **context: Any) -> None:
        super().__init__(message, **context)
        self.state = state
        self.month = month


class PaymentConflict(VoucherGatewayError):
    """The order has a payment of another total that cannot be replaced, or its state does not allow the call."""


class SaleConflict(VoucherGatewayError):
    """The state of the sale does not allow the call: it is revoked, for example, or its code was delivered."""


class OperationInProgress(VoucherGatewayError):
    """Another worker runs this call now, or an operation with an unknown outcome must be resolved first."""
