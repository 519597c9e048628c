"""Exit codes, and what an error says to people and to programs."""

from __future__ import annotations

import shlex
from decimal import Decimal
from typing import Any, Final

import attrs

from voucher_gateway.capabilities import Operation
from voucher_gateway.errors import OperationInProgress, ReferenceConflict
from voucher_gateway.errors.kinds import (
    AccessDenied,
    AlreadyCaptured,
    AlreadyRefunded,
    AuthenticationFailed,
    ConcurrentModification,
    ConfigurationError,
    DatabaseUnavailable,
    Declined,
    MalformedResponse,
    NotExecuted,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    ReservationExpired,
    ReservationReleased,
    ReservationSuperseded,
    UnsupportedOperation,
    VoucherHeld,
    VoucherInactive,
    VoucherMoved,
    VoucherNotFound,
)
from voucher_gateway.errors.request import InvalidRequest
from voucher_gateway.errors.root import VoucherGatewayError
from voucher_gateway.errors.ticket import Ticket

DONE: Final = 0
DECLINED: Final = 1
"""Declined or unsupported."""
WRONG: Final = 2
"""Wrong usage, request, configuration, access or reference."""
NOT_DONE: Final = 3
"""Surely not executed, or in progress: try again."""
UNKNOWN: Final = 4
"""Outcome unknown, or changed by somebody else meanwhile."""
DIFFERENT: Final = 5
"""Differences were found."""
UNREADABLE: Final = 6
"""The vendor's answer to a read is outside of its contract."""
OUR_BUG: Final = 70
INTERRUPTED: Final = 130

_CODES: Final[tuple[tuple[type[VoucherGatewayError], int], ...]] = (
    (ConfigurationError, WRONG),
    (UnsupportedOperation, DECLINED),
    (InvalidRequest, WRONG),
    (Declined, DECLINED),
    (AccessDenied, WRONG),
    (NotExecuted, NOT_DONE),
    (OutcomeUnknown, UNKNOWN),
    (MalformedResponse, UNREADABLE),
    (ReferenceConflict, WRONG),
    (OperationInProgress, NOT_DONE),
    (ConcurrentModification, UNKNOWN),
)

_NEXT: Final[tuple[tuple[type[VoucherGatewayError], str], ...]] = (
    (UnsupportedOperation, "`voucher-gateway doctor ACCOUNT` shows what the account can do."),
    (InvalidRequest, "Mend the command; with --help it describes its arguments."),
    (VoucherNotFound, "Check the code or id, and that it is this account's."),
    (VoucherInactive, "`voucher-gateway activate` makes it spendable, unless it was moved to another account."),
    (VoucherHeld, "Capture or release that reservation first, or reserve with --if-held replace, which ends it."),
    (VoucherMoved, "Go on with it where it is now; `voucher-gateway migrate rollback` brings vouchers back."),
    (ReservationExpired, "Reserve again, under a new reference."),
    (ReservationSuperseded, "Reserve again, under a new reference; --if-held refuse keeps others from ending it."),
    (ReservationReleased, "Reserve again, under a new reference."),
    (AlreadyCaptured, "`voucher-gateway history` shows when; `refund` gives it back."),
    (AlreadyRefunded, "`voucher-gateway history` shows when; a refund gives back no more than was redeemed."),
    (Rejected, "The vendor documents no reason for this refusal; `voucher-gateway show` may tell one."),
    (AuthenticationFailed, "Check the account's credentials; `voucher-gateway doctor ACCOUNT` tries them."),
    (AccessDenied, "Give the login the right at the vendor; `voucher-gateway doctor ACCOUNT` shows what is missing."),
    (RateLimited, "Wait, then give the same command again."),
    (DatabaseUnavailable, "Without the journal nothing is sent. Mend that, then give the same command again."),
    (NotExecuted, "Give the same command again."),
    (OutcomeUnknown, "Do not repeat it: no journal remembers it. Find out with: voucher-gateway resolve --ticket FILE"),
    (MalformedResponse, "Nothing can be concluded from it; if it lasts, the vendor or its adapter is at fault."),
    (
        ReferenceConflict,
        "Take a new reference for a new operation; `voucher-gateway operations show` shows the old one.",
    ),
    (
        OperationInProgress,
        "Give the same command again once that is settled; with --wait SECONDS it waits for another worker.",
    ),
    (ConcurrentModification, "Do not simply repeat it. Compare the readings; a person must decide what is right."),
)

_MONEY: Final = {
    "declined": "Nothing moved: the vendor said no.",
    "not_executed": "Nothing moved: nothing was carried out.",
    "unknown": "It is not known whether it happened.",
    "pending": "The vendor has taken it on and answers later.",
}

# what errors may carry beyond what all of them have
_MORE: Final = (
    "account",
    "operation",
    "http_status",
    "vendor_code",
    "request_id",
    "field",
    "rule",
    "fields",
    "emulation",
    "scope",
    "retry_after",
    "problems",
    "evidence",
)


def exit_code(error: VoucherGatewayError) -> int:
    """Return the exit code that stands for an error."""
    return next((code for kind, code in _CODES if isinstance(error, kind)), OUR_BUG)


def error_object(error: VoucherGatewayError) -> dict[str, Any]:
    """Return what ``--json`` prints of an error: always the first five names, the others where they are known."""
    fields: dict[str, Any] = {
        "error": type(error).__name__,
        "message": error.message,
        "outcome": error.outcome,
        "retry_safe": error.retry_safe,
        "ticket": _ticket(error),
    }
    for name in _MORE:
        value = getattr(error, name, None)
        if value not in (None, (), {}):
            fields[name] = Decimal(repr(value)) if isinstance(value, float) else value
    return fields


def error_lines(error: VoucherGatewayError) -> list[str]:
    """Return what people are told of an error: what is wrong, what it means for the money, and what to do."""
    text = f"{error} ({type(error).__name__})"
    # A configuration is told everything that is wrong with it, a line each; a vendor's line breaks stay escaped.
    lines = text.split("\n") if isinstance(error, ConfigurationError) else [text]
    if vendor := _vendor(error):
        lines.append(vendor)
    if _changes(error):
        # without an answer of the vendor it was we who refused
        ours = error.outcome == "declined" and error.http_status is None
        lines.append("Nothing moved." if ours else _MONEY[error.outcome])
    if isinstance(error, ConcurrentModification):
        lines += [f"{name}: {reading}" for name, reading in error.evidence.items()]
    return lines + _next(error)


def _next(error: VoucherGatewayError) -> list[str]:
    """Return what to do about an error."""
    if isinstance(error, RateLimited) and error.retry_after is not None:
        return [f"Wait {error.retry_after:g} seconds, then give the same command again."]
    ticket: Ticket | None = getattr(error, "ticket", None)
    if ticket is not None and ticket.operation_id is not None and ticket.reference is not None:
        arguments = (ticket.account, ticket.verb, ticket.reference)
        if isinstance(error, ConcurrentModification):
            return [
                "Compare the readings; no look-up can tell what is right, a person must.",
                decide_sentence(*arguments),
            ]
        return [
            f"Find out with: {resolve_command(*arguments)}",
            "The same command does that too before anything else, and never does it twice.",
        ]
    # who raised it, or let it pass, may know better than its kind can tell
    if notes := list(getattr(error, "__notes__", ())):
        return notes
    return [sentence for kind, sentence in _NEXT if isinstance(error, kind)][:1]


def resolve_command(account: str, verb: str, reference: str) -> str:
    """Return the command that finds out what became of an operation of the journal."""
    return f"voucher-gateway resolve {_shell_arguments(account, verb, reference)}"


def decide_sentence(account: str, verb: str, reference: str) -> str:
    """Return the sentence by which a person writes down what became of an operation of the journal."""
    return (
        "Once you know, write it down with: voucher-gateway operations decide --happened (or --did-not-happen)"
        f" --by NAME --reason TEXT {_shell_arguments(account, verb, reference)}"
    )


def _shell_arguments(account: str, verb: str, reference: str) -> str:
    """Return the arguments that name an operation, as a shell takes them."""
    guard = ["--"] if reference.startswith("-") else []
    return shlex.join([*guard, account, verb.replace("_", "-"), reference])


def ticket_line(error: VoucherGatewayError) -> str | None:
    """Return the ticket of an error as a line of JSON, if it has one."""
    ticket = getattr(error, "ticket", None)
    return None if ticket is None else str(ticket.to_json())


def _ticket(error: VoucherGatewayError) -> dict[str, Any] | None:
    ticket = getattr(error, "ticket", None)
    if ticket is None:
        return None
    return attrs.asdict(ticket, filter=lambda _, value: value not in (None, {}, ""))


def _changes(error: VoucherGatewayError) -> bool:
    """Whether the error is about something that changes something, so that the money is worth a sentence."""
    if error.outcome == "unknown":
        return True
    return error.operation in [operation.value for operation in Operation] and Operation(error.operation).changes


def _vendor(error: VoucherGatewayError) -> str:
    parts = [error.vendor_code, error.http_status and f"HTTP {error.http_status}"]
    text = ", ".join(part for part in parts if part)
    if error.request_id:
        text += f" (request {error.request_id})"
    return f"The vendor's answer: {text}" if text else ""
